"""Calls of a role to its peers, bounded in time; outcomes come back through the mailbox, in order.

An answer enters the mailbox at the moment it arrives, before anything that its peer says later. A
task per call would lose that order: an old slot report could overtake the news that a slot is free.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import attrs
import trio

from daemon.core.deadlines import Deadlines
from daemon.roles.mailbox import Mailbox
from daemon.wire.peers import Peer, PendingCall
from protocol.errors import PeerGone, SlotdError
from protocol.messages.calls import Request

R = TypeVar("R")

Otherwise = Callable[[SlotdError, float], None]


class CallTimedOut(PeerGone):
    """No answer in time: the peer may or may not have done it (L16)."""


@attrs.frozen(eq=False)
class _OpenCall:
    call: PendingCall[Any]
    method: str
    otherwise: Otherwise


class Calls:
    """One role's calls that are under way; they end with its term."""

    def __init__(self, mailbox: Mailbox, timeout_s: float) -> None:
        self._mailbox = mailbox
        self._timeout_s = timeout_s
        self._serial = 0
        self._open: dict[int, _OpenCall] = {}
        self._deadlines: Deadlines[int] = Deadlines()
        self._none_open = trio.Event()

    def start(
        self,
        peer: Peer,
        request: Request[R],
        then: Callable[[R, float], None],
        otherwise: Otherwise,
    ) -> None:
        """Send ``request`` now; run ``then`` with the answer or ``otherwise`` with the error."""
        self._serial += 1
        serial = self._serial
        call = peer.start(request)
        self._open[serial] = _OpenCall(call, request.METHOD, otherwise)
        self._deadlines.set(serial, trio.current_time() + self._timeout_s)
        call.then(partial(self._answered, serial, then, otherwise))

    def tell(self, peer: Peer, request: Request[Any]) -> None:
        """Send ``request`` now; whatever becomes of it changes nothing here."""
        self.start(peer, request, _nothing, _nothing)

    @property
    def next_deadline(self) -> float:
        """When patience with the next call ends."""
        return self._deadlines.next

    def expire(self, now: float) -> None:
        """Give up on the calls that took too long."""
        for serial in self._deadlines.pop_due(now):
            late = self._open[serial]
            self._forget(serial)
            late.call.abandon()
            error = CallTimedOut(f"{late.method}: no answer within {self._timeout_s:g} s")
            late.otherwise(error, now)

    def abandon(self) -> None:
        """The term is over: nobody waits for any answer."""
        for waiting in list(self._open.values()):
            waiting.call.abandon()
        self._open.clear()

    async def settled(self) -> None:
        """Wait until no call is under way."""
        while self._open:
            self._none_open = trio.Event()
            await self._none_open.wait()

    def _answered(
        self,
        serial: int,
        then: Callable[[R, float], None],
        otherwise: Otherwise,
        call: PendingCall[R],
    ) -> None:
        self._forget(serial)
        try:
            answer = call.result()
        except SlotdError as refusal:
            self._mailbox.put(partial(otherwise, refusal))
        else:
            self._mailbox.put(partial(then, answer))

    def _forget(self, serial: int) -> None:
        self._open.pop(serial, None)
        self._deadlines.discard(serial)
        if not self._open:
            self._none_open.set()


def _nothing(_: object, __: float) -> None:
    """What to do with the outcome of a best-effort call."""
