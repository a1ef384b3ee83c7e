"""The tasks of one job and who watches them: output and ends go from executors to clients.

It outlives the terms of the job's JobMaster, so that a change of leader loses no line.
"""

from collections import deque
from collections.abc import Callable

import attrs
import trio

from daemon.roles.newsroom import Newsroom
from daemon.wire.peers import Caller
from protocol.errors import PeerGone
from protocol.ids import AllocationId, JobId, RequestId, ResourceId, SlotId, TaskId
from protocol.messages.calls import Notification
from protocol.messages.client import TaskFinished, TaskOutput
from protocol.messages.job_master import TaskFinishedAtExecutor, TaskOutputOfExecutor
from protocol.news import TaskFinishedNews, TaskStarted

_EARLY = 64
"""Chunks kept that came before the client was told the task's id."""


@attrs.define(eq=False)
class RelayedTask:
    """A submitted task and the client that watches it; ``announced`` once the client has its id."""

    task_id: TaskId
    request_id: RequestId
    allocation_id: AllocationId
    slot_id: SlotId
    resource_id: ResourceId
    command: list[str]
    watcher: Caller
    announced: bool = False
    early: deque[TaskOutput] = attrs.field(factory=lambda: deque[TaskOutput](maxlen=_EARLY))
    end: TaskFinished | None = None


class TaskRelay:
    """``on_end`` hears which request's task ended, after its watcher was told."""

    def __init__(self, job_id: JobId, newsroom: Newsroom, nursery: trio.Nursery) -> None:
        self._job_id = job_id
        self._newsroom = newsroom
        self._nursery = nursery
        self.tasks: dict[TaskId, RelayedTask] = {}
        self.on_end: Callable[[RequestId], None] = _ignore

    def submit(self, task: RelayedTask) -> None:
        """A task is being submitted: what it sends is kept until it is announced."""
        self.tasks[task.task_id] = task

    def withdraw(self, task_id: TaskId) -> None:
        """The submission failed."""
        self.tasks.pop(task_id, None)

    def announce(self, task: RelayedTask) -> None:
        """The client knows the task's id now: publish, and send what came early."""
        if task.task_id not in self.tasks:
            return
        task.announced = True
        self._newsroom.publish(
            TaskStarted(
                task.task_id,
                self._job_id,
                task.request_id,
                task.allocation_id,
                task.slot_id,
                task.command,
            )
        )
        for chunk in task.early:
            self.send(task.watcher, chunk)
        task.early.clear()
        if task.end is not None:
            self._end(task, task.end)

    def tasks_of(self, request_id: RequestId) -> list[RelayedTask]:
        """What runs in the slot of a request."""
        return [task for task in self.tasks.values() if task.request_id == request_id]

    async def output(self, notification: TaskOutputOfExecutor) -> None:
        """Forward a chunk, waiting while the watcher's buffer is full: its command waits too."""
        task = self._task_of(notification)
        if task is None:
            return
        chunk = _output(notification)
        if not task.announced:
            task.early.append(chunk)
        elif not task.watcher.try_notify(chunk):
            try:
                await task.watcher.notify(chunk)
            except PeerGone:
                return  # nobody watches any more; the command runs on

    def try_output(self, notification: TaskOutputOfExecutor) -> None:
        """Forward a chunk of an executor that cannot be made to wait: what does not fit is dropped.

        The next chunk's offset shows the gap.
        """
        task = self._task_of(notification)
        if task is None:
            return
        if not task.announced:
            task.early.append(_output(notification))
        else:
            task.watcher.try_notify(_output(notification))

    def finished(self, notification: TaskFinishedAtExecutor) -> None:
        """A task ended; its watcher is told after all of its output."""
        task = self._task_of(notification)
        if task is not None:
            self._finish(
                task,
                TaskFinished(
                    task_id=task.task_id,
                    exit_code=notification.exit_code,
                    signal=notification.signal,
                    cause=notification.cause,
                    enforced=notification.enforced,
                ),
            )

    def _task_of(
        self, notification: TaskOutputOfExecutor | TaskFinishedAtExecutor
    ) -> RelayedTask | None:
        """The task that an executor speaks of; None when it is not that executor's."""
        task = self.tasks.get(notification.task_id)
        is_its = task is not None and task.resource_id == notification.resource_id
        return task if is_its else None

    def fail(self, request_id: RequestId, cause: str) -> None:
        """The slot of a request is gone, and what ran in it."""
        for task in self.tasks_of(request_id):
            self._finish(task, TaskFinished(task_id=task.task_id, cause=cause))

    def fail_all(self, cause: str) -> None:
        """The job is over."""
        for task in list(self.tasks.values()):
            task.announced = True
            self._finish(task, TaskFinished(task_id=task.task_id, cause=cause))

    def _finish(self, task: RelayedTask, end: TaskFinished) -> None:
        if task.announced:
            self._end(task, end)
        else:
            task.end = end

    def _end(self, task: RelayedTask, end: TaskFinished) -> None:
        del self.tasks[task.task_id]
        self._newsroom.publish(
            TaskFinishedNews(task.task_id, self._job_id, end.exit_code, end.signal, end.cause)
        )
        self.send(task.watcher, end)
        self.on_end(task.request_id)

    def send(self, watcher: Caller, notification: Notification) -> None:
        """Tell a client, now or when there is room."""
        if not watcher.try_notify(notification):
            self._nursery.start_soon(_send_later, watcher, notification)


async def _send_later(watcher: Caller, notification: Notification) -> None:
    try:
        await watcher.notify(notification)
    except PeerGone:
        return


def _output(chunk: TaskOutputOfExecutor) -> TaskOutput:
    return TaskOutput(
        task_id=chunk.task_id,
        stream=chunk.stream,
        offset=chunk.offset,
        data=chunk.data,
        data_base64=chunk.data_base64,
    )


def _ignore(_: RequestId) -> None:
    """Nobody waits for ends between two terms."""
