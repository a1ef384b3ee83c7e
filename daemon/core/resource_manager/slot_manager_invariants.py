"""Section 5.2 of the catalogue for the SlotManager, as assertions; for tests and the simulator."""

from daemon.core.resource_manager.inventory import FREE, Allocated, PendingRequest, Withdrawn
from daemon.core.resource_manager.ledger import Ledger


def check_slot_manager(ledger: Ledger) -> None:
    """Assert that the books agree with each other and that nothing waits that could be served."""
    _check_slots(ledger)
    _check_requests(ledger)
    _check_counts(ledger)
    _check_matching(ledger)


def _check_slots(ledger: Ledger) -> None:
    for slot_id, slot in ledger.slots.items():
        executor = slot.executor
        assert ledger.executors[executor.instance_id] is executor
        assert executor.slots[slot_id] is slot
        assert (slot in ledger.free) == slot.placeable
        match slot.state:
            case Allocated(allocation_id=allocation_id):
                assert ledger.holders[allocation_id] is slot
                assert allocation_id not in ledger.requests
            case PendingRequest() as pending:
                assert pending.slot is slot
                assert ledger.requests[pending.request.allocation_id] is pending
            case Withdrawn(allocation_id=allocation_id):
                assert ledger.withdrawn[allocation_id] is slot
            case _:
                assert slot.state is FREE
    for allocation_id, slot in ledger.holders.items():
        assert ledger.slots[slot.slot_id] is slot
        assert isinstance(slot.state, Allocated)
        assert slot.state.allocation_id == allocation_id
    for allocation_id, slot in ledger.withdrawn.items():
        assert ledger.slots[slot.slot_id] is slot
        assert isinstance(slot.state, Withdrawn)
        assert slot.state.allocation_id == allocation_id


def _check_requests(ledger: Ledger) -> None:
    for pending in ledger.requests.values():
        assert (pending in ledger.waiting) == (pending.slot is None)
    assert len(ledger.waiting) == sum(each.slot is None for each in ledger.requests.values())
    assert set(ledger.requests) == {key for job in ledger.jobs.values() for key in job}
    assert all(ledger.jobs.values())
    for allocation_id, pending in ledger.requests.items():
        assert allocation_id in ledger.deadlines
        if pending.slot is not None:
            assert pending.slot.state is pending
    assert len(ledger.deadlines) == len(ledger.requests)


def _check_counts(ledger: Ledger) -> None:
    assert set(ledger.by_name.values()) == set(ledger.executors.values())
    assert sum(len(executor.slots) for executor in ledger.executors.values()) == len(ledger.slots)
    for executor in ledger.executors.values():
        busy = [slot for slot in executor.slots.values() if slot.state is not FREE]
        assert executor.used == len(busy)
        assert not (busy and executor.idle_since is not None)
        assert sum(executor.kinds.values()) == len(executor.slots)
    assert ledger.free_slots == sum(slot.state is FREE for slot in ledger.slots.values())
    kinds = {kind.profile: kind for kind in ledger.kinds}
    assert set(kinds) == {slot.profile for slot in ledger.slots.values()}
    for profile, kind in kinds.items():
        slots = [slot for slot in ledger.slots.values() if slot.profile == profile]
        assert kind.slots == len(slots)
        assert kind.free == sum(slot.state is FREE for slot in slots)
        assert kind.closed == sum(slot.executor.is_closed for slot in slots)
        assert all(slot.kind is kind for slot in slots)


def _check_matching(ledger: Ledger) -> None:
    if ledger.fresh:
        return
    for lane in ledger.waiting.filled():
        assert ledger.free.first(lane.profile) is None, f"{lane.profile} waits beside a free slot"
        assert not any(free.profile.satisfies(lane.profile) for free in ledger.free.filled())
