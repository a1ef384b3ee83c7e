"""The states of a TaskExecutor's slot: each carries its data, so nothing runs in a free slot."""

from typing import TypeAlias

import attrs

from protocol.ids import AllocationId, JobId, TaskId


@attrs.frozen
class Free:
    """Nobody has the slot."""


@attrs.frozen
class Allocated:
    """Given to an allocation; no leader of the job has accepted it yet.

    ``deadline``: when it is freed; ``since``: what it waits after, for the message that says so.
    ``tasks`` run on from the time of an earlier leader (E18).
    """

    job_id: JobId
    allocation_id: AllocationId
    deadline: float
    since: str
    tasks: tuple[TaskId, ...] = ()


@attrs.frozen
class Active:
    """The job's leader accepted the slot, or put a task into it (E14)."""

    job_id: JobId
    allocation_id: AllocationId
    tasks: tuple[TaskId, ...] = ()


@attrs.frozen
class Releasing:
    """The allocation is over; the slot is free once the last of ``tasks`` is gone (E21)."""

    job_id: JobId
    allocation_id: AllocationId
    tasks: tuple[TaskId, ...]
    cause: str


Usable: TypeAlias = Allocated | Active
"""The slot serves its allocation."""

Held: TypeAlias = Usable | Releasing
"""The slot belongs to an allocation."""

SlotState: TypeAlias = Free | Held

FREE = Free()
