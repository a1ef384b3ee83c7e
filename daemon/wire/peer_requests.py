"""The requests that the peer of one connection made and that are not answered yet; bounded."""

from collections.abc import Callable
from typing import Any

import attrs

from daemon.wire.bugs import Bugs
from daemon.wire.peers import Withdraw
from protocol.codec import encode_answer
from protocol.errors import InvalidRequest, Overloaded, RequestCancelled, SlotdError
from protocol.frames import RequestFrame, RequestKey, make_error


@attrs.define(eq=False)
class PeerRequest:
    """One request; it is the Reply that its answer is given to, and the first answer counts."""

    key: RequestKey
    method: str
    _requests: "PeerRequests"
    withdraw: Withdraw | None = None

    def succeed(self, result: Any) -> None:
        """Answer."""
        if self._requests.take(self):
            self._requests.answer(self, result)

    def fail(self, error: SlotdError) -> None:
        """Refuse."""
        if self._requests.take(self):
            self._requests.refuse(self, error)


Start = Callable[[RequestFrame, PeerRequest], None]
"""Starts a request: answers it now or sees to it that it is answered later. May raise."""


class PeerRequests:
    """Requests by their ids. Answers go straight into ``send``."""

    def __init__(self, send: Callable[[bytes], None], bugs: Bugs, limit: int) -> None:
        self._send = send
        self._bugs = bugs
        self._limit = limit
        self._waiting: dict[RequestKey, PeerRequest] = {}

    def start(self, frame: RequestFrame, start: Start) -> None:
        """Note and start a request; one that is refused or meets a bug is answered at once."""
        if frame.id in self._waiting:
            error = InvalidRequest(f"the request with id {frame.id!r} is not answered yet")
            self._send(make_error(frame.id, error))
            return
        if len(self._waiting) >= self._limit:
            self._bugs.counters.overloaded += 1
            full = Overloaded(f"{self._limit} requests of this connection are not answered yet")
            self._send(make_error(frame.id, full))
            return
        request = self._waiting[frame.id] = PeerRequest(frame.id, frame.method, self)
        refusal = self._bugs.contained(frame.method, start, frame, request)
        if refusal is not None:
            request.fail(refusal)

    def take(self, request: PeerRequest) -> bool:
        """End a request; False if it has ended before."""
        if self._waiting.get(request.key) is not request:
            return False
        del self._waiting[request.key]
        return True

    def answer(self, request: PeerRequest, result: Any) -> None:
        """Send the answer, or say that it could not be written."""
        bug = self._bugs.contained(
            f"the answer to {request.method}",
            lambda: self._send(encode_answer(request.key, result)),
        )
        if bug is not None:
            self._send(make_error(request.key, bug))

    def refuse(self, request: PeerRequest, error: SlotdError) -> None:
        """Send the refusal, or say that it could not be written."""
        bug = self._bugs.contained(
            f"the refusal of {request.method}",
            lambda: self._send(make_error(request.key, error)),
        )
        if bug is not None:
            self._send(make_error(request.key, bug))

    def cancel(self, key: RequestKey) -> None:
        """The peer withdraws a request; one that is answered already stays so."""
        request = self._waiting.get(key)
        if request is not None:
            self._withdraw(request)
            request.fail(RequestCancelled("the request was withdrawn by its caller"))

    def refuse_all(self, why: SlotdError) -> None:
        """Withdraw every request and answer ``why``."""
        for request in list(self._waiting.values()):
            self._withdraw(request)
            request.fail(why)

    def withdraw_all(self) -> None:
        """Withdraw every request; nobody is there to be answered."""
        requests = list(self._waiting.values())
        self._waiting.clear()
        for request in requests:
            self._withdraw(request)

    def _withdraw(self, request: PeerRequest) -> None:
        if request.withdraw is not None:
            self._bugs.contained(f"the withdrawal of {request.method}", request.withdraw)
