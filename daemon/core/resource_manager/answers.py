"""What executors answer when they are asked for a slot, in whatever order the answers come."""

from daemon.core.resource_manager.back_off import BackOff
from daemon.core.resource_manager.inventory import Allocated, PendingRequest, Slot, Withdrawn
from daemon.core.resource_manager.ledger import Ledger
from daemon.core.resource_manager.reports import put_back, take, tell_to_free
from protocol.ids import AllocationId


def granted(
    ledger: Ledger, back_off: BackOff, slot: Slot, allocation_id: AllocationId, now: float
) -> None:
    """The executor gave the slot to the allocation (D05).

    If nobody wants that any more, the executor is told to free it and the slot stays out of use
    until it has (X214). If a report said something else meanwhile (D17), the answer is newer.
    """
    if slot.refusals or slot.executor.refusals:
        back_off.granted(slot)
    state = slot.state
    if isinstance(state, PendingRequest) and state.request.allocation_id == allocation_id:
        ledger.fulfil(state, slot, now)
    elif isinstance(state, Withdrawn) and state.allocation_id == allocation_id:
        slot.state = Withdrawn(allocation_id, state.job_id, answered=True)
        tell_to_free(ledger, slot, allocation_id)
    elif allocation_id in ledger.requests:
        displaced: list[PendingRequest] = []
        take(ledger, slot, allocation_id, None, {}, now, displaced)
        put_back(ledger, displaced)
    elif ledger.holders.get(allocation_id) is not slot:
        tell_to_free(ledger, slot, allocation_id)


def refused(
    ledger: Ledger,
    back_off: BackOff,
    slot: Slot,
    allocation_id: AllocationId,
    cause: str,
    now: float,
) -> None:
    """The executor refused or did not answer: the request goes back to its place (D22, D39).

    Ignored unless exactly this is being asked (D24).
    """
    state = slot.state
    if isinstance(state, PendingRequest) and state.request.allocation_id == allocation_id:
        ledger.requeue(state, cause)
        ledger.vacate(slot)
        back_off.refused(slot, now)
        ledger.place(state)
    elif _withdrawn_unanswered(slot, allocation_id):
        ledger.vacate(slot)
        back_off.refused(slot, now)


def occupied(
    ledger: Ledger, slot: Slot, allocation_id: AllocationId, occupied_by: AllocationId, now: float
) -> None:
    """The executor says who has the slot: so it is; the request goes back to its place (D23)."""
    state = slot.state
    asked = isinstance(state, PendingRequest) and state.request.allocation_id == allocation_id
    if asked or _withdrawn_unanswered(slot, allocation_id):
        displaced: list[PendingRequest] = []
        take(ledger, slot, occupied_by, None, {}, now, displaced)
        put_back(ledger, displaced)


def available(ledger: Ledger, slot: Slot, allocation_id: AllocationId) -> None:
    """The executor freed the slot; ignored unless this allocation has it (D08, B12)."""
    state = slot.state
    if not isinstance(state, Allocated | Withdrawn) or state.allocation_id != allocation_id:
        return
    if isinstance(state, Allocated) or state.answered:
        ledger.reuse_slot(slot)


def _withdrawn_unanswered(slot: Slot, allocation_id: AllocationId) -> bool:
    state = slot.state
    return (
        isinstance(state, Withdrawn) and not state.answered and state.allocation_id == allocation_id
    )
