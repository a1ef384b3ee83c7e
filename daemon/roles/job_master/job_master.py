"""The JobMaster's term: it interprets the effects of one SlotPool and answers its job's clients."""

from collections.abc import Callable
from typing import Any

import trio

from daemon.core.job_master.slot_pool import SlotPool, SlotPoolSettings
from daemon.roles.calls import Calls
from daemon.roles.job_master.job import Job
from daemon.roles.job_master.job_clients import JobClients
from daemon.roles.job_master.job_executors import JobExecutor, JobExecutors
from daemon.roles.job_master.job_tasks import JobTasks
from daemon.roles.job_master.pool_shell import PoolShell
from daemon.roles.job_master.request_explainer import RequestExplainer
from daemon.roles.job_master.resource_manager_link import ResourceManagerLink
from daemon.roles.leadership import Term
from daemon.roles.mailbox import Envelope, Mailbox
from daemon.roles.peer_book import PeerBook
from daemon.roles.resource_manager.allocation_failures import error_of
from daemon.roles.services import Services
from daemon.wire.peers import Caller
from protocol.errors import (
    MethodNotFound,
    NoResourceAvailable,
    SlotdError,
    SlotNotFound,
)
from protocol.ids import AllocationId, RequestId, ResourceId, job_master
from protocol.messages.calls import EMPTY
from protocol.messages.client import (
    AllocateSlot,
    CancelTask,
    ExplainSlot,
    ReleaseSlot,
    RunTask,
    SlotReleased,
)
from protocol.messages.job_master import (
    DisconnectExecutorFromJob,
    ExecutorRegisteredAtJob,
    FailSlot,
    FindJobMaster,
    HeartbeatOfJobMaster,
    JobMasterLeader,
    NotifyAllocationFailure,
    OfferSlots,
    RegisterExecutorAtJob,
    SlotsAccepted,
)
from protocol.messages.task_executor import (
    HeartbeatOfExecutor,
    SlotReport,
)
from protocol.news import PoolChanged, PoolCounts


