"""Peers near and far behind one call, and what a session asks of the daemon it belongs to."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from protocol.errors import SlotdError
from protocol.messages.calls import Notification, Request

R = TypeVar("R")


class Peer(Protocol):
    """Somebody to call: in this process or across TCP; the caller cannot tell."""

    async def call(self, request: Request[R]) -> R:
        """Ask and wait for the answer. Callers bound the wait with a cancel scope.

        Raises:
            SlotdError: the peer refused; PeerGone when it died or hung up before it answered.
        """
        ...

    async def notify(self, notification: Notification) -> None:
        """Tell without an answer; waits while the peer's bounded buffer is full.

        Raises:
            PeerGone: the peer hung up.
        """
        ...


class Reply(Protocol):
    """Where the answer to one request goes; the first answer counts, later ones are dropped."""

    def succeed(self, result: Any) -> None:
        """Answer."""
        ...

    def fail(self, error: SlotdError) -> None:
        """Refuse."""
        ...


Withdraw = Callable[[], None]
"""Withdraws a request whose asker has gone; calling it after the answer does nothing."""


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
