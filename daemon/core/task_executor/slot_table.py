"""The TaskExecutor's core: who has which slot, what was offered to whom, what runs in it."""

import attrs

from daemon.core.effects import (
    SlotTableEffect,
    StopTask,
    TellJobSlotFailed,
    TellSlotAvailable,
)
from daemon.core.task_executor.job_links import JobLinks
from daemon.core.task_executor.slot_admission import (
    check_resource_manager,
    has_slot_already,
    slot_for_task,
)
from daemon.core.task_executor.slot_book import SlotBook, holds
from daemon.core.task_executor.slot_states import (
    FREE,
    Active,
    Allocated,
    Held,
    Releasing,
    SlotState,
)
from protocol.ids import AllocationId, JobId, LeaderId, ResourceId, SlotId, TaskId
from protocol.ids import slot_id as make_slot_id
from protocol.messages.values import HeldSlot, SlotStatus
from protocol.resources import ResourceProfile


@attrs.frozen
class SlotTableSettings:
    """Durations in seconds. ``slot_timeout_s``: allocated, not yet accepted by the JobMaster."""

    slot_timeout_s: float = 10.0


class SlotTable:
    """FREE -> ALLOCATED (timer runs) -> ACTIVE -> RELEASING -> FREE, for a fixed set of slots.

    Lives as long as its TaskExecutor: leaders of others come and go (E18). While a job's leader is
    connected, every ALLOCATED slot of the job is in an unanswered offer.
    """

    def __init__(
        self, resource_id: ResourceId, profiles: list[ResourceProfile], settings: SlotTableSettings
    ) -> None:
        """Raises ValueError without slots (E35)."""
        if not profiles:
            raise ValueError(f"profiles: expected at least one slot for {resource_id}, got none")
        self._settings = settings
        self._book = SlotBook({make_slot_id(resource_id, i): p for i, p in enumerate(profiles)})
        self._links = JobLinks(self._book, settings.slot_timeout_s)
        self._resource_manager: LeaderId | None = None
        self._is_stopping = False

    # the ResourceManager

    def connect_resource_manager(self, leader_id: LeaderId) -> None:
        """Registered (first report included): requests of this leader are heard (E32)."""
        self._resource_manager = leader_id

    def disconnect_resource_manager(self) -> None:
        """No ResourceManager: refuse slot requests (E03)."""
        self._resource_manager = None

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
            SlotAllocationFailed: not connected to a ResourceManager, stopping, the slot is being
                released, or the allocation has another slot (``data.slot_id``) or job.
            LeaderIdMismatch: the caller is not the connected ResourceManager (B15, E04).
            SlotNotFound: no such slot.
            SlotOccupied: another allocation (``data.allocation_id``) holds it.
        """
        check_resource_manager(self._resource_manager, leader_id, is_stopping=self._is_stopping)
        if has_slot_already(self._book, slot_id, job_id, allocation_id):
            return self._links.watch(job_id, target_address)
        deadline = now + self._settings.slot_timeout_s
        self._book.put(slot_id, Allocated(job_id, allocation_id, deadline, "it was allocated"))
        watch = self._links.watch(job_id, target_address)
        return watch + self._links.offer(job_id, [allocation_id])

    # JobMasters

    def connect_job_master(
        self, job_id: JobId, leader_id: LeaderId, now: float
    ) -> list[SlotTableEffect]:
        """Registered at a job's leader: offer it what is ALLOCATED (E10).

        A new leader id while one is connected disconnects the old one first (E17). The connected
        one again (E16), or a job that has no slot here: nothing.
        """
        return self._links.connect(job_id, leader_id, now)

    def disconnect_job_master(
        self, job_id: JobId, leader_id: LeaderId, cause: str, now: float
    ) -> list[SlotTableEffect]:
        """A job's leader is lost: ACTIVE slots are ALLOCATED again with a new timer, tasks run on.

        Another leader id than the connected one is ignored (E18, X506).
        """
        self._links.disconnect(job_id, leader_id, cause, now)
        return []

    def offer_answered(
        self,
        job_id: JobId,
        leader_id: LeaderId,
        serial: int,
        accepted: list[AllocationId],
        now: float,
    ) -> list[SlotTableEffect]:
        """The JobMaster's answer: accepted slots are ACTIVE, the rest are freed (E11, E13, E14).

        It is told of what it accepted but cannot have any more.
        """
        if self._links.leader_of(job_id) != leader_id:
            return []
        effects: list[SlotTableEffect] = []
        for allocation_id in dict.fromkeys(accepted):
            if self._book.usable(job_id, allocation_id) is None:
                effects.append(_tell_gone(job_id, leader_id, allocation_id))
        for allocation_id in self._links.settle(job_id, leader_id, serial):
            if allocation_id in accepted:
                self._book.activate(allocation_id)
            else:
                effects += self._free(allocation_id, "its JobMaster refused the slot")
        return effects

    def offer_timed_out(
        self, job_id: JobId, leader_id: LeaderId, serial: int, now: float
    ) -> list[SlotTableEffect]:
        """No answer in time: offer what is still ALLOCATED again at once, for ever (E12)."""
        settled = self._links.settle(job_id, leader_id, serial)
        return self._links.offer(job_id, [a for a in settled if self._book.is_waiting(a)])

    def offer_failed(
        self, job_id: JobId, leader_id: LeaderId, serial: int, cause: str, now: float
    ) -> list[SlotTableEffect]:
        """The JobMaster answered with an error: free all offered slots (E12).

        A connection that broke is no answer: that is ``disconnect_job_master``.
        """
        effects: list[SlotTableEffect] = []
        for allocation_id in self._links.settle(job_id, leader_id, serial):
            effects += self._free(allocation_id, f"the offer to its JobMaster failed: {cause}")
        return effects

    def reconcile(self, job_id: JobId, held: list[HeldSlot], now: float) -> list[SlotTableEffect]:
        """The JobMaster's beat says what it believes it holds here (E33).

        ACTIVE slots that it does not list are freed; it is told of those it lists that do not
        serve it. A slot whose offer is unanswered stays: the beat may be older than the answer.
        """
        leader_id = self._links.leader_of(job_id)
        if leader_id is None:
            return []
        known = {claim.allocation_id for claim in held if holds(self._book, job_id, claim)}
        effects: list[SlotTableEffect] = []
        for _, state in self._book.of_job(job_id):
            is_settled = not self._links.is_offered(job_id, state.allocation_id)
            if isinstance(state, Active) and is_settled and state.allocation_id not in known:
                effects += self._free(state.allocation_id, "its JobMaster does not know of it")
        for claim in held:
            if claim.allocation_id not in known:
                effects.append(_tell_gone(job_id, leader_id, claim.allocation_id))
        return effects

    # slots and tasks

    def free_slot(
        self,
        allocation_id: AllocationId,
        cause: str,
        now: float,
        *,
        even_if_accepted: bool = True,
    ) -> list[SlotTableEffect]:
        """End an allocation; with tasks in it: RELEASING until they are gone (E21, E45).

        Unless ``even_if_accepted``, a slot that is ACTIVE or has tasks stays: the caller only wants
        back what nobody took (X214).
        """
        held = self._book.held(allocation_id)
        is_taken = held is not None and (isinstance(held[1], Active) or bool(held[1].tasks))
        if is_taken and not even_if_accepted:
            return []
        return self._free(allocation_id, cause)

    def _free(self, allocation_id: AllocationId, cause: str) -> list[SlotTableEffect]:
        held = self._book.held(allocation_id)
        if held is None or isinstance(held[1], Releasing):
            return []
        slot, state = held
        self._links.withdraw(state.job_id, allocation_id)
        if not state.tasks:
            return self._vacate(slot, state)
        self._book.put(slot, Releasing(state.job_id, allocation_id, state.tasks, cause))
        return [StopTask(task_id, cause) for task_id in state.tasks]

    def _vacate(self, slot: SlotId, state: Held) -> list[SlotTableEffect]:
        """The slot is free: tell the ResourceManager, forget a job that has no other (E20)."""
        self._book.put(slot, FREE)
        effects: list[SlotTableEffect] = []
        if self._resource_manager is not None and not self._is_stopping:
            effects.append(TellSlotAvailable(slot, state.allocation_id))
        return effects + self._links.unwatch_if_empty(state.job_id)

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
            InvalidParams: the task is in another slot.
        """
        self._links.require(job_id, leader_id)
        slot, state = slot_for_task(self._book, job_id, allocation_id, task_id)
        if task_id in state.tasks:
            return False, []
        self._book.put(slot, Active(job_id, allocation_id, (*state.tasks, task_id)))
        return True, []

    def task_finished(self, task_id: TaskId, now: float) -> list[SlotTableEffect]:
        """A task's processes are gone; the last one of a RELEASING slot frees it (E21)."""
        held = self._book.with_task(task_id)
        if held is None:
            return []
        slot, state = held
        tasks = tuple(other for other in state.tasks if other != task_id)
        if isinstance(state, Releasing) and not tasks:
            return self._vacate(slot, state)
        self._book.put(slot, attrs.evolve(state, tasks=tasks))
        return []

    def stop(self, cause: str, now: float) -> list[SlotTableEffect]:
        """Free every slot and give none any more (E43); ``is_empty`` says when it is done (E38)."""
        self._is_stopping = True
        effects: list[SlotTableEffect] = []
        for _, state in self._book.all_held():
            effects += self._free(state.allocation_id, cause)
        return effects

    # time and views

    @property
    def is_empty(self) -> bool:
        """Whether every slot is free."""
        return not self._book.all_held()

    @property
    def next_deadline(self) -> float:
        """When ``expire`` has something to do; ``math.inf`` when never."""
        return self._book.next_deadline

    def expire(self, now: float) -> list[SlotTableEffect]:
        """Free the slots whose timer ran out (E19).

        In an unanswered offer it starts again, or a slot would be free before its retry (E12).
        """
        effects: list[SlotTableEffect] = []
        for state in self._book.pop_due(now):
            if self._links.is_offered(state.job_id, state.allocation_id):
                self._book.restart_timer(state, now + self._settings.slot_timeout_s)
                continue
            cause = f"no JobMaster accepted the slot in time after: {state.since}"
            effects += self._free(state.allocation_id, cause)
        return effects

    def report(self) -> list[SlotStatus]:
        """Every slot, free ones without job and allocation (E25)."""
        return self._book.report()

    def state_of(self, slot_id: SlotId) -> SlotState:
        """The state of a slot. Raises KeyError if there is no such slot."""
        return self._book.state_of(slot_id)

    def slot_of(self, allocation_id: AllocationId) -> SlotId | None:
        """The slot that an allocation has."""
        held = self._book.held(allocation_id)
        return held[0] if held else None

    def check_invariants(self) -> None:
        """Assert section 5.2 of the catalogue; for tests and the simulator."""
        self._book.check_invariants()
        self._links.check_invariants()


def _tell_gone(
    job_id: JobId, leader_id: LeaderId, allocation_id: AllocationId
) -> TellJobSlotFailed:
    cause = "the executor has no such slot for this job"
    return TellJobSlotFailed(job_id, leader_id, allocation_id, cause)
