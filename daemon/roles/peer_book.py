"""Whom an address means: a role of this process, or whoever is at the end of the connection."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import attrs

from daemon.roles.mailbox import NearPeer, Submit
from daemon.roles.services import Services
from daemon.wire.peers import Caller, Peer, PendingCall
from protocol.errors import InvalidParams, PeerGone
from protocol.messages.calls import Notification, Request

R = TypeVar("R")

CONNECTION = "connection"
"""As an address: call back over the connection of the registration."""


class NobodyThere(Peer):
    """Where a role that is never called back is reached: nowhere."""

    def start(self, request: Request[R]) -> PendingCall[R]:
        """Fail at once."""
        call: PendingCall[R] = PendingCall()
        call.fail(PeerGone(f"{request.METHOD}: nobody is there"))
        return call

    async def notify(self, notification: Notification) -> None:
        """Fail at once."""
        raise PeerGone(f"{notification.METHOD}: nobody is there")

    async def gone(self) -> None:
        """It is."""


@attrs.define(eq=False)
class NearCaller:
    """A role of this process as others see it: ``peer`` reaches it."""

    name: str
    peer: Peer = attrs.field(factory=NobodyThere)

    def try_notify(self, notification: Notification) -> bool:
        """Roles are not notified: they are called."""
        raise TypeError(f"{self.name} takes no {notification.METHOD}")

    async def notify(self, notification: Notification) -> None:
        """Roles are not notified: they are called."""
        raise TypeError(f"{self.name} takes no {notification.METHOD}")


@attrs.frozen(eq=False)
class PeerBook:
    """``submit`` and ``deliver`` lead to the roles of this process by what a message names."""

    services: Services
    submit: Submit
    deliver: Callable[[Notification], Awaitable[None]]
    hung_up: Callable[[Caller], None]

    def near(self, caller: Caller) -> Peer:
        """The roles of this process, called on behalf of ``caller``."""
        return NearPeer(self.submit, caller, self.deliver)

    def is_near(self, address: str) -> bool:
        """Whether the address is this daemon's own."""
        return address == self.services.address

    def call_back(self, address: str, caller: Caller) -> Peer:
        """Whom a role that registered with ``address`` wants to be called at.

        Raises:
            InvalidParams: it is neither this connection nor this daemon.
        """
        if address == CONNECTION or self.is_near(address):
            return caller.peer
        raise InvalidParams(
            f"params.address: {address!r} cannot be called back",
            path="params.address",
            expected=f"{CONNECTION!r}",
        )
