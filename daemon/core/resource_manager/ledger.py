"""The books of the SlotManager: every change of a slot or request, with its news, in one place.

A change is booked first and said then; the rules about *when* live in the files that call this one.
Between two events no waiting request fits a slot that may be given, except in kinds that are
``fresh``: those are matched by ``serve``.
"""

from heapq import heappop, heappush

from daemon.core.deadlines import Deadlines
from daemon.core.effects import AskExecutorForSlot, TellJobAllocationFailed
from daemon.core.resource_manager.inventory import (
    KindCount,
    PendingRequest,
    Slot,
    Withdrawn,
)
from daemon.core.resource_manager.lane import Lane
from daemon.core.resource_manager.matching import Lanes
from daemon.core.resource_manager.placement import Placement
from daemon.core.resource_manager.slot_books import SlotBooks
from daemon.core.resource_manager.slot_kinds import SlotKinds
from daemon.core.resource_manager.slot_manager_values import SlotRequest
from protocol.errors import SlotdError
from protocol.ids import AllocationId, JobId
from protocol.news import (
    RequestAssigned,
    RequestCancelledNews,
    RequestFailed,
    RequestFulfilled,
    RequestRegistered,
    RequestRequeued,
)
from protocol.resources import ResourceProfile


def _fits(required: ResourceProfile, slot: ResourceProfile) -> bool:
    return slot.satisfies(required)


