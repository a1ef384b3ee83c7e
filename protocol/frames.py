"""One line of the wire is one frame: parsing never raises, making never writes what cannot be read.

Only the standard library and orjson: what starts fast (`slotctl`) speaks through this file.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias, TypeGuard

import orjson

from protocol.errors import (
    InternalError,
    InvalidParams,
    InvalidRequest,
    ParseError,
    PeerGone,
    ProtocolError,
    SlotdError,
    error_from_wire,
)

RequestKey: TypeAlias = int | str
"""The ``id`` of a request: whatever the asker chose."""

MAX_ID_CHARACTERS = 256
_UNSPEAKABLE = (PeerGone.code, ProtocolError.code)


class RequestFrame(NamedTuple):
    """A request that must be answered under its ``id``."""

    id: RequestKey
    method: str
    params: dict[str, Any]


class NotificationFrame(NamedTuple):
    """A message that must not be answered."""

    method: str
    params: dict[str, Any]


class ResponseFrame(NamedTuple):
    """An answer: ``error`` is None when it succeeded.

    ``id`` is None when the other side could not read one of our lines; never answer that.
    """

    id: RequestKey | None
    result: Any
    error: SlotdError | None


class BadLine(NamedTuple):
    """A line that is no message: answer ``error`` under ``id``; the connection lives."""

    error: SlotdError
    id: RequestKey | None


class Fatal(NamedTuple):
    """The stream cannot be read any further: answer ``error`` with ``id`` null and close."""

    error: SlotdError


Frame: TypeAlias = RequestFrame | NotificationFrame | ResponseFrame | BadLine | Fatal


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a value that came from JSON is an object."""
    return type(value) is dict


def parse_line(line: bytes) -> Frame:
    """The frame on ``line`` (without its newline). A line that is no message becomes BadLine."""
    try:
        message: Any = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        if not line.strip():
            return BadLine(InvalidRequest("a blank line; every line is one JSON object"), None)
        return BadLine(ParseError(f"the line is not JSON: {error}"), None)
    if not is_object(message):
        return BadLine(_not_an_object(message), None)
    if message.get("jsonrpc", "2.0") != "2.0":
        return BadLine(InvalidRequest('"jsonrpc", if given, must be "2.0"'), _key_of(message))
    return _call(message) if "method" in message else _response(message)


def _not_an_object(message: object) -> InvalidRequest:
    if isinstance(message, list):
        return InvalidRequest("arrays of requests are refused: send one request a line, unwaited")
    return InvalidRequest("the line is JSON but not an object")


def _call(message: dict[str, Any]) -> Frame:
    method = message["method"]
    if type(method) is not str:
        return BadLine(InvalidRequest('"method" must be a string'), _key_of(message))
    if "result" in message or "error" in message:
        error = InvalidRequest("a message has a method, or a result or error, not both")
        return BadLine(error, _key_of(message))
    params = message.get("params", {})
    if "id" not in message:
        if not is_object(params):
            return BadLine(_params_not_an_object(), None)
        return NotificationFrame(method, params)
    key = _key_of(message)
    if key is None:
        return BadLine(InvalidRequest(f'"id" must be {_ID_FORM}'), None)
    if not is_object(params):
        return BadLine(_params_not_an_object(), key)
    return RequestFrame(key, method, params)


_ID_FORM = f"an integer or a string of at most {MAX_ID_CHARACTERS} characters"


def _params_not_an_object() -> InvalidParams:
    return InvalidParams(
        "params must be an object (names and values)", path="params", expected="an object"
    )


def _key_of(message: dict[str, Any]) -> RequestKey | None:
    key = message.get("id")
    if type(key) is int or (type(key) is str and len(key) <= MAX_ID_CHARACTERS):
        return key
    return None


def _response(message: dict[str, Any]) -> Frame:
    key, body = _key_of(message), message.get("error")
    if body is None and "result" in message and key is not None:
        return ResponseFrame(key, message["result"], None)
    error = _error_of(body)
    answers_us = key is not None or message.get("id", 0) is None
    if error is not None and answers_us and message.get("result") is None:
        return ResponseFrame(key, None, error)
    return BadLine(InvalidRequest(_NEITHER), None)


_NEITHER = (
    "neither a request (method, id), a notification (method) nor a response"
    " (id and either result or error {code, message, data})"
)


def _error_of(body: Any) -> SlotdError | None:
    if not is_object(body):
        return None
    code, message, data = body.get("code"), body.get("message"), body.get("data")
    if type(code) is not int or type(message) is not str:
        return None
    if code in _UNSPEAKABLE:
        code = InternalError.code
    return error_from_wire(code, message, data if is_object(data) else {})


def make_request(key: RequestKey, method: str, params: Mapping[str, Any]) -> bytes:
    """The line of a request.

    Raises:
        TypeError: a value has no place in JSON (as for every make function here).

    """
    return orjson.dumps(
        {"jsonrpc": "2.0", "id": key, "method": method, "params": params}, option=_LINE
    )


def make_notification(method: str, params: Mapping[str, Any]) -> bytes:
    """The line of a notification."""
    return orjson.dumps({"jsonrpc": "2.0", "method": method, "params": params}, option=_LINE)


def make_response(key: RequestKey, result: object) -> bytes:
    """The line of an answer."""
    return orjson.dumps({"jsonrpc": "2.0", "id": key, "result": result}, option=_LINE)


def make_error(key: RequestKey | None, error: SlotdError) -> bytes:
    """The line of a refusal; an error that has no place on the wire is written as InternalError."""
    if error.code in _UNSPEAKABLE:
        error = InternalError(error.message)
    body = {"code": error.code, "message": error.message, "data": error.data}
    return orjson.dumps(
        {"jsonrpc": "2.0", "id": key, "error": body}, default=str, option=_LINE | _ANY_KEYS
    )


_LINE = orjson.OPT_APPEND_NEWLINE
_ANY_KEYS = orjson.OPT_NON_STR_KEYS
