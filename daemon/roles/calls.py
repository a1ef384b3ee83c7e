"""Calls of a role to its peers: one scope per call; the outcome comes back through the mailbox."""

from collections.abc import Callable
from typing import Any, TypeVar

import trio

from daemon.roles.mailbox import Mailbox
from daemon.wire.peers import Peer, PendingCall
from protocol.errors import PeerGone, SlotdError
from protocol.messages.calls import Request

R = TypeVar("R")


class CallTimedOut(PeerGone):
    """No answer in time: the peer may or may not have done it (L16)."""


class Calls:
    """Starts calls in order; each outcome is handled by the role's own task, within the term."""

    def __init__(self, nursery: trio.Nursery, mailbox: Mailbox, timeout_s: float) -> None:
        self._nursery = nursery
        self._mailbox = mailbox
        self._timeout_s = timeout_s
        self._running = 0
        self._idle = trio.Event()

    def start(
        self,
        peer: Peer,
        request: Request[R],
        then: Callable[[R, float], None],
        otherwise: Callable[[SlotdError, float], None],
    ) -> None:
        """Send ``request`` now; run ``then`` with the answer or ``otherwise`` with the error."""
        self._running += 1
        call = peer.start(request)
        self._nursery.start_soon(self._finish, call, request.METHOD, then, otherwise)

    def tell(self, peer: Peer, request: Request[Any]) -> None:
        """Send ``request`` now; whatever becomes of it changes nothing here."""
        self.start(peer, request, _nothing, _nothing)

    async def settled(self) -> None:
        """Wait until no call is under way."""
        while self._running:
            await self._idle.wait()

    async def _finish(
        self,
        call: PendingCall[R],
        method: str,
        then: Callable[[R, float], None],
        otherwise: Callable[[SlotdError, float], None],
    ) -> None:
        try:
            with trio.fail_after(self._timeout_s):
                answer = await call.answer()
        except trio.TooSlowError:
            error = CallTimedOut(f"{method}: no answer within {self._timeout_s:g} s")
            self._mailbox.put(lambda now: otherwise(error, now))
        except SlotdError as refusal:
            problem = refusal
            self._mailbox.put(lambda now: otherwise(problem, now))
        else:
            self._mailbox.put(lambda now: then(answer, now))
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()
                self._idle = trio.Event()


def _nothing(_: object, __: float) -> None:
    """What to do with the outcome of a best-effort call."""
