"""The TaskExecutor's core: who has which slot, what was offered to whom, what runs in it."""

import attrs

from daemon.core.effects import SlotTableEffect
from protocol.ids import AllocationId, JobId, LeaderId, ResourceId, SlotId, TaskId
from protocol.messages.values import HeldSlot, SlotStatus
from protocol.resources import ResourceProfile


@attrs.frozen
class SlotTableSettings:
    """Durations in seconds. ``slot_timeout_s``: allocated, not yet accepted by the JobMaster."""

    slot_timeout_s: float = 10.0


class SlotTable:
    """FREE -> ALLOCATED (timer runs) -> ACTIVE -> RELEASING -> FREE, for a fixed set of slots.

    Lives as long as its TaskExecutor: leaders of others come and go (E18).
    """

    def __init__(
        self, resource_id: ResourceId, profiles: list[ResourceProfile], settings: SlotTableSettings
    ) -> None:
        """Raises ValueError without slots (E35)."""
        raise NotImplementedError

    # the ResourceManager

    def connect_resource_manager(self, leader_id: LeaderId) -> None:
        """Registered (first report included): requests of this leader are heard (E32)."""
        raise NotImplementedError

    def disconnect_resource_manager(self) -> None:
        """No ResourceManager: refuse slot requests (E03)."""
        raise NotImplementedError

    def request_slot(
        self,
        leader_id: LeaderId,
        slot_id: SlotId,
        job_id: JobId,
        allocation_id: AllocationId,
        target_address: str,
        now: float,
    ) -> list[SlotTableEffect]:
        """Give a slot to an allocation (E03-E08, E22, E34).

        Raises:
            SlotAllocationFailed: not connected to a ResourceManager, stopping, or the slot is
                being released.
            LeaderIdMismatch: the caller is not the connected ResourceManager (B15, E04).
            SlotNotFound: no such slot.
            SlotOccupied: another allocation holds it, or this allocation holds another slot.
        """
        raise NotImplementedError

    # JobMasters

    def connect_job_master(
        self, job_id: JobId, leader_id: LeaderId, now: float
    ) -> list[SlotTableEffect]:
        """Registered at a job's leader: offer it what is ALLOCATED (E10). A new leader id while one is
        connected disconnects the old one first (E17).
        """
        raise NotImplementedError

    def disconnect_job_master(
        self, job_id: JobId, leader_id: LeaderId, cause: str, now: float
    ) -> list[SlotTableEffect]:
        """A job's leader is lost: its ACTIVE slots are ALLOCATED again, with a new timer; tasks run on
        (E18). Another leader id than the connected one is ignored (X506).
        """
        raise NotImplementedError

    def offer_answered(
        self,
        job_id: JobId,
        leader_id: LeaderId,
        serial: int,
        accepted: list[AllocationId],
        now: float,
    ) -> list[SlotTableEffect]:
        """The JobMaster's answer: accepted slots are ACTIVE, the rest are freed (E11, E13, E14)."""
        raise NotImplementedError

    def offer_timed_out(
        self, job_id: JobId, leader_id: LeaderId, serial: int, now: float
    ) -> list[SlotTableEffect]:
        """No answer in time: offer what is still ALLOCATED again at once (E12)."""
        raise NotImplementedError

    def offer_failed(
        self, job_id: JobId, leader_id: LeaderId, serial: int, cause: str, now: float
    ) -> list[SlotTableEffect]:
        """Any other error: free all offered slots (E12)."""
        raise NotImplementedError

    def reconcile(self, job_id: JobId, held: list[HeldSlot], now: float) -> list[SlotTableEffect]:
        """The JobMaster's beat says what it believes it holds here; ALLOCATED slots stay (E33)."""
        raise NotImplementedError

    # slots and tasks

    def free_slot(
        self, allocation_id: AllocationId, cause: str, now: float
    ) -> list[SlotTableEffect]:
        """End an allocation; with tasks in it: RELEASING until they are gone (E21, E45)."""
        raise NotImplementedError

    def add_task(
        self,
        job_id: JobId,
        leader_id: LeaderId,
        allocation_id: AllocationId,
        task_id: TaskId,
        now: float,
    ) -> tuple[bool, list[SlotTableEffect]]:
        """A task for a slot; activates it (E14). False: this task is already there (E24).

        Raises:
            NotLeader, LeaderIdMismatch: no connection to the job, or another leader (E15).
            SlotNotFound: no ALLOCATED or ACTIVE slot has this allocation of this job (E15, E23).
        """
        raise NotImplementedError

    def task_finished(self, task_id: TaskId, now: float) -> list[SlotTableEffect]:
        """A task's processes are gone; the last one of a RELEASING slot frees it (E21)."""
        raise NotImplementedError

    def stop(self, cause: str, now: float) -> list[SlotTableEffect]:
        """Free every slot and give none any more (E43); ``is_empty`` tells when it is done (E38)."""
        raise NotImplementedError

    # time and views

    @property
    def is_empty(self) -> bool:
        """Whether every slot is free."""
        raise NotImplementedError

    @property
    def next_deadline(self) -> float:
        """When ``expire`` has something to do; ``math.inf`` when never."""
        raise NotImplementedError

    def expire(self, now: float) -> list[SlotTableEffect]:
        """Free the slots whose timer ran out (E19)."""
        raise NotImplementedError

    def report(self) -> list[SlotStatus]:
        """Every slot, free ones without job and allocation (E25)."""
        raise NotImplementedError

    def slot_of(self, allocation_id: AllocationId) -> SlotId | None:
        """The slot that an allocation has."""
        raise NotImplementedError

    def check_invariants(self) -> None:
        """Assert section 5.2 of the catalogue; for tests and the simulator."""
        raise NotImplementedError
