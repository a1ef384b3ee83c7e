"""The commands that run in one executor's slots, and how their output finds the job's leader."""

import base64
from collections.abc import Callable
from functools import partial

import attrs
import structlog
import trio

from daemon.payload.payload import Chunk, Payload, PayloadExit, PayloadSpecification
from daemon.roles.services import Services
from daemon.roles.task_executor.job_connections import JobConnections
from protocol.errors import UnknownTask
from protocol.ids import JobId, LeaderId, ResourceId, SlotId, TaskId
from protocol.messages.calls import Notification
from protocol.messages.job_master import TaskFinishedAtExecutor, TaskOutputOfExecutor
from protocol.messages.task_executor import SubmitTask

log = structlog.get_logger()

Prepare = Callable[[SubmitTask, SlotId], PayloadSpecification]
"""What to run, with the slot's share of the machine."""


@attrs.define(eq=False)
class _Running:
    """A task and its way to the job: what it reports is dropped once its slot is taken away."""

    job_id: JobId
    task_id: TaskId
    payload: Payload
    evicted: bool = False
    reports: set[trio.CancelScope] = attrs.field(factory=set[trio.CancelScope])


class ExecutorTasks:
    """``ended`` is told when a task's processes are gone and its end was reported."""

    def __init__(
        self,
        resource_id: ResourceId,
        services: Services,
        jobs: JobConnections,
        prepare: Prepare,
        nursery: trio.Nursery,
        ended: Callable[[TaskId], None],
    ) -> None:
        self._resource_id = resource_id
        self._services = services
        self._jobs = jobs
        self._prepare = prepare
        self._nursery = nursery
        self._ended = ended
        self._running: dict[TaskId, _Running] = {}

    def start(self, request: SubmitTask, slot: SlotId) -> None:
        """Run a task that the slot table has taken."""
        payload = Payload(
            self._prepare(request, slot), self._services.settings.task_cancellation_grace_s
        )
        task = self._running[request.task_id] = _Running(request.job_id, request.task_id, payload)
        self._nursery.start_soon(self._run, task)

    def evict(self, task_id: TaskId, cause: str, grace_s: float | None) -> None:
        """Its slot is taken away: end it, and wait for nobody to hear what it still says."""
        task = self._running.get(task_id)
        if task is not None:
            task.evicted = True
            for report in task.reports:
                report.cancel()
            task.payload.stop(cause, grace_s)

    def stop(self, task_id: TaskId, cause: str, grace_s: float | None) -> None:
        """TERM, grace, KILL.

        Raises:
            UnknownTask: it does not run here.
        """
        task = self._running.get(task_id)
        if task is None:
            raise UnknownTask(f"no task {task_id} runs on {self._resource_id}")
        task.payload.stop(cause, grace_s)

    async def _run(self, task: _Running) -> None:
        job_id, task_id = task.job_id, task.task_id
        log.info("task_started", job_id=job_id, task_id=task_id)
        end = await task.payload.run(partial(self._report_output, task))
        log.info("task_ended", job_id=job_id, task_id=task_id, exit_code=end.exit_code)
        # The slot is free only afterwards: its JobMaster hears of the end first.
        await self._report(task, partial(self._finished, task, end))
        del self._running[task_id]
        self._ended(task_id)

    async def _report_output(self, task: _Running, chunk: Chunk) -> None:
        await self._report(task, partial(self._output, task.job_id, task.task_id, chunk))

    async def _report(self, task: _Running, make: Callable[[LeaderId], Notification]) -> None:
        if task.evicted:
            return
        with trio.CancelScope() as report:
            task.reports.add(report)
            try:
                await self._jobs.notify(task.job_id, make)
            finally:
                task.reports.discard(report)

    def _output(
        self, job_id: JobId, task_id: TaskId, chunk: Chunk, leader_id: LeaderId
    ) -> Notification:
        text, encoded = _as_text(chunk.data)
        return TaskOutputOfExecutor(
            job_id=job_id,
            leader_id=leader_id,
            resource_id=self._resource_id,
            task_id=task_id,
            stream=chunk.stream,
            offset=chunk.offset,
            data=text,
            data_base64=encoded,
        )

    def _finished(self, task: _Running, end: PayloadExit, leader_id: LeaderId) -> Notification:
        return TaskFinishedAtExecutor(
            job_id=task.job_id,
            leader_id=leader_id,
            resource_id=self._resource_id,
            task_id=task.task_id,
            exit_code=end.exit_code,
            signal=end.signal,
            cause=end.cause,
            enforced=task.payload.enforced or None,
        )


def _as_text(data: bytes) -> tuple[str | None, str | None]:
    try:
        return data.decode(), None
    except UnicodeDecodeError:
        return None, base64.b64encode(data).decode("ascii")
