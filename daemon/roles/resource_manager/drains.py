"""Who waits for which executor to be empty, and until when."""

import attrs

from daemon.core.deadlines import Deadlines
from daemon.core.resource_manager.slot_manager import SlotManager
from daemon.wire.peers import Reply
from protocol.ids import ResourceId
from protocol.messages.calls import EMPTY
from protocol.messages.client import DrainExecutor


@attrs.define(eq=False)
class Drains:
    """Answered when the last slot is free; after ``timeout`` what is left is freed by force."""

    _manager: SlotManager
    _deadlines: Deadlines[ResourceId] = attrs.field(factory=Deadlines[ResourceId])
    _waiting: dict[Reply, ResourceId] = attrs.field(factory=dict[Reply, ResourceId])

    def enter(self, reply: Reply, request: DrainExecutor, now: float) -> None:
        """Wait; a later timeout replaces an earlier one."""
        self._waiting[reply] = request.resource_id
        if request.timeout is not None:
            self._deadlines.set(request.resource_id, now + request.timeout)

    def leave(self, reply: Reply) -> None:
        """The asker is gone; the executor goes on draining."""
        self._waiting.pop(reply, None)

    @property
    def next_deadline(self) -> float:
        """When patience with the next executor ends."""
        return self._deadlines.next

    def expire(self, now: float) -> list[ResourceId]:
        """The executors whose time is over."""
        return self._deadlines.pop_due(now)

    def answer(self) -> None:
        """Answer those whose executor is empty, or gone."""
        for reply, resource_id in list(self._waiting.items()):
            if self._manager.is_drained(resource_id):
                del self._waiting[reply]
                self._deadlines.discard(resource_id)
                reply.succeed(EMPTY)
