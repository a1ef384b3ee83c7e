"""The forms that values must have on the wire, declared beside the types and checked by the codec.

A message annotates a field (`timeout: Seconds | None`); inside the process the annotation is the
plain type, at the trust boundary the codec refuses what does not have the form.
"""

import binascii
import difflib
import math
import re
from collections.abc import Callable, Collection
from typing import Annotated, Any, TypeGuard

import attrs

from protocol import ids
from protocol.frames import is_object

MAX_AMOUNT = 1e12
"""No resource has more of anything; sums of a million such amounts are still exact."""

MAX_COUNT = 2**53
"""Every JSON reader reads whole numbers up to here exactly."""

MAX_SECONDS = 1e9
"""About 31 years: a longer duration is a slip of the unit."""


HIDDEN = object()
"""Stands for a value that no error message may show."""

MISSING = object()
"""Stands for a value that is not there."""


class Refusal(ValueError):
    """A value of the wrong form. ``path`` leads from the checked value to the bad part of it."""

    def __init__(self, expected: str, value: object, path: str = "") -> None:
        super().__init__(expected)
        self.expected = expected
        self.value = value
        self.path = path

    def under(self, path: str) -> "Refusal":
        """The same refusal, seen from a value that holds the checked one at ``path``."""
        return Refusal(self.expected, self.value, path + self.path)


@attrs.frozen
class Form:
    """What a value must be: ``expected`` says it, ``check`` returns the value or raises Refusal."""

    expected: str
    check: Callable[[Any], Any]


_NUMBERS = (int, float)  # never bool


def is_array(value: object) -> TypeGuard[list[Any]]:
    """Whether a value that came from JSON is an array."""
    return type(value) is list


def _text(pattern: str, expected: str, *, secret: bool = False) -> Form:
    matches = re.compile(pattern, re.DOTALL).fullmatch

    def check(value: Any) -> str:
        if type(value) is str and matches(value) is not None:
            return value
        raise Refusal(expected, HIDDEN if secret else value)

    return Form(expected, check)


def _number(low: float, high: float, expected: str, *, above: bool = False) -> Form:
    def check(value: Any) -> float:
        if type(value) in _NUMBERS and low <= value <= high and not (above and value == low):
            return float(value)
        raise Refusal(expected, value)

    return Form(expected, check)


def _integer(low: int, high: int, expected: str) -> Form:
    def check(value: Any) -> int:
        if type(value) is int and low <= value <= high:
            return value
        raise Refusal(expected, value)

    return Form(expected, check)


def _plain(kind: type, expected: str) -> Form:
    def check(value: Any) -> Any:
        if type(value) is kind:
            return value
        raise Refusal(expected, value)

    return Form(expected, check)


def _finite(value: Any) -> float:
    if type(value) in _NUMBERS and math.isfinite(value):
        return float(value)
    raise Refusal("a finite number", value)


HEX = _text(r"[0-9a-f]{32}", "32 hexadecimal digits (0-9, a-f)")
NAME = _text(r"[A-Za-z0-9._-]{1,128}", "1 to 128 of A-Z a-z 0-9 . _ -")

_ARGUMENT = _text(r"[^\0]*", "a string without NUL")
_PROGRAM = _text(r"[^\0]+", "a string that is not empty and has no NUL")
_VALUE = _text(r"[^\0]*", "a string without NUL", secret=True)
_VARIABLE = _text(r"[^\0=]+", "a name that is not empty and has neither = nor NUL")
_RESOURCE = _text(r"[A-Za-z0-9._-]{1,64}", "a resource name: 1 to 64 of A-Z a-z 0-9 . _ -")
_AMOUNT = _number(0, MAX_AMOUNT, "an amount from 0 to 1e12")


def _command(value: Any) -> list[str]:
    if not is_array(value) or not value:
        raise Refusal("an array of strings that is not empty", value)
    for index, word in enumerate(value):
        form = _ARGUMENT if index else _PROGRAM
        _within(f"[{index}]", form, word)
    return value


def _environment(value: Any) -> dict[str, str]:
    if not is_object(value):
        raise Refusal("an object of names and strings", value)
    for name, text in value.items():
        _within("", _VARIABLE, name)
        _within(f".{name[:64]}", _VALUE, text)
    return value


def _within(path: str, form: Form, value: Any) -> Any:
    try:
        return form.check(value)
    except Refusal as refusal:
        raise refusal.under(path) from None


