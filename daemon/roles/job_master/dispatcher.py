"""The open jobs of this daemon: opened, kept while somebody wants them, closed once."""

import trio

from daemon.core.deadlines import Deadlines
from daemon.roles.job_master.job import Job
from daemon.roles.job_master.job_runner import JobRunner
from daemon.roles.job_master.task_relay import TaskRelay
from daemon.roles.mailbox import Envelope, Mailbox
from daemon.roles.peer_book import PeerBook
from daemon.roles.services import Services
from daemon.roles.supervision import contain
from daemon.wire.peers import Caller
from protocol.errors import MethodNotFound, UnknownJob
from protocol.ids import JobId, TaskId
from protocol.messages.client import CloseJob, OpenJob
from protocol.news import JobClosedNews, JobOpenedNews


class Dispatcher:
    """A role without leadership of its own; each job is led by itself."""

    def __init__(self, services: Services, book: PeerBook, nursery: trio.Nursery) -> None:
        self.mailbox = Mailbox()
        self._services = services
        self._book = book
        self._nursery = nursery
        self._runners: dict[JobId, JobRunner] = {}
        self._orphans: Deadlines[JobId] = Deadlines()

    @property
    def next_deadline(self) -> float:
        """When the next job without an owner is closed."""
        return self._orphans.next

    def handle(self, envelope: Envelope, now: float) -> None:
        """Open or close a job."""
        match envelope.request:
            case OpenJob():
                self._open(envelope, envelope.request)
            case CloseJob():
                self._close(envelope, envelope.request)
            case _:
                raise MethodNotFound(f"{envelope.request.METHOD} is not served here")

    def withdraw(self, envelope: Envelope, now: float) -> None:
        """Opening and closing are done once they were asked."""

    def expire(self, now: float) -> None:
        """Close the jobs whose owners have been gone for ``job_timeout``."""
        for job_id in self._orphans.pop_due(now):
            self._runners[job_id].end("its connection is gone")

    def job(self, job_id: JobId) -> Job:
        """An open job.

        Raises:
            UnknownJob: there is none of this id.
        """
        runner = self._runners.get(job_id)
        if runner is None:
            raise UnknownJob(f"no open job has the id {job_id}")
        return runner.job

    def job_of_task(self, task_id: TaskId) -> Job | None:
        """The job that runs a task."""
        for runner in self._runners.values():
            if task_id in runner.job.relay.tasks:
                return runner.job
        return None

    def hung_up(self, caller: Caller, now: float) -> None:
        """A connection is gone: its jobs are orphans unless somebody else opened them too."""
        for job_id, runner in self._runners.items():
            runner.hung_up(caller)
            owners = runner.job.owners
            if caller in owners:
                owners.remove(caller)
                if not owners and not runner.job.detached:
                    self._orphans.set(job_id, now + self._services.settings.job_timeout_s)

    def end_all(self, cause: str) -> None:
        """The daemon stops."""
        for runner in self._runners.values():
            runner.end(cause)

    @property
    def job_count(self) -> int:
        """How many jobs are open."""
        return len(self._runners)

    def _open(self, envelope: Envelope, request: OpenJob) -> None:
        job_id = request.job_id or JobId(self._services.new_id())
        runner = self._runners.get(job_id) or self._start(job_id, request)
        if envelope.caller not in runner.job.owners:
            runner.job.owners.append(envelope.caller)
        self._orphans.discard(job_id)
        runner.opened(envelope.reply)

    def _start(self, job_id: JobId, request: OpenJob) -> JobRunner:
        relay = TaskRelay(job_id, self._services.newsroom, self._nursery)
        job = Job(job_id, request.name, request.detached, relay)
        runner = JobRunner(job, self._services, self._book)
        self._runners[job_id] = runner
        self._services.newsroom.publish(JobOpenedNews(job_id, request.name, request.detached))
        self._nursery.start_soon(self._run, runner)
        return runner

    def _close(self, envelope: Envelope, request: CloseJob) -> None:
        self.job(request.job_id)
        self._runners[request.job_id].end("closed by its client", envelope.reply)

    async def _run(self, runner: JobRunner) -> None:
        job = runner.job
        await contain(f"job master of {job.name}", runner.run, runner.end)
        del self._runners[job.job_id]
        self._orphans.discard(job.job_id)
        job.relay.fail_all(runner.cause)
        self._services.newsroom.publish(JobClosedNews(job.job_id, runner.cause))
        runner.ended()
