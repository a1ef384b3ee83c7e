"""The ResourceManager's term: it interprets the effects of one SlotManager."""

from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
import trio

from daemon.core.effects import (
    AskExecutorForRelease,
    AskExecutorForSlot,
    FreeSlotAtInstance,
    ReleaseExecutor,
    SlotManagerEffect,
    StartExecutor,
    TellJobAllocationFailed,
)
from daemon.core.heartbeats import HeartbeatMonitor
from daemon.core.slot_manager import (
    ExecutorRegistration,
    SlotManager,
    SlotManagerSettings,
    SlotRequest,
)
from daemon.roles.allocation_failures import notice_of
from daemon.roles.calls import Calls
from daemon.roles.drains import Drains
from daemon.roles.leadership import Term
from daemon.roles.mailbox import Envelope, Mailbox
from daemon.roles.peer_book import PeerBook
from daemon.roles.registered_executors import RegisteredExecutor, RegisteredExecutors
from daemon.roles.registered_jobs import RegisteredJob, RegisteredJobs
from daemon.roles.services import Services
from daemon.wire.peers import Caller
from protocol.errors import MethodNotFound, SlotdError, SlotOccupied, UnknownRequest
from protocol.ids import (
    HEX_ID,
    RESOURCE_MANAGER,
    AllocationId,
    InstanceId,
    JobId,
    SlotId,
)
from protocol.messages.calls import EMPTY, Empty
from protocol.messages.client import DrainExecutor
from protocol.messages.job_master import HeartbeatOfJobMaster
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
    FreeSlot,
    HeartbeatOfExecutor,
    RequestSlotOfExecutor,
    SlotReport,
)
from protocol.messages.values import SlotStatus
from protocol.news import News

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
        self._interpret(self._manager.expire(now))
        for instance_id in self._executors.beats.expire(now):
            self._lose_executor(instance_id, "no heartbeat", now, tell=True)
        for instance_id in self._executors.beats.due_to_send(now):
            self._beat_executor(instance_id, now)
        self._jobs.expire(now)
        for job in self._jobs.beats.due_to_send(now):
            self._beat_job(job)
        for resource_id in self._drains.expire(now):
            self._interpret(self._manager.evict_executor(resource_id, "it was drained", now))
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
        self._interpret(self._manager.register_executor(registration, now))
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
        self._interpret(effects)

    def _slot_available(self, envelope: Envelope, request: NotifySlotAvailable, now: float) -> None:
        envelope.reply.succeed(EMPTY)
        self._interpret(
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
            self._interpret(self._manager.lose_executor(instance_id, cause, now))

    def _beat_executor(self, instance_id: InstanceId, asked_at: float) -> None:
        executor = self._executors.get(instance_id)
        if executor is None:
            return

        def alive(answer: SlotReport, now: float) -> None:
            if executor.has_reported:
                try:
                    self._believe(instance_id, answer.slot_report, now, asked_at)
                except SlotdError as impossible:  # as an answer of the wrong form: no beat
                    log.warning("bad_report", executor=executor.resource_id, why=impossible.message)
                    return
            if self._executors.beats.beat(instance_id, now):
                self._services.newsroom.heard(executor.resource_id)

        beat = HeartbeatOfExecutor(sender=RESOURCE_MANAGER)
        self._calls.start(executor.peer, beat, alive, _wait_for_the_timeout)

    def _believe(
        self, instance_id: InstanceId, report: list[SlotStatus], now: float, asked_at: float
    ) -> None:
        _, effects = self._manager.report_slots(instance_id, report, now, asked_at)
        self._interpret(effects)

    def _drain(self, envelope: Envelope, request: DrainExecutor, now: float) -> None:
        self._interpret(self._manager.drain_executor(request.resource_id, now))
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
        self._interpret(self._manager.lose_job(job_id, now))

    def _beat_job(self, job_id: JobId) -> None:
        job = self._jobs.get(job_id)
        if job is None:
            return
        beat = HeartbeatOfJobMaster(job_id=job_id, sender=RESOURCE_MANAGER)

        def alive(_: Empty, now: float) -> None:
            self._jobs.beats.beat(job_id, now)

        self._calls.start(job.peer, beat, alive, _wait_for_the_timeout)

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
        self._interpret(effects)

    def _cancel_request(self, envelope: Envelope, request: CancelSlotRequest, now: float) -> None:
        cancelled, effects = self._manager.cancel_request(request.allocation_id, now)
        envelope.reply.succeed(SlotRequestCancelled(cancelled))
        self._interpret(effects)

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

    # effects

    def _interpret(self, effects: list[SlotManagerEffect]) -> None:
        for effect in effects:
            match effect:
                case News():
                    self._services.newsroom.publish(effect)
                case AskExecutorForSlot():
                    self._ask(effect)
                case FreeSlotAtInstance():
                    self._free(effect)
                case TellJobAllocationFailed():
                    self._tell_job(effect)
                case StartExecutor():
                    # The news say it too; nobody starts executors here: people do.
                    log.info("resource_requested", profile=str(effect.profile))
                case AskExecutorForRelease():
                    # Executors here keep no results that somebody could still want (D38).
                    self._mailbox.put(partial(self._may_go, effect))
                case ReleaseExecutor():
                    self._release(effect)

    def _ask(self, effect: AskExecutorForSlot) -> None:
        executor = self._executors.get(effect.instance_id)
        if executor is None:
            return
        slot, instance, allocation = effect.slot_id, effect.instance_id, effect.allocation_id
        request = RequestSlotOfExecutor(
            leader_id=self._term.fence.leader_id,
            slot_id=slot,
            job_id=effect.job_id,
            allocation_id=allocation,
            target_address=effect.target_address,
            profile=effect.profile,
        )
        log.debug("slot_asked", job_id=effect.job_id, allocation_id=allocation, slot_id=slot)
        self._calls.start(
            executor.peer,
            request,
            lambda _, now: self._interpret(
                self._manager.slot_granted(slot, instance, allocation, now)
            ),
            lambda error, now: self._refused(slot, instance, allocation, error, now),
        )

    def _refused(
        self,
        slot: SlotId,
        instance: InstanceId,
        allocation: AllocationId,
        error: SlotdError,
        now: float,
    ) -> None:
        holder = _holder_in(error) if isinstance(error, SlotOccupied) else None
        self._interpret(
            self._manager.slot_refused(slot, instance, allocation, error.message, holder, now)
        )

    def _free(self, effect: FreeSlotAtInstance) -> None:
        executor = self._executors.get(effect.instance_id)
        if executor is not None:
            request = FreeSlot(effect.allocation_id, effect.cause, effect.even_if_accepted)
            self._calls.tell(executor.peer, request)

    def _tell_job(self, effect: TellJobAllocationFailed) -> None:
        job = self._jobs.get(effect.job_id)
        if job is None:
            return
        self._calls.tell(job.peer, notice_of(effect, job.job_master_id))

    def _may_go(self, effect: AskExecutorForRelease, now: float) -> None:
        self._interpret(self._manager.executor_may_go(effect.instance_id, effect.idle_since, now))

    def _release(self, effect: ReleaseExecutor) -> None:
        executor = self._executors.get(effect.instance_id)
        if executor is not None:
            self._calls.tell(executor.peer, DisconnectFromExecutor(RESOURCE_MANAGER, effect.cause))


def _holder_in(occupied: SlotOccupied) -> AllocationId | None:
    """Whom the executor names; the data of an error come as they are from the wire."""
    holder = occupied.data.get("allocation_id")
    if isinstance(holder, str) and HEX_ID.fullmatch(holder):
        return AllocationId(holder)
    return None


def _wait_for_the_timeout(_: SlotdError, __: float) -> None:
    """A beat that failed is no beat: the deadline stands."""
