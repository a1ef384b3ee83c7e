"""One role, one mailbox: what arrives is handled one at a time, by the role's own task.

A mailbox belongs to one term. Fences are checked here and nowhere else, before a request gets in.
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeVar

import attrs
import trio

from daemon.wire.peers import Caller, Peer, PendingCall, Reply, Withdraw
from protocol.errors import LeaderIdMismatch, Overloaded, PeerGone, SlotdError
from protocol.ids import Fence
from protocol.messages.calls import FencedRequest, Notification, Request

R = TypeVar("R")

_BATCH = 256
"""Items handled between two checks of the deadline."""


@attrs.define(eq=False)
class Envelope:
    """A request, where its answer goes, and whom it came from."""

    request: Request[Any]
    reply: Reply
    caller: Caller
    withdrawn: bool = False


Thunk = Callable[[float], None]
"""What an asynchronous instruction left to do, given the time; never refused."""


class Role(Protocol):
    """What a mailbox serves. All three run in the mailbox's task and never wait."""

    @property
    def next_deadline(self) -> float:
        """When ``expire`` has something to do."""
        ...

    def handle(self, envelope: Envelope, now: float) -> None:
        """Take one request; raise a SlotdError to refuse it."""
        ...

    def withdraw(self, envelope: Envelope, now: float) -> None:
        """The asker of a request that was handled is gone; it may have been answered."""
        ...

    def expire(self, now: float) -> None:
        """Do what is due; called after every batch."""
        ...


class _OpenReply:
    """A reply that its mailbox answers at the end of the term, if nobody did before."""

    __slots__ = ("_open", "_reply")

    def __init__(self, reply: Reply, open_replies: "set[_OpenReply]") -> None:
        self._reply = reply
        self._open = open_replies
        open_replies.add(self)

    def succeed(self, result: Any) -> None:
        if self in self._open:
            self._open.remove(self)
            self._reply.succeed(result)

    def fail(self, error: SlotdError) -> None:
        if self in self._open:
            self._open.remove(self)
            self._reply.fail(error)


class Mailbox:
    """A bounded queue of requests, served in order. Full: Overloaded. Closed: the closing error.

    Whatever came in is answered once: by the role, or with the closing error.
    """

    def __init__(self, fence: Fence | None = None, capacity: int = 20_000) -> None:
        self._fence = fence
        self._capacity = capacity
        self._items: deque[Envelope | Thunk] = deque()
        self._arrival = trio.Event()
        self._closed: SlotdError | None = None
        self._open: set[_OpenReply] = set()

    def submit(self, request: Request[Any], reply: Reply, caller: Caller) -> Withdraw:
        """Queue a request, or refuse it at once; the return value withdraws it."""
        envelope = Envelope(request, _OpenReply(reply, self._open), caller)
        self._post(envelope)
        return partial(self._withdraw, envelope)

    def _withdraw(self, envelope: Envelope) -> None:
        envelope.withdrawn = True
        self.put(envelope)

    def _post(self, envelope: Envelope) -> None:
        request = envelope.request
        if self._closed is not None:
            envelope.reply.fail(self._closed)
        elif (
            self._fence is not None
            and isinstance(request, FencedRequest)
            and request.leader_id != self._fence.leader_id
        ):
            envelope.reply.fail(
                LeaderIdMismatch(
                    f"{request.METHOD}: leader_id {request.leader_id} is not the current one",
                    leader_id=self._fence.leader_id,
                )
            )
        elif len(self._items) >= self._capacity:
            envelope.reply.fail(Overloaded(f"{request.METHOD}: too many requests wait here"))
        else:
            self.put(envelope)

    def put(self, item: Envelope | Thunk) -> None:
        """Queue without a bound: what the role itself left to do; nothing once closed."""
        if self._closed is None:
            self._items.append(item)
            self._arrival.set()

    @property
    def is_closed(self) -> bool:
        """Whether its term is over."""
        return self._closed is not None

    async def serve(self, role: Role) -> None:
        """Handle what arrives, and what falls due, until cancelled."""
        while True:
            with trio.move_on_at(role.next_deadline):
                await self._arrival.wait()
            now = trio.current_time()
            for _ in range(min(_BATCH, len(self._items))):
                _handle(role, self._items.popleft(), now)
            role.expire(now)
            if not self._items:
                self._arrival = trio.Event()

    def close(self, error: SlotdError) -> None:
        """Refuse what was not answered yet and what will come."""
        self._closed = error
        self._items.clear()
        for reply in list(self._open):
            reply.fail(error)


def _handle(role: Role, item: Envelope | Thunk, now: float) -> None:
    if not isinstance(item, Envelope):
        item(now)
        return
    if item.withdrawn:
        # It stands in the queue twice when it was withdrawn before it was handled: the first time
        # around there is nothing to undo, and undoing twice does no harm.
        role.withdraw(item, now)
        return
    try:
        role.handle(item, now)
    except SlotdError as refusal:
        item.reply.fail(refusal)
    except BaseException:
        item.reply.fail(PeerGone(f"{item.request.METHOD}: the role crashed on it"))
        raise


class Submit(Protocol):
    """The way in: what a Gateway's ``submit`` does."""

    def __call__(self, request: Request[Any], reply: Reply, caller: Caller) -> Withdraw:
        """Start a request without blocking."""
        ...


class NearPeer(Peer):
    """A role of this process, called on behalf of ``caller``."""

    def __init__(
        self,
        submit: Submit,
        caller: Caller,
        deliver: Callable[[Notification], Any] | None = None,
    ) -> None:
        self._submit = submit
        self._caller = caller
        self._deliver = deliver

    def start(self, request: Request[R]) -> PendingCall[R]:
        """Queue the request now."""
        call: PendingCall[R] = PendingCall()
        call.withdraw = self._submit(request, call, self._caller)
        return call

    async def notify(self, notification: Notification) -> None:
        """Deliver, waiting for whoever reads it in the end."""
        if self._deliver is not None:
            await self._deliver(notification)

    async def gone(self) -> None:
        """Never: whoever calls it is gone at the same moment."""
        await trio.sleep_forever()
