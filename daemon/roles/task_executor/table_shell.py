"""What a SlotTable wants done, done: the shell of one executor's table towards everybody else."""

from daemon.core.effects import (
    OfferSlotsToJob,
    SlotTableEffect,
    StopTask,
    TellJobSlotFailed,
    TellSlotAvailable,
    UnwatchJob,
    WatchJob,
)
from daemon.core.task_executor.slot_table import SlotTable
from daemon.roles.calls import Calls, CallTimedOut
from daemon.roles.task_executor.executor_link import ExecutorLink
from daemon.roles.task_executor.executor_tasks import ExecutorTasks
from daemon.roles.task_executor.job_connections import JobConnections
from protocol.errors import (
    LeaderIdMismatch,
    NotLeader,
    PeerGone,
    SlotdError,
    UnknownJob,
    UnknownTaskExecutor,
)
from protocol.ids import ResourceId
from protocol.messages.job_master import FailSlot, OfferSlots, SlotsAccepted
from protocol.messages.resource_manager import NotifySlotAvailable

_LOST_LEADER = (PeerGone, NotLeader, LeaderIdMismatch, UnknownJob, UnknownTaskExecutor)
"""The JobMaster does not know this registration any more: register again, then offer again."""


class TableShell:
    """Jobs are called through their connections, the ResourceManager through the link."""

    def __init__(
        self,
        resource_id: ResourceId,
        table: SlotTable,
        jobs: JobConnections,
        link: ExecutorLink,
        tasks: ExecutorTasks,
        calls: Calls,
    ) -> None:
        self._resource_id = resource_id
        self._table = table
        self._jobs = jobs
        self._link = link
        self._tasks = tasks
        self._calls = calls

    def interpret(self, effects: list[SlotTableEffect]) -> None:
        """Do what the table wants, in its order."""
        for effect in effects:
            match effect:
                case WatchJob():
                    self._jobs.watch(effect.job_id, effect.target_address)
                case UnwatchJob():
                    self._jobs.unwatch(effect.job_id, "no slot of this job is left here")
                case OfferSlotsToJob():
                    self._offer(effect)
                case TellSlotAvailable():
                    self._tell_available(effect)
                case TellJobSlotFailed():
                    self._tell_failed(effect)
                case StopTask():
                    self._tasks.evict(effect.task_id, effect.cause, effect.grace_s)

    def _offer(self, effect: OfferSlotsToJob) -> None:
        leader = self._jobs.leader_of(effect.job_id)
        if leader is None or leader[1] != effect.leader_id:
            return  # offered again to the next one
        job, leader_id, serial = effect.job_id, effect.leader_id, effect.serial

        def answered(answer: SlotsAccepted, now: float) -> None:
            self.interpret(self._table.offer_answered(job, leader_id, serial, answer.accepted, now))

        def failed(error: SlotdError, now: float) -> None:
            if isinstance(error, CallTimedOut):
                self.interpret(self._table.offer_timed_out(job, leader_id, serial, now))
            elif isinstance(error, _LOST_LEADER):
                self._jobs.lost(job, leader_id, error.message)
            else:
                self.interpret(self._table.offer_failed(job, leader_id, serial, error.message, now))

        offer = OfferSlots(
            leader_id=leader_id,
            job_id=job,
            resource_id=self._resource_id,
            slots=list(effect.slots),
        )
        self._calls.start(leader[0], offer, answered, failed)

    def _tell_available(self, effect: TellSlotAvailable) -> None:
        if self._link.registration is not None:
            leader_id, instance_id = self._link.registration
            request = NotifySlotAvailable(
                leader_id=leader_id,
                instance_id=instance_id,
                slot_id=effect.slot_id,
                allocation_id=effect.allocation_id,
            )
            self._calls.tell(self._link.peer, request)

    def _tell_failed(self, effect: TellJobSlotFailed) -> None:
        leader = self._jobs.leader_of(effect.job_id)
        if leader is not None and leader[1] == effect.leader_id:
            request = FailSlot(
                leader_id=effect.leader_id,
                job_id=effect.job_id,
                resource_id=self._resource_id,
                allocation_id=effect.allocation_id,
                cause=effect.cause,
            )
            self._calls.tell(leader[0], request)
