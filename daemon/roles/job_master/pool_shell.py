"""What a SlotPool wants done, done: the shell of one term's pool towards everybody else."""

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
from daemon.core.job_master.slot_pool import Holding, SlotPool
from daemon.roles.calls import Calls, CallTimedOut
from daemon.roles.job_master.job import Job
from daemon.roles.job_master.job_clients import JobClients
from daemon.roles.job_master.job_executors import JobExecutors
from daemon.roles.leadership import Term
from daemon.roles.services import Services
from daemon.wire.peers import Peer
from protocol.errors import LeaderIdMismatch, NotLeader, PeerGone, SlotdError
from protocol.ids import LeaderId, ResourceId, job_master
from protocol.messages.client import SlotLost
from protocol.messages.resource_manager import (
    CancelSlotRequest,
    RequestSlot,
    SlotRequestRegistered,
)
from protocol.messages.task_executor import DisconnectFromExecutor, FreeSlot

_LOST_LEADER = (NotLeader, LeaderIdMismatch, PeerGone)
"""The ResourceManager that was asked is gone: the next one is asked again (X101)."""


class PoolShell:
    """``resource_manager`` is where the JobMaster is registered, if it is."""

    def __init__(
        self,
        job: Job,
        term: Term,
        services: Services,
        pool: SlotPool,
        clients: JobClients,
        executors: JobExecutors,
        calls: Calls,
    ) -> None:
        self._job = job
        self._term = term
        self._services = services
        self._pool = pool
        self._clients = clients
        self._executors = executors
        self._calls = calls
        self.resource_manager: tuple[Peer, LeaderId] | None = None

    def lose_executor(self, resource_id: ResourceId, cause: str, now: float) -> None:
        """An executor is gone with its slots (H05, H13); an unknown one is ignored."""
        if self._executors.get(resource_id) is not None:
            self._executors.discard(resource_id)
            self.interpret(self._pool.lose_executor(resource_id, cause, now))

    def drop_executor(self, resource_id: ResourceId, cause: str, now: float) -> None:
        """Lose an executor and tell it: it may live and only be cut off (H05)."""
        executor = self._executors.get(resource_id)
        if executor is not None:
            me = job_master(self._job.job_id)
            self._calls.tell(executor.peer, DisconnectFromExecutor(me, cause))
            self.lose_executor(resource_id, cause, now)

    def connect(self, peer: Peer, leader_id: LeaderId, now: float) -> None:
        """Registered there: whatever waits is asked for."""
        self.resource_manager = (peer, leader_id)
        self.interpret(self._pool.connect_resource_manager(now))

    def disconnect(self, now: float) -> None:
        """Not registered anywhere."""
        self.resource_manager = None
        self.interpret(self._pool.disconnect_resource_manager(now))

    def _ask(self, effect: AskResourceManager) -> None:
        if self.resource_manager is None:
            return  # asked again on the next connection
        peer, leader_id = self.resource_manager
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
                self.interpret(self._pool.request_refused(effect.allocation_id, error, now))

        self._calls.start(peer, request, _noted, refused)

    def _cancel(self, effect: CancelAtResourceManager) -> None:
        if self.resource_manager is not None:
            peer, leader_id = self.resource_manager
            request = CancelSlotRequest(leader_id=leader_id, allocation_id=effect.allocation_id)
            self._calls.tell(peer, request)

    def interpret(self, effects: list[SlotPoolEffect]) -> None:
        """Do what the pool wants, in its order."""
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
                    self.drop_executor(effect.resource_id, effect.cause, trio.current_time())

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


def _noted(_: SlotRequestRegistered, __: float) -> None:
    """Registered means noted: the slot comes as an offer (B05)."""
