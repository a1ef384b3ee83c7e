"""What an executor says about its slots is the truth (A22): here the books are made to agree."""

from collections.abc import Mapping

from daemon.core.effects import FreeSlotAtInstance
from daemon.core.resource_manager.inventory import (
    Allocated,
    Executor,
    PendingRequest,
    Slot,
    Withdrawn,
)
from daemon.core.resource_manager.ledger import Ledger
from protocol.errors import InvalidParams
from protocol.ids import AllocationId, JobId, SlotId, executor_of
from protocol.messages.values import SlotStatus

NOT_WANTED = "the request was withdrawn"


def check_report(ledger: Ledger, executor: Executor, report: list[SlotStatus]) -> None:
    """Refuse a report that cannot be true, before anything changes.

    Raises:
        InvalidParams: a slot or an allocation twice, a slot of another executor, or an allocation
            that belongs to another job.

    """
    slots: set[SlotId] = set()
    allocations: set[AllocationId] = set()
    for status in report:
        if executor_of(status.slot_id) != executor.registration.resource_id:
            raise _invalid(f"slot {status.slot_id} is of another executor", "own slots")
        if status.slot_id in slots:
            raise _invalid(f"slot {status.slot_id} is in the report twice", "each slot once")
        slots.add(status.slot_id)
        if status.allocation_id is None:
            continue
        if status.allocation_id in allocations:
            problem = f"allocation {status.allocation_id} is in the report twice"
            raise _invalid(problem, "each allocation once")
        allocations.add(status.allocation_id)
        owner = owner_of(ledger, status.allocation_id)
        if owner is not None and status.job_id not in (None, owner):
            problem = f"allocation {status.allocation_id} belongs to job {owner}"
            raise _invalid(problem, "the job that asked for it")


def _invalid(problem: str, expected: str) -> InvalidParams:
    return InvalidParams(problem, path="params.slot_report", expected=expected)


def owner_of(ledger: Ledger, allocation_id: AllocationId) -> JobId | None:
    """The job of an allocation, if it is known."""
    pending = ledger.requests.get(allocation_id)
    if pending is not None:
        return pending.request.job_id
    slot = ledger.holders.get(allocation_id)
    state = slot.state if slot is not None else None
    return state.job_id if isinstance(state, Allocated) else None


def apply_report(
    ledger: Ledger,
    executor: Executor,
    report: list[SlotStatus],
    now: float,
    asked_at: float | None,
) -> bool:
    """Add, remove, free and allocate slots as the (checked) report says (D14 to D17, A09 to A14).

    An allocation that only moved to another slot of the executor is not lost. Requests whose slot
    was taken away come back to their place in arrival order; True if there are any.
    """
    held = {
        status.allocation_id: status.job_id for status in report if status.allocation_id is not None
    }
    displaced: list[PendingRequest] = []
    reported = {status.slot_id: status for status in report}
    for old in list(executor.slots.values()):
        status = reported.get(old.slot_id)
        if status is None or status.profile != old.profile:
            remove_slot(ledger, old, held, "the executor no longer has this slot", displaced)
    for status in report:
        slot = executor.slots.get(status.slot_id)
        if slot is None:
            _add(ledger, executor, status, now)
        elif status.allocation_id is None:
            _reported_empty(ledger, slot, held, asked_at)
        else:
            take(ledger, slot, status.allocation_id, status.job_id, held, now, displaced)
    put_back(ledger, displaced)
    return bool(displaced)


def put_back(ledger: Ledger, displaced: list[PendingRequest]) -> None:
    """Place requests that lost their slot again, oldest first."""
    for pending in sorted(displaced, key=lambda each: each.serial):
        if pending.request.allocation_id in ledger.requests:
            ledger.place(pending)


