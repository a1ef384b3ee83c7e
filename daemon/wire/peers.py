"""Peers near and far behind one call, and what a session asks of the daemon it belongs to."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

import trio

from protocol.errors import SlotdError
from protocol.messages.calls import Notification, Request

R = TypeVar("R")

Withdraw = Callable[[], None]
"""Withdraws a request whose asker has gone; calling it after the answer does nothing."""


class Reply(Protocol):
    """Where the answer to one request goes; the first answer counts, later ones are dropped."""

    def succeed(self, result: Any) -> None:
        """Answer."""
        ...

    def fail(self, error: SlotdError) -> None:
        """Refuse."""
        ...


class PendingCall(Generic[R]):
    """A call that was sent. It is a Reply; who started it awaits ``answer`` or sets ``then``."""

    def __init__(self) -> None:
        self._settled = trio.Event()
        self._result: R | None = None
        self._error: SlotdError | None = None
        self._then: Callable[[PendingCall[R]], None] | None = None
        self.withdraw: Withdraw | None = None

    def succeed(self, result: R) -> None:
        """Let the answer be ``result``."""
        if not self._settled.is_set():
            self._result = result
            self._settle()

    def fail(self, error: SlotdError) -> None:
        """Let the answer be a refusal."""
        if not self._settled.is_set():
            self._error = error
            self._settle()

    def _settle(self) -> None:
        self._settled.set()
        if self._then is not None:
            self._then(self)

    def then(self, callback: "Callable[[PendingCall[R]], None]") -> None:
        """Run ``callback`` at the moment of the answer, in order with all else the peer says."""
        self._then = callback
        if self._settled.is_set():
            callback(self)

    def abandon(self) -> None:
        """Nobody waits any more: withdraw the call unless it was answered."""
        self._then = None
        if not self._settled.is_set() and self.withdraw is not None:
            self.withdraw()

    def result(self) -> R:
        """The answer, once there is one.

        Raises:
            SlotdError: the peer refused; PeerGone when it died or hung up before it answered.
        """
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]  # set together with _settled

    async def answer(self) -> R:
        """Wait for the answer; being cancelled withdraws the call. Raises as ``result`` does."""
        try:
            await self._settled.wait()
        finally:
            self.abandon()
        return self.result()


class Peer(ABC):
    """Somebody to call: in this process or across TCP; the caller cannot tell."""

    @abstractmethod
    def start(self, request: Request[R]) -> PendingCall[R]:
        """Send a call now, in order, without waiting; await its ``answer`` later."""

    async def call(self, request: Request[R]) -> R:
        """Ask and wait for the answer. Callers bound the wait with a cancel scope.

        Raises:
            SlotdError: the peer refused; PeerGone when it died or hung up before it answered.
        """
        return await self.start(request).answer()

    @abstractmethod
    async def notify(self, notification: Notification) -> None:
        """Tell without an answer; waits while the peer's bounded buffer is full.

        Raises:
            PeerGone: the peer hung up.
        """

    @abstractmethod
    async def gone(self) -> None:
        """Wait until the peer has hung up."""


class Caller(Protocol):
    """The connection that a request came over."""

    @property
    def peer(self) -> Peer:
        """Call back over the same connection."""
        ...

    def try_notify(self, notification: Notification) -> bool:
        """Queue a notification; False, and nothing happens, when the buffer is full or closed."""
        ...

    async def notify(self, notification: Notification) -> None:
        """Queue a notification, waiting for room in the buffer. Raises PeerGone."""
        ...


class Gateway(Protocol):
    """What the daemon offers to every session, after hello."""

    def submit(self, request: Request[Any], reply: Reply, caller: Caller) -> Withdraw:
        """Start a request without blocking; ``reply`` is answered once, now or later."""
        ...

    def notice(self, notification: Notification, caller: Caller) -> None:
        """Take a notification without blocking."""
        ...

    def hung_up(self, caller: Caller) -> None:
        """The connection is gone. Its requests are withdrawn separately, before this."""
        ...
