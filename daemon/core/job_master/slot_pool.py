"""The JobMaster's core: the job's slots, its requests, and which slot serves which request.

Every method books first and returns what must be done then (X010). No slot of the pool is available
while a request waits that it satisfies.
"""

from collections.abc import Callable, Mapping

import attrs

from daemon.core.effects import (
    FailRequest,
    GrantRequest,
    SlotPoolEffect,
)
from daemon.core.job_master.pool_executors import PoolExecutors
from daemon.core.job_master.pool_invariants import check_pool
from daemon.core.job_master.pool_placement import Placement
from daemon.core.job_master.pool_queue import RequestQueue
from daemon.core.job_master.pool_recovery import Holding, Recovery
from daemon.core.job_master.pool_requests import PoolRequest
from daemon.core.job_master.pool_slots import PoolSlots
from daemon.core.job_master.pool_views import PoolExplanation, count, explain, request_of
from protocol.errors import (
    NotLeader,
    RequestCancelled,
    SlotdError,
    UnknownTaskExecutor,
)
from protocol.ids import AllocationId, JobId, RequestId, ResourceId
from protocol.messages.values import GrantedSlot, HeldSlot, SlotOffer
from protocol.news import PoolCounts

__all__ = ["Holding", "PoolExplanation", "PoolRequest", "SlotPool", "SlotPoolSettings"]


@attrs.frozen
class SlotPoolSettings:
    """Durations in seconds."""

    slot_idle_timeout_s: float = 50.0
    recovery_timeout_s: float = 10.0


