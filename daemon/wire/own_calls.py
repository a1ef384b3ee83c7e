"""The calls that we made over one connection and that the peer has not answered yet."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from daemon.wire.peers import PendingCall
from protocol.codec import decode_answer, encode_notification, encode_request
from protocol.errors import SlotdError
from protocol.frames import RequestKey, ResponseFrame
from protocol.messages.calls import Request
from protocol.messages.session import CancelRequest

R = TypeVar("R")
Send = Callable[[bytes], None]


class OwnCalls:
    """Calls that wait for the peer's answer. Each is settled once."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._last_key = 0
        self._waiting: dict[RequestKey, tuple[type[Request[Any]], PendingCall[Any]]] = {}

    def start(self, request: Request[R], call: PendingCall[R]) -> None:
        """Send the request; ``call`` gets the answer."""
        key = self._last_key = self._last_key + 1
        self._send(encode_request(key, request))
        self._waiting[key] = (type(request), call)
        call.withdraw = partial(self._withdraw, key)

    def _withdraw(self, key: RequestKey) -> None:
        if self._waiting.pop(key, None) is not None:
            self._send(encode_notification(CancelRequest(key)))

    def settle(self, frame: ResponseFrame) -> None:
        """Give the answer to whoever waits for it; one that nobody waits for is dropped.

        Raises:
            ProtocolError: the answer is malformed; whoever waited got the same error.

        """
        if frame.id is None or frame.id not in self._waiting:
            return
        kind, call = self._waiting.pop(frame.id)
        if frame.error is not None:
            call.fail(frame.error)
            return
        try:
            answer = decode_answer(kind, frame.result)
        except SlotdError as error:
            call.fail(error)
            raise
        call.succeed(answer)

    def fail_all(self, error: SlotdError) -> None:
        """No answer can come any more."""
        waiting = list(self._waiting.values())
        self._waiting.clear()
        for _, call in waiting:
            call.fail(error)
