"""What a command sees in its environment: the daemon's own, what was asked for, and its slot."""

from collections.abc import Iterable, Iterator, Mapping

import attrs

from daemon.payload.shares import SlotShare
from protocol.ids import AllocationId, JobId, ResourceId, TaskId
from protocol.resources import ResourceProfile

_PRIVATE_PREFIXES = ("SLOTD_", "SLOT_", "LISTEN_")
_PRIVATE = frozenset({"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "INVOCATION_ID"})
"""Between the daemon and who started it: secrets, and sockets that commands must not speak to."""


@attrs.frozen
class TaskInSlot:
    """The facts that the ``SLOT_`` variables tell; ``epoch`` of the job's leader, if known."""

    job_id: JobId
    task_id: TaskId
    allocation_id: AllocationId
    executor: ResourceId
    slot_number: int
    profile: ResourceProfile
    share: SlotShare
    epoch: int | None


def base_environment(own: Mapping[str, str]) -> dict[str, str]:
    """The daemon's environment without what is its alone."""
    return {
        name: value
        for name, value in own.items()
        if name not in _PRIVATE and not name.startswith(_PRIVATE_PREFIXES)
    }


def environment(
    base: Mapping[str, str], requested: Mapping[str, str], task: TaskInSlot
) -> dict[str, str]:
    """``base``, overridden by ``requested``, overridden by the facts: those cannot be forged.

    SLOT_TMPDIR is added by the payload, which makes the directory.
    """
    asked = {name: value for name, value in requested.items() if not name.startswith("SLOT_")}
    return {**base, **asked, **dict(_facts(task))}


def resource_variable(name: str) -> str:
    """A resource's name as part of a variable's: ``fast-disk`` -> ``FAST_DISK``."""
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in name).upper()


def _facts(task: TaskInSlot) -> Iterator[tuple[str, str]]:
    yield "SLOT_JOB_ID", task.job_id
    yield "SLOT_TASK_ID", task.task_id
    yield "SLOT_ALLOCATION_ID", task.allocation_id
    yield "SLOT_EXECUTOR", task.executor
    yield "SLOT_INDEX", str(task.slot_number)
    if task.epoch is not None:
        yield "SLOT_EPOCH", str(task.epoch)
    if not task.profile.is_unknown:
        yield "SLOT_CPUS", f"{task.profile.cpu_cores:g}"
        yield "SLOT_MEMORY_MB", str(task.profile.memory_mb)
    if task.share.cpus:
        yield "SLOT_CPU_LIST", _joined(sorted(task.share.cpus))
    for name, amount in task.profile.extended.items():
        yield f"SLOT_RESOURCE_{resource_variable(name)}", f"{amount:g}"
    for name, indices in task.share.indices.items():
        yield f"SLOT_RESOURCE_{resource_variable(name)}_LIST", _joined(indices)


def _joined(numbers: Iterable[int]) -> str:
    return ",".join(map(str, numbers))