class SlotPool:
    """Lives for one term of one JobMaster.

    ``holdings`` are what the term before had granted: an offer with such an allocation goes back to
    its request, so that a change of leader neither loses a slot nor grants it twice. What is not
    offered again within ``recovery_timeout_s`` is lost (FailPayload).
    ``new_allocation_id`` makes a fresh id: randomness is an argument.
    """

    def __init__(
        self,
        job_id: JobId,
        settings: SlotPoolSettings,
        new_allocation_id: Callable[[], AllocationId],
        now: float,
        holdings: Mapping[RequestId, Holding] | None = None,
    ) -> None:
        self.job_id = job_id
        self._queue = RequestQueue(new_allocation_id)
        self._executors = PoolExecutors(settings.slot_idle_timeout_s)
        self._placement = Placement(self._queue, self._executors)
        self._recovery = Recovery(
            holdings or {}, now, settings.recovery_timeout_s, self._placement, self._executors
        )
        self._ended: Callable[[], SlotdError] | None = None

    # requests

    def allocate(self, request: PoolRequest, now: float) -> list[SlotPoolEffect]:
        """Serve from the pool, else queue and ask the ResourceManager, or refuse (C01-C03, F41).

        The same request id again: a granted one is granted again with the same slot; a pending one
        keeps waiting (the effects are empty, both askers are answered by its one outcome). One of
        an earlier term waits until its slot is offered again, and asks anew when it is lost.
        """
        request_id = request.request_id
        if self._ended is not None:
            return [FailRequest(request_id, self._ended())]
        slot = self._slots.serving(request_id)
        if slot is not None and slot.grant is not None:
            return [GrantRequest(request_id, slot.grant)]
        if self._queue.get(request_id) is not None:
            return []
        awaited = self._recovery.get(request_id)
        if awaited is not None:
            return self._recovery.ask(awaited, request)
        return self._placement.serve_or_queue(request, now)

    def release(
        self, request_id: RequestId, cause: str, now: float
    ) -> tuple[bool, list[SlotPoolEffect]]:
        """Withdraw a pending request, or give its slot back; False if unknown (C33, C34, F42).

        The slot serves the oldest request that it satisfies, or is kept (C02, C03). One that is
        still awaited from an earlier term is refused when it is offered, so that its executor ends
        what runs in it.
        """
        slot = self._slots.release(request_id, now)
        if slot is not None:
            return True, self._placement.place(slot, now)
        pending = self._queue.get(request_id)
        if pending is not None:
            return True, self._queue.fail(pending, RequestCancelled(cause))
        awaited = self._recovery.get(request_id)
        if awaited is None:
            return False, []
        return True, self._recovery.release(awaited, cause)

    # the ResourceManager

    def connect_resource_manager(self, now: float) -> list[SlotPoolEffect]:
        """Registered at a ResourceManager: ask it for all that is unfulfilled (C15, C42, X101)."""
        return self._queue.connect(now) if self._ended is None else []

    def disconnect_resource_manager(self, now: float) -> list[SlotPoolEffect]:
        """The ResourceManager is gone: every request waits for the next one (C45, X014)."""
        self._queue.disconnect()
        return []

    def request_refused(
        self, allocation_id: AllocationId, error: SlotdError, now: float
    ) -> list[SlotPoolEffect]:
        """AskResourceManager failed: the request fails with NoResourceAvailable (C12, C32, X005).

        The cause is inside. PeerGone, NotLeader and LeaderIdMismatch fail nothing: the request
        waits for the next ResourceManager (X101).
        """
        return self._queue.refused(allocation_id, error)

    # executors

    def register_executor(self, resource_id: ResourceId, host: str) -> None:
        """Take offers from this executor from now on; idempotent (C04, C44)."""
        if self._ended is None:
            self._executors.register(resource_id, host)

    def lose_executor(
        self, resource_id: ResourceId, cause: str, now: float
    ) -> list[SlotPoolEffect]:
        """An executor is gone with its slots; pending requests stay (C08, C09, C44)."""
        return self._executors.lose(resource_id, cause)

    def offer(
        self, resource_id: ResourceId, offers: list[SlotOffer], now: float
    ) -> tuple[list[AllocationId], list[SlotPoolEffect]]:
        """Accept or refuse offers one by one (C04-C07, C10, C36, F44).

        Raises:
            UnknownTaskExecutor: the executor is not registered here (C46).

        """
        if resource_id not in self._executors.hosts:
            raise UnknownTaskExecutor(
                f"task executor {resource_id} is not registered at job {self.job_id}",
                resource_id=resource_id,
            )
        accepted: dict[AllocationId, None] = {}
        effects: list[SlotPoolEffect] = []
        for offer in offers:
            held = self._slots.get(offer.allocation_id)
            if held is None and not self._executors.refuses(offer.allocation_id):
                effects += self._accept(resource_id, offer, now)
                accepted[offer.allocation_id] = None
            elif held is not None and held.is_at(resource_id, offer.slot_number):
                accepted[offer.allocation_id] = None
        return list(accepted), effects

    def fail_allocation(
        self, allocation_id: AllocationId, error: SlotdError, now: float
    ) -> list[SlotPoolEffect]:
        """An allocation is lost: pending, held, or awaited from an earlier term (C11, C40, H18).

        A held slot is freed at its executor (X015), which is dropped with its last slot.
        """
        pending = self._queue.asked_as(allocation_id)
        if pending is not None:
            return self._queue.fail(pending, error)
        slot = self._slots.get(allocation_id)
        if slot is not None:
            return self._executors.free(slot, error.message)
        awaited = self._recovery.awaited_as(allocation_id)
        return self._recovery.lose(awaited, error.message, now) if awaited is not None else []

    # the end

    def suspend(self, cause: str) -> list[SlotPoolEffect]:
        """Leadership is lost: fail all pending requests, cancel them, free no slot (C17, X004).

        The slots will be offered to the next leader, who needs ``holdings()`` of before this call.
        Every executor is dropped, so that it registers anew there (X017). Idempotent (X102).
        """
        why = f"the job's leader was suspended: {cause}"
        return self._end(lambda: NotLeader(why), cause)

    def close(self, cause: str) -> list[SlotPoolEffect]:
        """The job ends: fail all pending requests and free every slot (C37). Idempotent."""
        freed = self._executors.free_all(cause)
        return freed + self._end(lambda: RequestCancelled(f"the job ended: {cause}"), cause)

    # time and views

    @property
    def next_deadline(self) -> float:
        """When ``expire`` has something to do; ``math.inf`` when never."""
        return min(
            self._queue.next_deadline, self._executors.next_idle, self._recovery.next_deadline
        )

    def expire(self, now: float) -> list[SlotPoolEffect]:
        """Do what is due: request deadlines, idle slots, holdings that did not come back."""
        return [
            *self._queue.expire(now),
            *self._recovery.expire(now),
            *self._executors.free_idle(now),
        ]

    def holdings(self) -> dict[RequestId, Holding]:
        """What is granted now, for the next term; take it before ``suspend``."""
        awaited = {awaited.holding.request_id: awaited.holding for awaited in self._recovery}
        return awaited | {
            grant.request_id: Holding(grant.request_id, grant.allocation_id)
            for grant in self._slots.granted
        }

    def slot_of(self, request_id: RequestId) -> tuple[ResourceId, AllocationId] | None:
        """Where the request's slot is, if it has one that is here (not awaiting recovery)."""
        slot = self._slots.serving(request_id)
        return (slot.resource_id, slot.allocation_id) if slot is not None else None

    def grant_of(self, request_id: RequestId) -> GrantedSlot | None:
        """What the request was granted, if its slot is here (not awaiting recovery)."""
        slot = self._slots.serving(request_id)
        return slot.grant if slot is not None else None

    def awaits(self, request_id: RequestId) -> bool:
        """Whether the request's slot of an earlier term may still come back (E17)."""
        return self._recovery.get(request_id) is not None

    def held_at(self, resource_id: ResourceId) -> list[HeldSlot]:
        """What the pool believes it holds at an executor, by slot number (C41, H14)."""
        slots = sorted(self._slots.at(resource_id), key=lambda slot: slot.slot_number)
        return [HeldSlot(slot.allocation_id, slot.slot_number) for slot in slots]

    def explain(self, request_id: RequestId) -> PoolExplanation | None:
        """Where a request is; None if there is none."""
        return explain(request_id, self._slots, self._queue, self._recovery)

    def request_of(self, allocation_id: AllocationId) -> RequestId | None:
        """The request that has this allocation, or asked for it; None if there is none."""
        return request_of(allocation_id, self._slots, self._queue, self._recovery)

    def counts(self) -> PoolCounts:
        """How much there is of everything."""
        return count(self._slots, self._queue)

    def check_invariants(self) -> None:
        """Assert section 5.2 of the catalogue; for tests and the simulator."""
        self._queue.check_invariants()
        self._executors.check_invariants()
        self._recovery.check_invariants()
        check_pool(self._slots, self._queue, self._recovery)

    # what the methods above share

    @property
    def _slots(self) -> PoolSlots:
        return self._executors.slots

    def _accept(
        self, resource_id: ResourceId, offer: SlotOffer, now: float
    ) -> list[SlotPoolEffect]:
        effects, slot = self._executors.add(resource_id, offer, now)
        awaited = self._recovery.awaited_as(offer.allocation_id)
        if awaited is not None:
            return effects + self._recovery.restore(awaited, slot, now)
        effects += self._placement.place(slot, now)
        return effects + self._queue.ask_anew(offer.allocation_id, now)

    def _end(self, error: Callable[[], SlotdError], cause: str) -> list[SlotPoolEffect]:
        effects = [*self._queue.fail_all(error), *self._recovery.end(error)]
        self._queue.disconnect()
        self._ended = self._ended or error
        return effects + self._executors.drop_all(cause)
