"""From a submitted task and its slot to what is run: one executor's way of preparing a payload."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import attrs

from daemon.payload.environment import TaskInSlot, environment
from daemon.payload.payload import PayloadSpecification
from daemon.payload.shares import SlotShare
from protocol.ids import SlotId, executor_of, slot_number_of
from protocol.messages.task_executor import SubmitTask
from protocol.resources import ResourceProfile


@attrs.frozen
class Preparation:
    """``profiles`` and ``shares`` by slot number; ``scratch_dirs`` are used in turn by the slots.

    ``epoch_of`` knows the epoch of the leader that submitted a task, or None.
    """

    base: Mapping[str, str] = attrs.field(repr=False)
    profiles: Sequence[ResourceProfile]
    shares: Sequence[SlotShare]
    scratch_dirs: Sequence[Path]
    epoch_of: Callable[[SubmitTask], int | None]

    def __call__(self, request: SubmitTask, slot: SlotId) -> PayloadSpecification:
        """What to run for ``request`` in ``slot``."""
        number = slot_number_of(slot)
        profile, share = self.profiles[number], self.shares[number]
        task = TaskInSlot(
            job_id=request.job_id,
            task_id=request.task_id,
            allocation_id=request.allocation_id,
            executor=executor_of(slot),
            slot_number=number,
            profile=profile,
            share=share,
            epoch=self.epoch_of(request),
        )
        return PayloadSpecification(
            task_id=request.task_id,
            command=tuple(request.command),
            env=environment(self.base, request.env, task),
            cwd=request.cwd,
            stdin=(request.stdin or "").encode(),
            scratch_parent=self.scratch_dirs[number % len(self.scratch_dirs)],
            cpus=share.cpus,
            memory_mb=profile.memory_mb or None,
        )