class JobMaster:
    """One term of one job's leader. Made when the term is granted; gone when it ends."""

    def __init__(
        self, job: Job, term: Term, services: Services, book: PeerBook, calls: Calls, box: Mailbox
    ) -> None:
        settings = services.settings
        now = trio.current_time()
        self._job = job
        self._term = term
        self._services = services
        self._book = book
        self._calls = calls
        self._mailbox = box
        self._pool = SlotPool(
            job.job_id,
            SlotPoolSettings(settings.slot_idle_timeout_s, settings.slot_timeout_s),
            lambda: AllocationId(services.new_id()),
            now,
            dict(job.holdings),
        )
        self._clients = JobClients(settings.slot_request_timeout_s, services.new_id)
        self._executors = JobExecutors(settings.heartbeat_interval_s, settings.heartbeat_timeout_s)
        self._tasks = JobTasks(
            job, term.fence.leader_id, self._pool, self._executors, calls, services.new_id
        )
        self._shell = PoolShell(
            job, term, services, self._pool, self._clients, self._executors, calls
        )
        self._link = ResourceManagerLink(job.job_id, term, services, book, box, self._shell)
        explainer = RequestExplainer(self._pool, self._shell, calls)
        self._counts = PoolCounts()
        self._handlers: dict[type[Any], Callable[[Envelope, Any, float], None]] = {
            AllocateSlot: self._allocate,
            ReleaseSlot: self._release,
            ExplainSlot: explainer.explain,
            RunTask: self._tasks.run,
            CancelTask: self._tasks.cancel,
            FindJobMaster: self._who_leads,
            RegisterExecutorAtJob: self._register_executor,
            OfferSlots: self._offer,
            FailSlot: self._fail_slot,
            NotifyAllocationFailure: self._allocation_failed,
            DisconnectExecutorFromJob: self._disconnect_executor,
            HeartbeatOfJobMaster: self._beat,
        }
        job.relay.on_end = self._task_ended

    # what the mailbox asks

    @property
    def next_deadline(self) -> float:
        """The earliest of the pool's, the executors' beats and the ResourceManager's."""
        return min(
            self._pool.next_deadline,
            self._executors.beats.next_deadline,
            self._link.next_deadline,
            self._calls.next_deadline,
        )

    def handle(self, envelope: Envelope, now: float) -> None:
        """One request, by its type."""
        handler = self._handlers.get(type(envelope.request))
        if handler is None:
            raise MethodNotFound(f"{envelope.request.METHOD} is not served by a JobMaster")
        handler(envelope, envelope.request, now)

    def withdraw(self, envelope: Envelope, now: float) -> None:
        """An asker gave up or hung up: only a slot request leaves something to undo (C33, C34)."""
        request_id = self._clients.leave(envelope)
        if request_id is not None:
            self._shell.interpret(self._pool.release(request_id, "its client withdrew it", now)[1])

    def expire(self, now: float) -> None:
        """Deadlines of requests and idle slots, silent executors, beats that are due."""
        self._calls.expire(now)
        self._shell.interpret(self._pool.expire(now))
        for resource_id in self._executors.beats.expire(now):
            self._shell.drop_executor(resource_id, "no heartbeat", now)
        for resource_id in self._executors.beats.due_to_send(now):
            self._send_beat(resource_id)
        self._link.expire(now)
        self._tasks.resume(now)
        self._publish_counts()

    # requests of clients

    def _allocate(self, envelope: Envelope, request: AllocateSlot, now: float) -> None:
        self._shell.interpret(self._pool.allocate(self._clients.enter(envelope, request, now), now))

    def _release(self, envelope: Envelope, request: ReleaseSlot, now: float) -> None:
        cause = request.cause or "released by its client"
        self._tasks.end_then(
            request.request_id,
            lambda at: self._release_now(envelope, request, cause, at),
            now,
        )

    def _release_now(
        self, envelope: Envelope, request: ReleaseSlot, cause: str, now: float
    ) -> None:
        released, effects = self._pool.release(request.request_id, cause, now)
        self._job.holdings.pop(request.request_id, None)
        self._job.holders.pop(request.request_id, None)
        self._shell.interpret(effects)
        envelope.reply.succeed(SlotReleased(released))

    def _who_leads(self, envelope: Envelope, _: FindJobMaster, __: float) -> None:
        leader = JobMasterLeader(self._term.fence.leader_id, self._services.address)
        envelope.reply.succeed(leader)

    # requests of executors and of the ResourceManager

    def _register_executor(
        self, envelope: Envelope, request: RegisterExecutorAtJob, now: float
    ) -> None:
        peer = self._book.call_back(request.address, envelope.caller)
        executor = JobExecutor(request.resource_id, request.host, envelope.caller, peer)
        self._executors.add(executor, now)
        self._pool.register_executor(request.resource_id, request.host)
        settings = self._services.settings
        envelope.reply.succeed(
            ExecutorRegisteredAtJob(settings.heartbeat_interval_s, settings.heartbeat_timeout_s)
        )

    def _offer(self, envelope: Envelope, request: OfferSlots, now: float) -> None:
        self._executors.require(request.resource_id, envelope.caller)
        accepted, effects = self._pool.offer(request.resource_id, request.slots, now)
        envelope.reply.succeed(SlotsAccepted(accepted))
        self._shell.interpret(effects)

    def _fail_slot(self, envelope: Envelope, request: FailSlot, now: float) -> None:
        self._executors.require(request.resource_id, envelope.caller)
        held = self._pool.held_at(request.resource_id)
        if request.allocation_id not in [slot.allocation_id for slot in held]:
            raise SlotNotFound(
                f"this job has no slot {request.allocation_id} of {request.resource_id}",
                allocation_id=request.allocation_id,
            )
        error = NoResourceAvailable(f"{request.resource_id} lost the slot: {request.cause}")
        self._shell.interpret(self._pool.fail_allocation(request.allocation_id, error, now))
        envelope.reply.succeed(EMPTY)

    def _allocation_failed(
        self, envelope: Envelope, request: NotifyAllocationFailure, now: float
    ) -> None:
        error = error_of(request)
        self._shell.interpret(self._pool.fail_allocation(request.allocation_id, error, now))
        envelope.reply.succeed(EMPTY)

    def _disconnect_executor(
        self, envelope: Envelope, request: DisconnectExecutorFromJob, now: float
    ) -> None:
        self._shell.lose_executor(request.resource_id, request.cause, now)
        envelope.reply.succeed(EMPTY)

    def _beat(self, envelope: Envelope, _: HeartbeatOfJobMaster, now: float) -> None:
        self._link.beat(now)
        envelope.reply.succeed(EMPTY)

    # executors

    def hung_up(self, caller: Caller, now: float) -> None:
        """A connection is gone, and who registered over it."""
        for resource_id in self._executors.of(caller):
            self._shell.lose_executor(resource_id, "its connection broke", now)

    def _send_beat(self, resource_id: ResourceId) -> None:
        executor = self._executors.get(resource_id)
        if executor is None:
            return

        def alive(_: SlotReport, now: float) -> None:
            self._executors.beats.beat(resource_id, now)

        # H14: what the pool believes it holds, as of this moment
        held = self._pool.held_at(resource_id)
        beat = HeartbeatOfExecutor(sender=job_master(self._job.job_id), allocated=held)
        self._calls.start(executor.peer, beat, alive, _wait_for_the_timeout)

    def _task_ended(self, request_id: RequestId) -> None:
        self._mailbox.put(lambda now: self._tasks.ended(request_id, now))

    def _publish_counts(self) -> None:
        counts = self._pool.counts()
        if counts != self._counts:
            self._counts = counts
            self._services.newsroom.publish(PoolChanged(self._job.job_id, counts))

    # the end

    async def stay_registered(self) -> None:
        """Be registered at whoever leads the ResourceManagers, for the whole term."""
        await self._link.run()

    def suspend(self) -> None:
        """The term is over: fail what waits, free nothing (C17, X004)."""
        self._job.relay.on_end = _nobody
        self._tasks.suspend()
        self._shell.interpret(self._pool.suspend(self._term.cause))

    def close(self, cause: str) -> int:
        """The job is over: give everything back; the number of slots that were held (C37)."""
        counts = self._pool.counts()
        self._job.relay.fail_all(cause)
        self._shell.interpret(self._pool.close(cause))
        self._job.holdings.clear()
        self._link.leave(self._calls, cause)
        return counts.allocated + counts.available


def _wait_for_the_timeout(_: SlotdError, __: float) -> None:
    """A beat that failed is no beat: the deadline stands."""


def _nobody(_: RequestId) -> None:
    """Between two terms nobody waits for the end of a task."""