def _amounts(value: Any) -> dict[str, float]:
    if not is_object(value):
        raise Refusal("an object of resource names and amounts", value)
    for name, amount in value.items():
        _within("", _RESOURCE, name)
        _within(f".{name}", _AMOUNT, amount)
    return value


def _base64(value: Any) -> str:
    if type(value) is str and value.isascii():
        try:
            binascii.a2b_base64(value, strict_mode=True)
        except binascii.Error:
            pass
        else:
            return value
    raise Refusal("base64", value)


def _key(value: Any) -> int | str:
    if type(value) in (int, str):
        key: int | str = value
        return key
    raise Refusal("an integer or a string", value)


_HOST = r"(?:\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.-]+)?\]|[^\s:\[\]/@]{1,255})"
_PORT = r"(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"

Seconds = Annotated[
    float, _number(0, MAX_SECONDS, "a number of seconds > 0 and <= 1e9", above=True)
]
"""A duration."""
Amount = Annotated[float, _AMOUNT]
"""How much of a resource."""
WholeAmount = Annotated[int, _integer(0, int(MAX_AMOUNT), "a whole amount from 0 to 1e12")]
"""How much of a resource that is not divided below its unit."""
Amounts = Annotated[dict[str, float], Form("an object of resource names and amounts", _amounts)]
"""Amounts of named resources."""
Count = Annotated[int, _integer(0, MAX_COUNT, "a whole number >= 0")]
"""A number of things, an index, or a position."""
Label = Annotated[
    str, _text(r"[^\x00-\x1f\x7f-\x9f]{1,256}", "1 to 256 characters, no control characters")
]
"""A name that a person gave."""
Address = Annotated[str, _text(f"{_HOST}:{_PORT}", "host:port")]
"""Where somebody listens."""
CallbackAddress = Annotated[
    str, _text(f"connection|{_HOST}:{_PORT}", 'host:port, or "connection" for this connection')
]
"""Where a role that registers wants to be called."""
Stream = Annotated[str, _text("stdout|stderr", '"stdout" or "stderr"')]
"""Which output of a command."""
Base64 = Annotated[str, Form("base64", _base64)]
"""Bytes that are no text."""
Command = Annotated[list[str], Form("an array of strings that is not empty", _command)]
"""A program and its arguments."""
Environment = Annotated[dict[str, str], Form("an object of names and strings", _environment)]
"""Environment variables."""
Directory = Annotated[str, _PROGRAM]
"""A path."""
Token = Annotated[str, _text(r"[\x21-\x7e]{1,512}", "the daemon's token", secret=True)]
"""The secret of the access file: never shown."""
Key = Annotated[int | str, Form("an integer or a string", _key)]
"""The id of a request."""


def one_of(names: Collection[str], kind: str) -> Form:
    """One of ``names``, which are the known names of a ``kind``."""

    def check(value: Any) -> str:
        if type(value) is str and value in names:
            return value
        raise Refusal(f"the name of {kind}{meant(value, names)}", value)

    return Form(f"the name of {kind}", check)


def meant(name: object, names: Collection[str]) -> str:
    """What somebody who wrote ``name`` probably meant, as the end of a sentence; or nothing."""
    near = difflib.get_close_matches(name[:64], names, n=1) if isinstance(name, str) else []
    return f" (did you mean {near[0]}?)" if near else ""


PLAIN: dict[type, Form] = {
    str: _plain(str, "a string"),
    int: _integer(-MAX_COUNT, MAX_COUNT, "a whole number"),
    bool: _plain(bool, "true or false"),
    float: Form("a finite number", _finite),
}
"""Types without a form of their own: what JSON calls them, and nothing that resembles it."""

NAMED: dict[Any, Form] = {
    ids.JobId: HEX,
    ids.AllocationId: HEX,
    ids.RequestId: HEX,
    ids.InstanceId: HEX,
    ids.LeaderId: HEX,
    ids.TaskId: NAME,
    ids.ResourceId: NAME,
    ids.SlotId: _text(
        r"[A-Za-z0-9._-]{1,128}_(?:0|[1-9][0-9]{0,8})", '"<resource_id>_<slot number>"'
    ),
    ids.Component: _text(
        r"resource_manager|job_master/[0-9a-f]{32}", '"resource_manager" or "job_master/<job_id>"'
    ),
}
"""The forms of identifiers (protocol/ids.py)."""
