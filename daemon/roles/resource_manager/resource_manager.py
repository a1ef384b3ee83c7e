"""The ResourceManager's term: it interprets the effects of one SlotManager."""

from collections.abc import Callable
from typing import Any

import structlog
import trio

from daemon.core.heartbeats import HeartbeatMonitor
from daemon.core.resource_manager.slot_manager import (
    ExecutorRegistration,
    SlotManager,
    SlotManagerSettings,
    SlotRequest,
)
from daemon.roles.calls import Calls
from daemon.roles.leadership import Term
from daemon.roles.mailbox import Envelope, Mailbox
from daemon.roles.peer_book import PeerBook
from daemon.roles.resource_manager.drains import Drains
from daemon.roles.resource_manager.manager_beats import ManagerBeats
from daemon.roles.resource_manager.manager_shell import ManagerShell
from daemon.roles.resource_manager.registered_executors import (
    RegisteredExecutor,
    RegisteredExecutors,
)
from daemon.roles.resource_manager.registered_jobs import RegisteredJob, RegisteredJobs
from daemon.roles.services import Services
from daemon.wire.peers import Caller
from protocol.errors import MethodNotFound, UnknownRequest
from protocol.ids import (
    RESOURCE_MANAGER,
    InstanceId,
    JobId,
)
from protocol.messages.calls import EMPTY
from protocol.messages.client import DrainExecutor
from protocol.messages.resource_manager import (
    CancelSlotRequest,
    DisconnectJobMaster,
    DisconnectTaskExecutor,
    ExplainSlotRequest,
    FindResourceManager,
    JobMasterRegistered,
    NotifySlotAvailable,
    RegisterJobMaster,
    RegisterTaskExecutor,
    ReportSlots,
    RequestSlot,
    ResourceManagerLeader,
    SlotReportTaken,
    SlotRequestCancelled,
    SlotRequestExplained,
    SlotRequestRegistered,
    TaskExecutorRegistered,
)
from protocol.messages.task_executor import (
    DisconnectFromExecutor,
)

log = structlog.get_logger()


