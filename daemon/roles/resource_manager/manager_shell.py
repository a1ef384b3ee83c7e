"""What a SlotManager wants done, done: the shell of one term's manager towards everybody else."""

from functools import partial

import structlog

from daemon.core.effects import (
    AskExecutorForRelease,
    AskExecutorForSlot,
    FreeSlotAtInstance,
    ReleaseExecutor,
    SlotManagerEffect,
    StartExecutor,
    TellJobAllocationFailed,
)
from daemon.core.resource_manager.slot_manager import SlotManager
from daemon.roles.calls import Calls
from daemon.roles.leadership import Term
from daemon.roles.mailbox import Mailbox
from daemon.roles.newsroom import Newsroom
from daemon.roles.resource_manager.allocation_failures import notice_of
from daemon.roles.resource_manager.registered_executors import RegisteredExecutors
from daemon.roles.resource_manager.registered_jobs import RegisteredJobs
from protocol.errors import SlotdError, SlotOccupied
from protocol.ids import HEX_ID, RESOURCE_MANAGER, AllocationId, InstanceId, SlotId
from protocol.messages.task_executor import (
    DisconnectFromExecutor,
    FreeSlot,
    RequestSlotOfExecutor,
)
from protocol.news import News

log = structlog.get_logger()


class ManagerShell:
    """Executors and jobs are called through their registrations; news are published."""

    def __init__(
        self,
        term: Term,
        manager: SlotManager,
        executors: RegisteredExecutors,
        jobs: RegisteredJobs,
        newsroom: Newsroom,
        calls: Calls,
        mailbox: Mailbox,
    ) -> None:
        self._term = term
        self._manager = manager
        self._executors = executors
        self._jobs = jobs
        self._newsroom = newsroom
        self._calls = calls
        self._mailbox = mailbox

    def interpret(self, effects: list[SlotManagerEffect]) -> None:
        """Do what the SlotManager wants, in its order."""
        for effect in effects:
            match effect:
                case News():
                    self._newsroom.publish(effect)
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
            lambda _, now: self.interpret(
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
        self.interpret(
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
        self.interpret(self._manager.executor_may_go(effect.instance_id, effect.idle_since, now))

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
