"""May this allocation have this slot, may this task go into it: the refusals of the slot table."""

from daemon.core.task_executor.slot_book import SlotBook
from daemon.core.task_executor.slot_states import Free, Releasing, Usable
from protocol.errors import (
    InvalidParams,
    LeaderIdMismatch,
    SlotAllocationFailed,
    SlotNotFound,
    SlotOccupied,
)
from protocol.ids import AllocationId, JobId, LeaderId, SlotId, TaskId


def check_resource_manager(
    connected: LeaderId | None, caller: LeaderId, *, is_stopping: bool
) -> None:
    """Whether slot requests of this ResourceManager are heard.

    Raises:
        SlotAllocationFailed: the executor is stopping (E43), or not registered (E03, E32).
        LeaderIdMismatch: it is registered at another one (B15, E04).
    """
    if is_stopping:
        raise SlotAllocationFailed("the executor is stopping")
    if connected is None:
        raise SlotAllocationFailed("the executor is not registered at a ResourceManager")
    if caller != connected:
        raise LeaderIdMismatch(
            f"the executor is registered at ResourceManager {connected}, not at {caller}"
        )


def has_slot_already(
    book: SlotBook, slot: SlotId, job_id: JobId, allocation_id: AllocationId
) -> bool:
    """Whether the allocation has this very slot (E06); False: the slot is free for it.

    Raises:
        SlotNotFound: no such slot.
        SlotOccupied: another allocation holds it (E07).
        SlotAllocationFailed: the slot is being released (E22), or the allocation has another slot
            (E34) or another job.
    """
    if slot not in book:
        raise SlotNotFound(f"this executor has no slot {slot}", slot_id=slot)
    state = book.state_of(slot)
    match state:
        case Free():
            _check_has_no_slot(book, allocation_id)
            return False
        case Releasing():
            raise SlotAllocationFailed(f"{slot} is being released: {state.cause}", slot_id=slot)
        case _:
            _check_is_holder(slot, state, job_id, allocation_id)
            return True


def _check_has_no_slot(book: SlotBook, allocation_id: AllocationId) -> None:
    held = book.held(allocation_id)
    if held is not None:
        raise SlotAllocationFailed(
            f"allocation {allocation_id} has slot {held[0]}", slot_id=held[0]
        )


def _check_is_holder(
    slot: SlotId, state: Usable, job_id: JobId, allocation_id: AllocationId
) -> None:
    if state.allocation_id != allocation_id:
        raise SlotOccupied(
            f"{slot} is held by allocation {state.allocation_id}",
            allocation_id=state.allocation_id,
            job_id=state.job_id,
        )
    if state.job_id != job_id:
        raise SlotAllocationFailed(
            f"allocation {allocation_id} belongs to job {state.job_id}", slot_id=slot
        )


def slot_for_task(
    book: SlotBook, job_id: JobId, allocation_id: AllocationId, task_id: TaskId
) -> tuple[SlotId, Usable]:
    """The slot that the task goes into, or is in already.

    Raises:
        SlotNotFound: no ALLOCATED or ACTIVE slot has this allocation of this job (E15, E23).
        InvalidParams: the task is in another slot (E24).
    """
    held = book.usable(job_id, allocation_id)
    if held is None:
        raise SlotNotFound(
            f"no slot here serves allocation {allocation_id} of job {job_id}",
            allocation_id=allocation_id,
        )
    elsewhere = book.with_task(task_id)
    if elsewhere is not None and elsewhere[0] != held[0]:
        raise InvalidParams(
            f"task {task_id} is in slot {elsewhere[0]}",
            path="params.task_id",
            expected="the id of a task that runs nowhere else",
        )
    return held
