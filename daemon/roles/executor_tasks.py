"""The commands that run in one executor's slots, and how their output finds the job's leader."""

import base64
from collections.abc import Callable
from functools import partial

import structlog
import trio

from daemon.payload.payload import Chunk, Payload, PayloadExit, PayloadSpecification
from daemon.roles.job_connections import JobConnections
from daemon.roles.services import Services
from protocol.errors import UnknownTask
from protocol.ids import JobId, LeaderId, ResourceId, SlotId, TaskId
from protocol.messages.calls import Notification
from protocol.messages.job_master import TaskFinishedAtExecutor, TaskOutputOfExecutor
from protocol.messages.task_executor import SubmitTask

log = structlog.get_logger()

Prepare = Callable[[SubmitTask, SlotId], PayloadSpecification]
"""What to run, with the slot's share of the machine."""


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
        self._payloads: dict[TaskId, Payload] = {}

    def start(self, request: SubmitTask, slot: SlotId) -> None:
        """Run a task that the slot table has taken."""
        payload = Payload(
            self._prepare(request, slot), self._services.settings.task_cancellation_grace_s
        )
        self._payloads[request.task_id] = payload
        self._nursery.start_soon(self._run, payload, request.job_id, request.task_id)

    def stop(self, task_id: TaskId, cause: str, grace_s: float | None) -> None:
        """TERM, grace, KILL.

        Raises:
            UnknownTask: it does not run here.
        """
        payload = self._payloads.get(task_id)
        if payload is None:
            raise UnknownTask(f"no task {task_id} runs on {self._resource_id}")
        payload.stop(cause, grace_s)

    async def _run(self, payload: Payload, job_id: JobId, task_id: TaskId) -> None:
        log.info("task_started", job_id=job_id, task_id=task_id)
        end = await payload.run(partial(self._report_output, job_id, task_id))
        log.info("task_ended", job_id=job_id, task_id=task_id, exit_code=end.exit_code)
        del self._payloads[task_id]
        # The slot is free only afterwards: its JobMaster hears of the end first.
        await self._jobs.notify(job_id, partial(self._finished, job_id, task_id, end))
        self._ended(task_id)

    async def _report_output(self, job_id: JobId, task_id: TaskId, chunk: Chunk) -> None:
        await self._jobs.notify(job_id, partial(self._output, job_id, task_id, chunk))

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

    def _finished(
        self, job_id: JobId, task_id: TaskId, end: PayloadExit, leader_id: LeaderId
    ) -> Notification:
        return TaskFinishedAtExecutor(
            job_id=job_id,
            leader_id=leader_id,
            resource_id=self._resource_id,
            task_id=task_id,
            exit_code=end.exit_code,
            signal=end.signal,
            cause=end.cause,
        )


def _as_text(data: bytes) -> tuple[str | None, str | None]:
    try:
        return data.decode(), None
    except UnicodeDecodeError:
        return None, base64.b64encode(data).decode("ascii")
