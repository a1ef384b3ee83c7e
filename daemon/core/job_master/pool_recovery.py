"""What an earlier term of the same job had granted and this one has not been offered again yet.

A holding leaves in one of three ways: it comes back, its request is released, or it is lost.
"""

import math
from collections.abc import Callable, Iterator, Mapping

import attrs

from daemon.core.deadlines import Deadlines
from daemon.core.effects import FailPayload, FailRequest, GrantRequest, SlotPoolEffect
from daemon.core.job_master.pool_executors import PoolExecutors
from daemon.core.job_master.pool_placement import Placement
from daemon.core.job_master.pool_places import PoolSlot
from daemon.core.job_master.pool_requests import PoolRequest
from protocol.errors import NoResourceAvailable, RequestCancelled, SlotdError, SlotRequestTimeout
from protocol.ids import AllocationId, RequestId
from protocol.messages.values import Locality


@attrs.frozen
class Holding:
    """A slot that served a request in an earlier term of this job's leadership."""

    request_id: RequestId
    allocation_id: AllocationId


@attrs.define(eq=False)
class AwaitedSlot:
    """A holding that may still come back; ``asker`` asked for the same request in this term."""

    holding: Holding
    asker: PoolRequest | None = None


class Recovery:
    """Holdings on their way back, until ``deadline``."""

    def __init__(
        self,
        holdings: Mapping[RequestId, Holding],
        since: float,
        timeout_s: float,
        placement: Placement,
        executors: PoolExecutors,
    ) -> None:
        self.since = since
        self.deadline = since + timeout_s
        self._placement = placement
        self._executors = executors
        self._by_request = {
            holding.request_id: AwaitedSlot(holding) for holding in holdings.values()
        }
        self._by_allocation = {
            awaited.holding.allocation_id: awaited for awaited in self._by_request.values()
        }
        self._askers: Deadlines[RequestId] = Deadlines()

    def ask(self, awaited: AwaitedSlot, request: PoolRequest) -> list[SlotPoolEffect]:
        """A request of an earlier term is asked again: it must not get a second slot.

        It waits for its slot, at most until the first asker's deadline.
        """
        if not request.queued:
            why = "the slot that the request had was not offered again yet"
            return [FailRequest(request.request_id, NoResourceAvailable(why))]
        if awaited.asker is None:
            awaited.asker = request
            self._askers.set(request.request_id, request.deadline)
        return []

    def restore(self, awaited: AwaitedSlot, slot: PoolSlot, now: float) -> list[SlotPoolEffect]:
        """Give a slot back to the request that it served; who asked in this term hears of it."""
        self._take(awaited)
        request_id = awaited.holding.request_id
        grant = self._executors.slots.serve(slot, request_id, Locality.UNKNOWN, now)
        return [GrantRequest(request_id, grant)] if awaited.asker is not None else []

    def release(self, awaited: AwaitedSlot, cause: str) -> list[SlotPoolEffect]:
        """Nobody wants the slot any more: refused when it is offered, its executor frees it."""
        self._give_up(awaited)
        if awaited.asker is None:
            return []
        return [FailRequest(awaited.holding.request_id, RequestCancelled(cause))]

    def lose(self, awaited: AwaitedSlot, cause: str, now: float) -> list[SlotPoolEffect]:
        """The slot does not come back; who asked in this term asks for another one."""
        self._give_up(awaited)
        holding, asker = awaited.holding, awaited.asker
        lost = FailPayload(holding.request_id, holding.allocation_id, cause)
        return [lost, *(self._placement.serve_or_queue(asker, now) if asker is not None else [])]

    @property
    def next_deadline(self) -> float:
        """When ``expire`` has something to do; ``math.inf`` when never."""
        return min(self._askers.next, self.deadline) if self._by_request else math.inf

    def expire(self, now: float) -> list[SlotPoolEffect]:
        """Lose what was not offered again in time."""
        effects: list[SlotPoolEffect] = []
        for request_id in self._askers.pop_due(now):
            # Its asker is told that it has nothing: nobody would release a slot that came later.
            awaited = self._by_request[request_id]
            awaited.asker = None
            why = "the slot that the request had was not offered again in time"
            effects += self.lose(awaited, why, now)
            effects.append(FailRequest(request_id, SlotRequestTimeout(why)))
        if self.deadline <= now:
            for awaited in self:
                effects += self.lose(awaited, "its executor did not offer it again", now)
        return effects

    def end(self, error: Callable[[], SlotdError]) -> list[SlotPoolEffect]:
        """Answer who asked, and await nothing more."""
        effects: list[SlotPoolEffect] = []
        for awaited in self:
            self._take(awaited)
            if awaited.asker is not None:
                effects.append(FailRequest(awaited.holding.request_id, error()))
        return effects

    def get(self, request_id: RequestId) -> AwaitedSlot | None:
        """The holding of this request."""
        return self._by_request.get(request_id)

    def awaited_as(self, allocation_id: AllocationId) -> AwaitedSlot | None:
        """The holding under this allocation."""
        return self._by_allocation.get(allocation_id)

    def check_invariants(self) -> None:
        """Assert that both indexes and the deadlines agree."""
        assert len(self._by_request) == len(self._by_allocation), "two await one allocation"
        for awaited in self:
            deadline = awaited.asker.deadline if awaited.asker is not None else None
            assert self._askers.get(awaited.holding.request_id) == deadline, (
                f"{awaited}: {deadline}"
            )

    def _give_up(self, awaited: AwaitedSlot) -> None:
        self._take(awaited)
        self._executors.refuse(awaited.holding.allocation_id)

    def _take(self, awaited: AwaitedSlot) -> None:
        del self._by_request[awaited.holding.request_id]
        del self._by_allocation[awaited.holding.allocation_id]
        self._askers.discard(awaited.holding.request_id)

    def __iter__(self) -> Iterator[AwaitedSlot]:
        return iter(list(self._by_request.values()))

    def __len__(self) -> int:
        return len(self._by_request)