class ResourceManager:
    """One term. Made when the term is granted; gone when it ends (G03, G04, X306)."""

    def __init__(
        self,
        term: Term,
        services: Services,
        book: PeerBook,
        calls: Calls,
        mailbox: Mailbox,
        nursery: trio.Nursery,
    ) -> None:
        settings = services.settings
        now = trio.current_time()
        self._term = term
        self._services = services
        self._book = book
        self._calls = calls
        self._mailbox = mailbox
        self._manager = SlotManager(
            SlotManagerSettings(
                placement=settings.placement,
                start_up_time_s=settings.start_up_time_s,
                executor_idle_timeout_s=settings.executor_idle_timeout_s,
            ),
            now,
        )
        beats = (settings.heartbeat_interval_s, settings.heartbeat_timeout_s)
        self._executors = RegisteredExecutors(*beats)
        self._jobs = RegisteredJobs(
            HeartbeatMonitor(*beats), services.election, mailbox, nursery, self._lose_job
        )
        self._shell = ManagerShell(
            term,
            self._manager,
            self._executors,
            self._jobs,
            services.newsroom,
            calls,
            mailbox,
        )
        self._beats = ManagerBeats(
            self._manager, self._shell, self._executors, self._jobs, services.newsroom, calls
        )
        self._drains = Drains(self._manager)
        self._handlers: dict[type[Any], Callable[[Envelope, Any, float], None]] = {
            FindResourceManager: self._who_leads,
            RegisterTaskExecutor: self._register_executor,
            RegisterJobMaster: self._register_job_master,
            RequestSlot: self._request_slot,
            CancelSlotRequest: self._cancel_request,
            NotifySlotAvailable: self._slot_available,
            ReportSlots: self._report_slots,
            ExplainSlotRequest: self._explain,
            DisconnectTaskExecutor: self._disconnect_executor,
            DisconnectJobMaster: self._disconnect_job_master,
            DrainExecutor: self._drain,
        }

    # what the mailbox asks

    @property
    def next_deadline(self) -> float:
        """The earliest of the SlotManager's, the beats' and the drains'."""
        return min(
            self._manager.next_deadline,
            self._executors.beats.next_deadline,
            self._jobs.next_deadline,
            self._drains.next_deadline,
            self._calls.next_deadline,
        )

    def handle(self, envelope: Envelope, now: float) -> None:
        """One request, by its type."""
        handler = self._handlers.get(type(envelope.request))
        if handler is None:
            raise MethodNotFound(f"{envelope.request.METHOD} is not served by a ResourceManager")
        handler(envelope, envelope.request, now)

    def withdraw(self, envelope: Envelope, now: float) -> None:
        """Only a drain leaves an asker waiting; the executor goes on draining."""
        self._drains.leave(envelope.reply)

    def expire(self, now: float) -> None:
        """Whatever is due, and drains that are done."""
        self._calls.expire(now)
        self._shell.interpret(self._manager.expire(now))
        for instance_id in self._executors.beats.expire(now):
            self._lose_executor(instance_id, "no heartbeat", now, tell=True)
        self._jobs.expire(now)
        self._beats.send(now)
        for resource_id in self._drains.expire(now):
            self._shell.interpret(self._manager.evict_executor(resource_id, "it was drained", now))
        self._drains.answer()

    # executors

    def _register_executor(
        self, envelope: Envelope, request: RegisterTaskExecutor, now: float
    ) -> None:
        executor = RegisteredExecutor(
            InstanceId(self._services.new_id()),
            request.resource_id,
            envelope.caller,
            self._book.call_back(request.address, envelope.caller),
        )
        self._executors.check_name(request.resource_id, envelope.caller)
        self._executors.add(executor, now)
        registration = ExecutorRegistration(
            executor.instance_id, request.resource_id, request.host, request.address
        )
        self._shell.interpret(self._manager.register_executor(registration, now))
        settings = self._services.settings
        envelope.reply.succeed(
            TaskExecutorRegistered(
                executor.instance_id, settings.heartbeat_interval_s, settings.heartbeat_timeout_s
            )
        )

    def _report_slots(self, envelope: Envelope, request: ReportSlots, now: float) -> None:
        known, effects = self._manager.report_slots(request.instance_id, request.slot_report, now)
        executor = self._executors.get(request.instance_id)
        if executor is not None:
            executor.has_reported = True
        envelope.reply.succeed(SlotReportTaken(known))
        self._shell.interpret(effects)

    def _slot_available(self, envelope: Envelope, request: NotifySlotAvailable, now: float) -> None:
        envelope.reply.succeed(EMPTY)
        self._shell.interpret(
            self._manager.slot_available(
                request.slot_id, request.instance_id, request.allocation_id, now
            )
        )

    def _disconnect_executor(
        self, envelope: Envelope, request: DisconnectTaskExecutor, now: float
    ) -> None:
        envelope.reply.succeed(EMPTY)
        self._lose_executor(request.instance_id, request.cause, now, tell=False)

    def _lose_executor(
        self, instance_id: InstanceId, cause: str, now: float, *, tell: bool
    ) -> None:
        executor = self._executors.discard(instance_id)
        if executor is not None:
            if tell:  # it may live and only be cut off: then it registers again (G15, E30)
                self._calls.tell(executor.peer, DisconnectFromExecutor(RESOURCE_MANAGER, cause))
            self._shell.interpret(self._manager.lose_executor(instance_id, cause, now))

    def _drain(self, envelope: Envelope, request: DrainExecutor, now: float) -> None:
        self._shell.interpret(self._manager.drain_executor(request.resource_id, now))
        self._drains.enter(envelope.reply, request, now)

    # jobs

    def _register_job_master(
        self, envelope: Envelope, request: RegisterJobMaster, now: float
    ) -> None:
        peer = self._book.call_back(request.address, envelope.caller)
        job = RegisteredJob(request.job_id, request.job_master_id, envelope.caller, peer)
        self._jobs.add(job, now)
        settings = self._services.settings
        envelope.reply.succeed(
            JobMasterRegistered(settings.heartbeat_interval_s, settings.heartbeat_timeout_s)
        )

    def _disconnect_job_master(
        self, envelope: Envelope, request: DisconnectJobMaster, now: float
    ) -> None:
        envelope.reply.succeed(EMPTY)
        self._jobs.forget(request.job_id, request.job_master_id, now)

    def _lose_job(self, job_id: JobId, now: float) -> None:
        self._shell.interpret(self._manager.lose_job(job_id, now))

    def hung_up(self, caller: Caller, now: float) -> None:
        """A connection is gone, and who registered over it: noticed at once."""
        for instance_id in self._executors.of(caller):
            self._lose_executor(instance_id, "its connection broke", now, tell=False)
        self._jobs.hung_up(caller, now)

    # requests

    def _request_slot(self, envelope: Envelope, request: RequestSlot, now: float) -> None:
        self._jobs.require(request.job_id, request.job_master_id)
        timeout = request.timeout or self._services.settings.slot_request_timeout_s
        registered, effects = self._manager.request_slot(
            SlotRequest(
                request.allocation_id,
                request.job_id,
                request.profile,
                request.target_address,
                now + timeout,
            ),
            now,
        )
        envelope.reply.succeed(SlotRequestRegistered(registered))
        self._shell.interpret(effects)

    def _cancel_request(self, envelope: Envelope, request: CancelSlotRequest, now: float) -> None:
        cancelled, effects = self._manager.cancel_request(request.allocation_id, now)
        envelope.reply.succeed(SlotRequestCancelled(cancelled))
        self._shell.interpret(effects)

    def _explain(self, envelope: Envelope, request: ExplainSlotRequest, now: float) -> None:
        seen = self._manager.explain(request.allocation_id, now)
        if seen is None:
            raise UnknownRequest(f"no slot request has the allocation {request.allocation_id}")
        envelope.reply.succeed(
            SlotRequestExplained(seen.state, seen.reason, seen.position, seen.kinds, seen.nearest)
        )

    def _who_leads(self, envelope: Envelope, _: FindResourceManager, __: float) -> None:
        fence = self._term.fence
        envelope.reply.succeed(
            ResourceManagerLeader(fence.leader_id, fence.epoch, self._services.address)
        )
