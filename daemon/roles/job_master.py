"""The JobMaster's term: it interprets the effects of one SlotPool and answers its job's clients."""

from collections.abc import Callable
from typing import Any

import attrs
import trio

from daemon.core.effects import (
    AskResourceManager,
    CancelAtResourceManager,
    DropExecutor,
    FailPayload,
    FailRequest,
    FreeSlotAtExecutor,
    GrantRequest,
    SlotPoolEffect,
)
from daemon.core.slot_pool import Holding, SlotPool, SlotPoolSettings
from daemon.roles.allocation_failures import error_of
from daemon.roles.calls import Calls, CallTimedOut
from daemon.roles.job import Job
from daemon.roles.job_clients import JobClients
from daemon.roles.job_executors import JobExecutor, JobExecutors
from daemon.roles.job_tasks import JobTasks
from daemon.roles.leadership import Term
from daemon.roles.mailbox import Envelope, Mailbox
from daemon.roles.peer_book import PeerBook
from daemon.roles.resource_manager_link import ResourceManagerLink
from daemon.roles.services import Services
from daemon.wire.peers import Caller, Peer
from protocol.errors import (
    LeaderIdMismatch,
    MethodNotFound,
    NoResourceAvailable,
    NotLeader,
    PeerGone,
    SlotdError,
    SlotNotFound,
    UnknownRequest,
)
from protocol.ids import AllocationId, LeaderId, RequestId, ResourceId, job_master
from protocol.messages.calls import EMPTY
from protocol.messages.client import (
    AllocateSlot,
    CancelTask,
    ExplainSlot,
    Explanation,
    ReleaseSlot,
    RunTask,
    SlotLost,
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
from protocol.messages.resource_manager import (
    CancelSlotRequest,
    ExplainSlotRequest,
    RequestSlot,
    SlotRequestExplained,
    SlotRequestRegistered,
)
from protocol.messages.task_executor import (
    DisconnectFromExecutor,
    FreeSlot,
    HeartbeatOfExecutor,
    SlotReport,
)
from protocol.news import PoolChanged, PoolCounts

_LOST_LEADER = (NotLeader, LeaderIdMismatch, PeerGone)
"""The ResourceManager that was asked is gone: the next one is asked again (X101)."""


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
        self._resource_manager: tuple[Peer, LeaderId] | None = None
        self._link = ResourceManagerLink(job.job_id, term, services, book, box, self)
        self._counts = PoolCounts()
        self._handlers: dict[type[Any], Callable[[Envelope, Any, float], None]] = {
            AllocateSlot: self._allocate,
            ReleaseSlot: self._release,
            ExplainSlot: self._explain,
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
            self._interpret(self._pool.release(request_id, "its client withdrew it", now)[1])

    def expire(self, now: float) -> None:
        """Deadlines of requests and idle slots, silent executors, beats that are due."""
        self._calls.expire(now)
        self._interpret(self._pool.expire(now))
        for resource_id in self._executors.beats.expire(now):
            self.lose_executor(resource_id, "no heartbeat", now)
        for resource_id in self._executors.beats.due_to_send(now):
            self._send_beat(resource_id)
        self._link.expire(now)
        self._publish_counts()

    # requests of clients

    def _allocate(self, envelope: Envelope, request: AllocateSlot, now: float) -> None:
        self._interpret(self._pool.allocate(self._clients.enter(envelope, request, now), now))

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
        self._interpret(effects)
        envelope.reply.succeed(SlotReleased(released))

    def _explain(self, envelope: Envelope, request: ExplainSlot, now: float) -> None:
        named = AllocationId(request.request_id)
        request_id = self._pool.request_of(named) or request.request_id
        seen = self._pool.explain(request_id)
        if seen is None:
            raise UnknownRequest(f"this job has no request {request.request_id}")
        here = Explanation(
            request_id=request_id,
            state=seen.state,
            reason=_REASONS.get(seen.state, ""),
            profile=seen.profile,
            age=max(0.0, now - seen.since),
            deadline_in=None if seen.deadline is None else max(0.0, seen.deadline - now),
            allocation_id=seen.allocation_id,
        )
        if seen.state != "PENDING" or seen.allocation_id is None or not self._resource_manager:
            envelope.reply.succeed(here)
            return
        peer, leader_id = self._resource_manager
        self._calls.start(
            peer,
            ExplainSlotRequest(leader_id=leader_id, allocation_id=seen.allocation_id),
            lambda answer, _: envelope.reply.succeed(_explained(here, answer)),
            lambda _, __: envelope.reply.succeed(here),
        )

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
        self._interpret(effects)

    def _fail_slot(self, envelope: Envelope, request: FailSlot, now: float) -> None:
        self._executors.require(request.resource_id, envelope.caller)
        held = self._pool.held_at(request.resource_id)
        if request.allocation_id not in [slot.allocation_id for slot in held]:
            raise SlotNotFound(
                f"this job has no slot {request.allocation_id} of {request.resource_id}",
                allocation_id=request.allocation_id,
            )
        error = NoResourceAvailable(f"{request.resource_id} lost the slot: {request.cause}")
        self._interpret(self._pool.fail_allocation(request.allocation_id, error, now))
        envelope.reply.succeed(EMPTY)

    def _allocation_failed(
        self, envelope: Envelope, request: NotifyAllocationFailure, now: float
    ) -> None:
        error = error_of(request)
        self._interpret(self._pool.fail_allocation(request.allocation_id, error, now))
        envelope.reply.succeed(EMPTY)

    def _disconnect_executor(
        self, envelope: Envelope, request: DisconnectExecutorFromJob, now: float
    ) -> None:
        self.lose_executor(request.resource_id, request.cause, now)
        envelope.reply.succeed(EMPTY)

    def _beat(self, envelope: Envelope, _: HeartbeatOfJobMaster, now: float) -> None:
        self._link.beat(now)
        envelope.reply.succeed(EMPTY)

    # executors

    def lose_executor(self, resource_id: ResourceId, cause: str, now: float) -> None:
        """An executor is gone with its slots (H05, H13); an unknown one is ignored."""
        if self._executors.get(resource_id) is not None:
            self._executors.discard(resource_id)
            self._interpret(self._pool.lose_executor(resource_id, cause, now))

    def hung_up(self, caller: Caller, now: float) -> None:
        """A connection is gone, and who registered over it."""
        for resource_id in self._executors.of(caller):
            self.lose_executor(resource_id, "its connection broke", now)

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

    # the ResourceManager

    def connect(self, peer: Peer, leader_id: LeaderId, now: float) -> None:
        """Registered there: whatever waits is asked for."""
        self._resource_manager = (peer, leader_id)
        self._interpret(self._pool.connect_resource_manager(now))

    def disconnect(self, now: float) -> None:
        """Not registered anywhere."""
        self._resource_manager = None
        self._interpret(self._pool.disconnect_resource_manager(now))

    def _ask(self, effect: AskResourceManager) -> None:
        if self._resource_manager is None:
            return  # asked again on the next connection
        peer, leader_id = self._resource_manager
        request = RequestSlot(
            leader_id=leader_id,
            job_id=self._job.job_id,
            job_master_id=self._term.fence.leader_id,
            allocation_id=effect.allocation_id,
            target_address=self._services.address,
            profile=effect.profile,
            timeout=max(effect.timeout_s, 0.001),
        )

        def refused(error: SlotdError, now: float) -> None:
            if not isinstance(error, _LOST_LEADER) or isinstance(error, CallTimedOut):
                self._interpret(self._pool.request_refused(effect.allocation_id, error, now))

        self._calls.start(peer, request, _noted, refused)

    def _cancel(self, effect: CancelAtResourceManager) -> None:
        if self._resource_manager is not None:
            peer, leader_id = self._resource_manager
            request = CancelSlotRequest(leader_id=leader_id, allocation_id=effect.allocation_id)
            self._calls.tell(peer, request)

    # effects

    def _interpret(self, effects: list[SlotPoolEffect]) -> None:
        for effect in effects:
            match effect:
                case GrantRequest():
                    self._grant(effect)
                case FailRequest():
                    for asker in self._clients.settle(effect.request_id):
                        asker.reply.fail(effect.error)
                case FailPayload():
                    self._lose(effect)
                case AskResourceManager():
                    self._ask(effect)
                case CancelAtResourceManager():
                    self._cancel(effect)
                case FreeSlotAtExecutor():
                    self._free(effect)
                case DropExecutor():
                    self._drop(effect)

    def _grant(self, effect: GrantRequest) -> None:
        request_id = effect.request_id
        self._job.holdings[request_id] = Holding(request_id, effect.slot.allocation_id)
        for asker in self._clients.settle(request_id):
            self._job.holders[request_id] = asker.caller
            asker.reply.succeed(effect.slot)

    def _lose(self, effect: FailPayload) -> None:
        self._job.holdings.pop(effect.request_id, None)
        self._job.relay.fail(effect.request_id, effect.cause)
        holder = self._job.holders.pop(effect.request_id, None)
        if holder is not None:
            self._job.relay.send(
                holder,
                SlotLost(
                    job_id=self._job.job_id,
                    request_id=effect.request_id,
                    allocation_id=effect.allocation_id,
                    cause=effect.cause,
                ),
            )

    def _free(self, effect: FreeSlotAtExecutor) -> None:
        executor = self._executors.get(effect.resource_id)
        if executor is not None:
            self._calls.tell(executor.peer, FreeSlot(effect.allocation_id, effect.cause))

    def _drop(self, effect: DropExecutor) -> None:
        executor = self._executors.get(effect.resource_id)
        if executor is not None:
            me = job_master(self._job.job_id)
            self._calls.tell(executor.peer, DisconnectFromExecutor(me, effect.cause))
            self.lose_executor(effect.resource_id, effect.cause, trio.current_time())

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
        self._interpret(self._pool.suspend(self._term.cause))

    def close(self, cause: str) -> int:
        """The job is over: give everything back; the number of slots that were held (C37)."""
        counts = self._pool.counts()
        self._job.relay.fail_all(cause)
        self._interpret(self._pool.close(cause))
        self._job.holdings.clear()
        self._link.leave(self._calls, cause)
        return counts.allocated + counts.available


def _explained(here: Explanation, there: SlotRequestExplained) -> Explanation:
    return attrs.evolve(
        here,
        state=there.state,
        reason=there.reason,
        position=there.position,
        kinds=there.kinds,
        nearest=there.nearest,
    )


_REASONS = {
    "PENDING": "the ResourceManager was asked and has not answered yet",
    "WAITING_FOR_RESOURCE_MANAGER": "no ResourceManager leads now; it is asked as soon as one does",
    "ALLOCATED": "it has its slot",
    "RECOVERING": "it has a slot that is not back yet under the new leader",
}


def _noted(_: SlotRequestRegistered, __: float) -> None:
    """Registered means noted: the slot comes as an offer (B05)."""


def _wait_for_the_timeout(_: SlotdError, __: float) -> None:
    """A beat that failed is no beat: the deadline stands."""


def _nobody(_: RequestId) -> None:
    """Between two terms nobody waits for the end of a task."""
