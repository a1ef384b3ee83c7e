"""The commands in one job's slots: submitted, cancelled, ended before their slot goes back.

A new leader knows its slots before their executors are back: what concerns those waits for them.
"""

from collections.abc import Callable
from functools import partial

import attrs

from daemon.core.job_master.slot_pool import SlotPool
from daemon.roles.calls import Calls
from daemon.roles.job_master.job import Job
from daemon.roles.job_master.job_executors import JobExecutors
from daemon.roles.job_master.task_relay import RelayedTask
from daemon.roles.mailbox import Envelope
from protocol.errors import SlotdError, UnknownRequest, UnknownTask
from protocol.ids import LeaderId, RequestId, TaskId
from protocol.messages.calls import Empty
from protocol.messages.client import CancelTask, RunTask, TaskCancelled, TaskSubmitted
from protocol.messages.task_executor import CancelTaskOfExecutor, SubmitTask

Then = Callable[[float], None]


@attrs.frozen(eq=False)
class _Stop:
    """A task that is to end: TERM, ``grace`` seconds, KILL; who waits for that to be under way."""

    task: RelayedTask
    grace: float | None
    envelope: Envelope | None


class JobTasks:
    """A slot goes back only after what ran in it has ended (F45, X116)."""

    def __init__(
        self,
        job: Job,
        leader_id: LeaderId,
        pool: SlotPool,
        executors: JobExecutors,
        calls: Calls,
        new_id: Callable[[], str],
    ) -> None:
        self._job = job
        self._leader_id = leader_id
        self._pool = pool
        self._executors = executors
        self._calls = calls
        self._new_id = new_id
        self._after: dict[RequestId, list[Then]] = {}
        self._runs_later: list[tuple[Envelope, RunTask]] = []
        self._stops_later: list[_Stop] = []

    def run(self, envelope: Envelope, request: RunTask, _: float) -> None:
        """Submit to the executor of the request's slot; answer when it took it."""
        if self._pool.awaits(request.request_id):
            self._runs_later.append((envelope, request))
            return
        slot = self._pool.grant_of(request.request_id)
        executor = slot and self._executors.get(slot.resource_id)
        if not slot or not executor:
            raise UnknownRequest(f"request {request.request_id} has no slot of this job now")
        task = RelayedTask(
            TaskId(self._new_id()),
            request.request_id,
            slot.allocation_id,
            slot.slot_id,
            slot.resource_id,
            request.command,
            envelope.caller,
        )
        self._job.relay.submit(task)
        submission = SubmitTask(
            leader_id=self._leader_id,
            job_id=self._job.job_id,
            allocation_id=task.allocation_id,
            task_id=task.task_id,
            command=request.command,
            env=request.env,
            cwd=request.cwd,
            stdin=request.stdin,
        )
        self._calls.start(
            executor.peer,
            submission,
            partial(self._running, envelope, task),
            partial(self._not_running, envelope, task),
        )

    def _running(self, envelope: Envelope, task: RelayedTask, _: Empty, __: float) -> None:
        envelope.reply.succeed(TaskSubmitted(task.task_id))
        self._job.relay.announce(task)

    def _not_running(
        self, envelope: Envelope, task: RelayedTask, error: SlotdError, _: float
    ) -> None:
        self._job.relay.withdraw(task.task_id)
        envelope.reply.fail(error)

    def cancel(self, envelope: Envelope, request: CancelTask, _: float) -> None:
        """Ask the executor to end it; False when it has ended already."""
        task = self._job.relay.tasks.get(request.task_id)
        if task is None:
            raise UnknownTask(f"no task {request.task_id} runs in this job")
        self._stop(_Stop(task, request.grace, envelope))

    def _stop(self, stop: "_Stop") -> None:
        task, envelope = stop.task, stop.envelope
        executor = self._executors.get(task.resource_id)
        if executor is None:
            self._stops_later.append(stop)
            return

        def stopped(_: Empty, __: float) -> None:
            if envelope is not None:
                envelope.reply.succeed(TaskCancelled(cancelled=True))

        def failed(error: SlotdError, _: float) -> None:
            if envelope is None:
                return
            if isinstance(error, UnknownTask):
                envelope.reply.succeed(TaskCancelled(cancelled=False))
            else:
                envelope.reply.fail(error)

        request = CancelTaskOfExecutor(task.task_id, stop.grace)
        self._calls.start(executor.peer, request, stopped, failed)

    def end_then(self, request_id: RequestId, then: Then, now: float) -> None:
        """Run ``then`` once nothing runs in the request's slot any more; stop what does."""
        tasks = self._job.relay.tasks_of(request_id)
        if not tasks:
            then(now)
            return
        self._after.setdefault(request_id, []).append(then)
        for task in tasks:
            self._stop(_Stop(task, None, None))

    def resume(self, now: float) -> None:
        """Do what waited for an executor that came back, or for a slot that now never will."""
        runs, self._runs_later = self._runs_later, []
        for envelope, request in runs:
            if envelope.withdrawn:
                continue
            try:
                self.run(envelope, request, now)
            except SlotdError as refusal:
                envelope.reply.fail(refusal)
        stops, self._stops_later = self._stops_later, []
        for stop in stops:
            if stop.task.task_id in self._job.relay.tasks:
                self._stop(stop)
            elif stop.envelope is not None:
                stop.envelope.reply.succeed(TaskCancelled(cancelled=False))

    def suspend(self) -> None:
        """The term is over, and with it the calls that submit: what was not told to a client goes.

        Its client is told NotLeader, and no later leader could tell it more.
        """
        for task in [task for task in self._job.relay.tasks.values() if not task.announced]:
            self._job.relay.withdraw(task.task_id)
            executor = self._executors.get(task.resource_id)
            if executor is not None:
                executor.peer.start(CancelTaskOfExecutor(task.task_id))

    def ended(self, request_id: RequestId, now: float) -> None:
        """A task of the request ended."""
        if not self._job.relay.tasks_of(request_id):
            for then in self._after.pop(request_id, []):
                then(now)
