"""The books about slots and executors: what exists, what state it is in, and who holds what.

Every change is booked and counted here, and said in the same call. Nothing is decided here.
"""

from daemon.core.effects import SlotManagerEffect, TellJobAllocationFailed
from daemon.core.resource_manager.inventory import (
    FREE,
    Allocated,
    Executor,
    PendingRequest,
    Slot,
    Withdrawn,
)
from daemon.core.resource_manager.matching import Lanes
from daemon.core.resource_manager.placement import Placement
from daemon.core.resource_manager.slot_kinds import SlotKinds
from protocol.errors import SlotAllocationFailed
from protocol.ids import AllocationId, InstanceId, JobId, ResourceId, SlotId
from protocol.news import SlotAllocated, SlotFreed, SlotRegistered, SlotRemoved
from protocol.resources import ResourceProfile


def _fits(slot: ResourceProfile, required: ResourceProfile) -> bool:
    return slot.satisfies(required)


class SlotBooks:
    """Slots and executors by their ids; ``out`` collects what must now be done.

    ``holders`` maps an allocation to the one slot that it has (A19), ``withdrawn`` to the slot that
    an executor may still have granted to it; ``free`` holds the slots that may be given;
    ``vacated`` are the executors whose last busy slot became free in this event.
    """

    def __init__(self, placement: Placement, kinds: SlotKinds) -> None:
        self.executors: dict[InstanceId, Executor] = {}
        self.by_name: dict[ResourceId, Executor] = {}
        self.slots: dict[SlotId, Slot] = {}
        self.holders: dict[AllocationId, Slot] = {}
        self.withdrawn: dict[AllocationId, Slot] = {}
        ranks = placement.ranks() if placement.ranks is not None else None
        self.free: Lanes[Slot] = Lanes(_fits, placement.lane, 1, ranks)
        self.vacated: dict[InstanceId, Executor] = {}
        self.kinds = kinds
        self.out: list[SlotManagerEffect] = []
        self._restate = placement.restate
        self._serial = 0

    @property
    def free_slots(self) -> int:
        """How many slots are free, whether they may be given or not."""
        return sum(kind.free for kind in self.kinds)

    def next_serial(self) -> int:
        """A number that is higher than every one before."""
        self._serial += 1
        return self._serial

    def add_slot(self, executor: Executor, slot_id: SlotId, profile: ResourceProfile) -> Slot:
        """A new slot, free and without news: ``announce`` or ``announce_held`` comes next."""
        kind = self.kinds.add(profile, closed=executor.is_closed)
        slot = Slot(slot_id, profile, executor, kind, self.next_serial())
        self.slots[slot_id] = executor.slots[slot_id] = slot
        executor.kinds[profile] = executor.kinds.get(profile, 0) + 1
        kind.free += 1
        self._utilisation_changed(executor)
        return slot

    def announce(self, slot: Slot) -> None:
        """A new slot is free."""
        self.out.append(SlotRegistered(slot.slot_id, slot.profile))

    def announce_held(
        self, slot: Slot, allocation_id: AllocationId, job_id: JobId | None, now: float
    ) -> None:
        """A new slot belongs to an allocation already (A09)."""
        self.use(slot)
        slot.state = Allocated(allocation_id, job_id, now)
        self.holders[allocation_id] = slot
        self.out.append(SlotRegistered(slot.slot_id, slot.profile, allocation_id, job_id))

    def remove_slot(self, slot: Slot) -> None:
        """A slot is no more. A request that waited for it must have been requeued before."""
        allocation_id = self.detach(slot)
        executor = slot.executor
        del self.slots[slot.slot_id]
        del executor.slots[slot.slot_id]
        executor.kinds[slot.profile] -= 1
        if not executor.kinds[slot.profile]:
            del executor.kinds[slot.profile]
        slot.kind.free -= 1
        self.kinds.remove(slot.kind, closed=executor.is_closed)
        self._utilisation_changed(executor)
        self.out.append(SlotRemoved(slot.slot_id, allocation_id))

    def hold(
        self, slot: Slot, allocation_id: AllocationId, job_id: JobId | None, now: float
    ) -> None:
        """The slot, detached or being asked for, belongs to the allocation."""
        if slot.state is FREE:
            self.use(slot)
        slot.state = Allocated(allocation_id, job_id, now)
        self.holders[allocation_id] = slot
        self.out.append(SlotAllocated(slot.slot_id, allocation_id, job_id))

    def close(self, executor: Executor) -> None:
        """The executor gets no more work; the caller says why."""
        for slot in executor.slots.values():
            self.kinds.close(slot.kind)
            self.free.discard(slot)

    def vacate(self, slot: Slot) -> None:
        """The slot is free, and nobody is offered it yet."""
        allocation_id = self.detach(slot)
        assert allocation_id is not None
        self.out.append(SlotFreed(slot.slot_id, allocation_id))

    def detach(self, slot: Slot) -> AllocationId | None:
        """Make a slot free without news; what held it. The caller says at once what it is now."""
        state = slot.state
        if state is FREE:
            self.free.discard(slot)
            return None
        if isinstance(state, Allocated):
            allocation_id = state.allocation_id
            del self.holders[allocation_id]
        elif isinstance(state, PendingRequest):
            allocation_id = state.request.allocation_id
        else:
            assert isinstance(state, Withdrawn)
            allocation_id = state.allocation_id
            del self.withdrawn[allocation_id]
        slot.state = FREE
        slot.kind.free += 1
        executor = slot.executor
        executor.used -= 1
        if not executor.used:
            self.vacated[executor.instance_id] = executor
        if self._restate is not None:
            self._utilisation_changed(executor)
        return allocation_id

    def use(self, slot: Slot) -> None:
        """A free slot is not free any more; the caller says what it is."""
        slot.kind.free -= 1
        executor = slot.executor
        executor.used += 1
        executor.idle_since = None
        if self._restate is not None:
            self._utilisation_changed(executor)

    def _utilisation_changed(self, executor: Executor) -> None:
        if self._restate is not None:
            executor.version += 1
            self._restate(self.free, executor)

    def tell_lost(self, allocation_id: AllocationId, job_id: JobId | None, cause: str) -> None:
        """Tell a job that an allocation is gone (D32, X402)."""
        if job_id is not None:
            error = SlotAllocationFailed(f"the slot of {allocation_id} is gone: {cause}")
            self.out.append(TellJobAllocationFailed(job_id, allocation_id, error))