def remove_slot(
    ledger: Ledger,
    slot: Slot,
    held: Mapping[AllocationId, JobId | None],
    cause: str,
    displaced: list[PendingRequest],
) -> None:
    """Remove a slot; tell its job, unless the allocation is among those ``held`` (X405, D32)."""
    state = slot.state
    if isinstance(state, PendingRequest):
        ledger.requeue(state, cause)
        displaced.append(state)
    elif isinstance(state, Allocated) and state.allocation_id not in held:
        ledger.tell_lost(state.allocation_id, state.job_id, cause)
    ledger.remove_slot(slot)


def _add(ledger: Ledger, executor: Executor, status: SlotStatus, now: float) -> None:
    slot = ledger.add_slot(executor, status.slot_id, status.profile)
    if status.allocation_id is None:
        ledger.announce(slot)
        ledger.offer(slot)
        return
    pending = ledger.requests.get(status.allocation_id)
    if pending is not None:
        ledger.announce(slot)
        ledger.fulfil(pending, slot, now)
        return
    _drop_other_holder(ledger, slot, status.allocation_id)
    ledger.announce_held(slot, status.allocation_id, status.job_id, now)


def _reported_empty(
    ledger: Ledger,
    slot: Slot,
    held: Mapping[AllocationId, JobId | None],
    asked_at: float | None,
) -> None:
    state = slot.state
    if isinstance(state, Withdrawn) and state.answered:
        ledger.free_slot(slot)
    elif isinstance(state, Allocated):
        if asked_at is not None and asked_at <= state.since:
            return  # the report may have been made before the slot was granted (X401)
        if state.allocation_id not in held:
            cause = "its executor reports the slot as free"
            ledger.tell_lost(state.allocation_id, state.job_id, cause)
        ledger.free_slot(slot)
    # Pending or withdrawn and unanswered: the report may be older than the question (D15).


def take(
    ledger: Ledger,
    slot: Slot,
    allocation_id: AllocationId,
    job_id: JobId | None,
    held: Mapping[AllocationId, JobId | None],
    now: float,
    displaced: list[PendingRequest],
) -> None:
    """The executor says that the slot belongs to this allocation: so it does (D16, D17, D31, A12).

    Allocations in ``held`` are elsewhere at the executor and not lost. A request that loses its
    slot is added to ``displaced``.
    """
    match slot.state:
        case Allocated(allocation_id=current, job_id=known, since=since):
            if current == allocation_id:
                if known is None and job_id is not None:
                    ledger.hold(slot, allocation_id, job_id, since)
                return
            if current not in held:
                ledger.tell_lost(current, known, f"its executor gave the slot to {allocation_id}")
        case Withdrawn(allocation_id=current, answered=False) if current == allocation_id:
            return
        case PendingRequest(request=request) as pending if request.allocation_id != allocation_id:
            ledger.requeue(pending, f"the slot is occupied by {allocation_id}")
            displaced.append(pending)
        case _:
            pass
    owner = ledger.requests.get(allocation_id)
    if owner is not None and owner.slot is slot:
        ledger.fulfil(owner, slot, now)
        return
    ledger.detach(slot)
    if owner is not None:
        ledger.fulfil(owner, slot, now)
        return
    _drop_other_holder(ledger, slot, allocation_id)
    ledger.hold(slot, allocation_id, job_id, now)


def _drop_other_holder(ledger: Ledger, slot: Slot, allocation_id: AllocationId) -> None:
    """One allocation, one slot: it moved (X406)."""
    other = ledger.holders.get(allocation_id)
    if other is not None and other is not slot:
        ledger.free_slot(other)


def tell_to_free(ledger: Ledger, slot: Slot, allocation_id: AllocationId) -> None:
    """Have the executor free a slot that nobody wants (X214), unless its job has accepted it.

    A job that accepted it holds it: the executor's next report says so, and then so it is.

    Not while the allocation is or may come to be in another slot of the same executor: the call
    names only the allocation, so it could end the wrong one.
    """
    executor = slot.executor
    pending = ledger.requests.get(allocation_id)
    elsewhere = pending.slot if pending is not None else ledger.holders.get(allocation_id)
    if elsewhere is None or elsewhere.executor is not executor:
        ledger.out.append(FreeSlotAtInstance(executor.instance_id, allocation_id, NOT_WANTED))
