"""One open job: its JobMaster is elected, runs term after term, ends with the job (H15, H16)."""

import trio

from daemon.roles.calls import Calls
from daemon.roles.job_master.job import Job
from daemon.roles.job_master.job_master import JobMaster
from daemon.roles.leadership import Term, lead
from daemon.roles.mailbox import Mailbox
from daemon.roles.peer_book import PeerBook
from daemon.roles.services import Services
from daemon.wire.peers import Caller, Reply
from protocol.errors import UnknownJob
from protocol.ids import job_master
from protocol.messages.client import JobClosed, JobOpened


class JobRunner:
    """``end`` may be asked at any time, between two terms too: the next one then closes the job."""

    def __init__(self, job: Job, services: Services, book: PeerBook) -> None:
        self.job = job
        self._services = services
        self._book = book
        self._master: JobMaster | None = None
        self._openers: list[Reply] = []
        self._closers: list[Reply] = []
        self._end = trio.Event()
        self.cause = ""
        self.released = 0

    def opened(self, reply: Reply) -> None:
        """Answer ``job.open`` now or when the first leader is there."""
        if self.job.fence is None:
            self._openers.append(reply)
        else:
            reply.succeed(JobOpened(self.job.job_id, self.job.fence.leader_id))

    def end(self, cause: str, reply: Reply | None = None) -> None:
        """Give everything back and stop; answer ``job.close`` then."""
        if reply is not None:
            self._closers.append(reply)
        if not self._end.is_set():
            self.cause = cause
            self._end.set()

    def hung_up(self, caller: Caller) -> None:
        """A connection is gone."""
        master = self._master
        if self.job.mailbox is not None and master is not None:
            self.job.mailbox.put(lambda now: master.hung_up(caller, now))

    async def run(self) -> None:
        """Lead the job until it ends."""
        component = job_master(self.job.job_id)
        services = self._services
        await lead(
            services.election, services.newsroom, component, services.address, self._run_term
        )

    async def _run_term(self, term: Term) -> None:
        mailbox = Mailbox(term.fence)
        async with trio.open_nursery() as nursery:
            calls = Calls(mailbox, self._services.settings.rpc_timeout_s)
            master = JobMaster(self.job, term, self._services, self._book, calls, mailbox)
            try:
                self._begin(term, master, mailbox)
                nursery.start_soon(mailbox.serve, master)
                nursery.start_soon(master.stay_registered)
                await self._end.wait()
                term.cause = f"the job ended: {self.cause}"
                self.released = master.close(self.cause)
                with trio.move_on_after(self._services.settings.rpc_timeout_s):
                    await calls.settled()
                nursery.cancel_scope.cancel()
            finally:
                self._finish(term, master, mailbox, calls)

    def _begin(self, term: Term, master: JobMaster, mailbox: Mailbox) -> None:
        self._master = master
        self.job.mailbox = mailbox
        self.job.fence = term.fence
        term.confirm()
        for reply in self._openers:
            reply.succeed(JobOpened(self.job.job_id, term.fence.leader_id))
        self._openers.clear()

    def _finish(self, term: Term, master: JobMaster, mailbox: Mailbox, calls: Calls) -> None:
        self._master = None
        self.job.mailbox = None
        self.job.fence = None
        master.suspend()
        mailbox.close(term.over())
        calls.abandon()

    def ended(self) -> None:
        """The job is gone: answer who closed it, refuse who still wanted to open it."""
        for reply in self._closers:
            reply.succeed(JobClosed(self.released))
        for reply in self._openers:
            reply.fail(UnknownJob(f"the job ended: {self.cause}"))