class Ledger(SlotBooks):
    """The books with the requests: which wait, which are asked for, and which slot serves which.

    A request is in ``waiting`` until it is assigned. ``fresh`` are the kinds of slots that are
    still to be matched by ``serve``.
    """

    def __init__(self, placement: Placement, kinds: SlotKinds) -> None:
        super().__init__(placement, kinds)
        self.requests: dict[AllocationId, PendingRequest] = {}
        self.jobs: dict[JobId, dict[AllocationId, PendingRequest]] = {}
        self.waiting: Lanes[PendingRequest] = Lanes(_fits, Lane, -1)
        self.fresh: dict[KindCount, None] = {}
        self.deadlines: Deadlines[AllocationId] = Deadlines()

    def register(self, request: SlotRequest, now: float) -> PendingRequest:
        """Note a request; ``place`` comes next."""
        allocation_id, job_id, profile = request.allocation_id, request.job_id, request.profile
        self._serial += 1
        pending = PendingRequest(request, profile, self._serial)
        self.requests[allocation_id] = pending
        of_job = self.jobs.get(job_id)
        if of_job is None:
            self.jobs[job_id] = {allocation_id: pending}
        else:
            of_job[allocation_id] = pending
        self.deadlines.set(allocation_id, request.deadline)
        self.out.append(RequestRegistered(allocation_id, job_id, profile, request.deadline - now))
        return pending

    def place(self, pending: PendingRequest) -> None:
        """Give the request the slot that the policy chooses, or let it wait."""
        if not self.fresh:
            slot = self.free.take(pending.profile)
            if slot is not None:
                self._assign(pending, slot)
                return
        else:
            # Slots wait to be matched: this request must not overtake older ones.
            for lane in self.free.fitting(pending.profile):
                self.fresh[lane.first().kind] = None
        self.waiting.add(pending)

    def serve(self, budget: int) -> None:
        """Match fresh slots, the oldest request that one of them fits first; at most ``budget``.

        What is left stays in ``fresh``.
        """
        heap: list[tuple[int, int, KindCount, PendingRequest]] = []
        for place, kind in enumerate(list(self.fresh)):
            self._look(heap, place, kind)
        while heap and budget > 0:
            _, place, kind, pending = heappop(heap)
            if pending.slot is None and kind.lane is not None and kind.lane.count:
                slot = self.free.take(pending.profile)
                assert slot is not None
                self.waiting.discard(pending)
                self._assign(pending, slot)
                budget -= 1
            self._look(heap, place, kind)

    def _look(
        self,
        heap: list[tuple[int, int, KindCount, PendingRequest]],
        place: int,
        kind: KindCount,
    ) -> None:
        """Note the oldest request that free slots of this kind could serve, if there is one."""
        if kind.lane is not None and kind.lane.count:
            pending = self.waiting.first(kind.profile)
            if pending is not None:
                heappush(heap, (pending.serial, place, kind, pending))
                return
        del self.fresh[kind]

    def _assign(self, pending: PendingRequest, slot: Slot) -> None:
        request = pending.request
        allocation_id, job_id, slot_id = request.allocation_id, request.job_id, slot.slot_id
        slot.state = pending
        pending.slot = slot
        self.use(slot)
        self.out += (
            RequestAssigned(allocation_id, job_id, slot_id),
            AskExecutorForSlot(
                slot.executor.instance_id,
                slot_id,
                job_id,
                allocation_id,
                request.profile,
                request.target_address,
            ),
        )

    def requeue(self, pending: PendingRequest, cause: str) -> None:
        """The slot that was asked for does not serve; ``place`` comes next. It is not yet freed."""
        slot = pending.slot
        assert slot is not None
        pending.slot = None
        request = pending.request
        self.out.append(RequestRequeued(request.allocation_id, request.job_id, slot.slot_id, cause))

    def cancel(self, pending: PendingRequest) -> None:
        """The job withdraws its request."""
        self._drop(pending)
        request = pending.request
        self.out.append(RequestCancelledNews(request.allocation_id, request.job_id))

    def fail(self, pending: PendingRequest, error: SlotdError) -> None:
        """Give a request up and tell its job."""
        self._drop(pending)
        request = pending.request
        self.out.append(TellJobAllocationFailed(request.job_id, request.allocation_id, error))
        self.out.append(RequestFailed(request.allocation_id, request.job_id, error.message))

    def _drop(self, pending: PendingRequest) -> None:
        if pending.slot is None:
            self.waiting.discard(pending)
        else:
            self.withdraw(pending)
        self._forget(pending.request.allocation_id, pending.request.job_id)

    def withdraw(self, pending: PendingRequest) -> None:
        """The slot that is asked for is out of use until its executor says what it did (X214)."""
        slot, request = pending.slot, pending.request
        assert slot is not None
        slot.state = Withdrawn(request.allocation_id, request.job_id, answered=False)
        self.withdrawn[request.allocation_id] = slot
        pending.slot = None

    def _forget(self, allocation_id: AllocationId, job_id: JobId) -> None:
        del self.requests[allocation_id]
        of_job = self.jobs[job_id]
        del of_job[allocation_id]
        if not of_job:
            del self.jobs[job_id]
        self.deadlines.discard(allocation_id)

    def fulfil(self, pending: PendingRequest, slot: Slot, now: float) -> None:
        """The request has this slot, which was asked for or is detached."""
        request = pending.request
        allocation_id, job_id = request.allocation_id, request.job_id
        if pending.slot is not slot:
            if pending.slot is None:
                self.waiting.discard(pending)
            else:
                self.withdraw(pending)
        pending.slot = None
        self._forget(allocation_id, job_id)
        self.out.append(RequestFulfilled(allocation_id, job_id, slot.slot_id))
        self.hold(slot, allocation_id, job_id, now)

    def free_slot(self, slot: Slot) -> None:
        """The slot is free; ``serve`` matches it (D42)."""
        self.vacate(slot)
        self.offer(slot)

    def reuse_slot(self, slot: Slot) -> None:
        """The slot is free and serves the oldest request that it fits, if there is one (D42)."""
        self.vacate(slot)
        if self.fresh or not slot.placeable:
            self.offer(slot)
            return
        pending = self.waiting.take(slot.profile)
        if pending is None:
            self.free.add(slot)
            slot.kind.lane = slot.lane
        else:
            self._assign(pending, slot)

    def offer(self, slot: Slot) -> None:
        """Let a free slot be matched by ``serve``, if it may be given."""
        if slot.placeable:
            self.free.add(slot)
            slot.kind.lane = slot.lane
            self.fresh[slot.kind] = None
