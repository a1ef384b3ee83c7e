"""The slots of a TaskExecutor, one state each; only ``put`` changes one, with its indexes."""

from collections.abc import Mapping

import attrs

from daemon.core.deadlines import Deadlines
from daemon.core.task_executor.slot_states import (
    FREE,
    Active,
    Allocated,
    Free,
    Held,
    Releasing,
    SlotState,
    Usable,
)
from protocol.ids import AllocationId, JobId, SlotId, TaskId, slot_number_of
from protocol.messages.values import HeldSlot, SlotOffer, SlotStatus
from protocol.resources import ResourceProfile


class SlotBook:
    """Every slot with its profile and state, found by id, allocation, task or job."""

    def __init__(self, profiles: Mapping[SlotId, ResourceProfile]) -> None:
        self._profiles = dict(profiles)
        self._states: dict[SlotId, SlotState] = dict.fromkeys(profiles, FREE)
        self._by_allocation: dict[AllocationId, SlotId] = {}
        self._by_task: dict[TaskId, SlotId] = {}
        self._by_job: dict[JobId, dict[SlotId, None]] = {}
        self._timers = Deadlines[SlotId]()

    def put(self, slot: SlotId, state: SlotState) -> None:
        """Give ``slot`` a state. An ALLOCATED one falls due at its deadline, others never do."""
        old = self._states[slot]
        if not isinstance(old, Free):
            self._forget(slot, old)
        self._states[slot] = state
        if not isinstance(state, Free):
            self._index(slot, state)
        if isinstance(state, Allocated):
            self._timers.set(slot, state.deadline)
        else:
            self._timers.discard(slot)

    def _forget(self, slot: SlotId, state: Held) -> None:
        del self._by_allocation[state.allocation_id]
        for task_id in state.tasks:
            del self._by_task[task_id]
        slots = self._by_job[state.job_id]
        del slots[slot]
        if not slots:
            del self._by_job[state.job_id]

    def _index(self, slot: SlotId, state: Held) -> None:
        self._by_allocation[state.allocation_id] = slot
        for task_id in state.tasks:
            self._by_task[task_id] = slot
        self._by_job.setdefault(state.job_id, {})[slot] = None

    def activate(self, allocation_id: AllocationId) -> None:
        """The ALLOCATED slot of an allocation is ACTIVE from now on; others stay as they are."""
        held = self.held(allocation_id)
        if held is not None and isinstance(held[1], Allocated):
            self.put(held[0], Active(held[1].job_id, allocation_id, held[1].tasks))

    def is_waiting(self, allocation_id: AllocationId) -> bool:
        """Whether the allocation has an ALLOCATED slot."""
        held = self.held(allocation_id)
        return held is not None and isinstance(held[1], Allocated)

    def __contains__(self, slot: SlotId) -> bool:
        return slot in self._states

    def state_of(self, slot: SlotId) -> SlotState:
        """The state of a slot that exists."""
        return self._states[slot]

    def held(self, allocation_id: AllocationId) -> tuple[SlotId, Held] | None:
        """The slot of an allocation, with its state."""
        slot = self._by_allocation.get(allocation_id)
        return None if slot is None else self._held(slot)

    def usable(self, job_id: JobId, allocation_id: AllocationId) -> tuple[SlotId, Usable] | None:
        """The ALLOCATED or ACTIVE slot of an allocation of this job, with its state."""
        held = self.held(allocation_id)
        if held is None or isinstance(held[1], Releasing) or held[1].job_id != job_id:
            return None
        return held[0], held[1]

    def with_task(self, task_id: TaskId) -> tuple[SlotId, Held] | None:
        """The slot that a task is in, with its state."""
        slot = self._by_task.get(task_id)
        return None if slot is None else self._held(slot)

    def of_job(self, job_id: JobId) -> list[tuple[SlotId, Held]]:
        """The slots of a job with their states, longest unchanged first."""
        return [self._held(slot) for slot in self._by_job.get(job_id, ())]

    def all_held(self) -> list[tuple[SlotId, Held]]:
        """The slots that are not free with their states, in the order of their numbers."""
        return [(s, state) for s, state in self._states.items() if not isinstance(state, Free)]

    def _held(self, slot: SlotId) -> tuple[SlotId, Held]:
        state = self._states[slot]
        assert not isinstance(state, Free), f"{slot} is in an index but free"
        return slot, state

    def offer(self, allocation_id: AllocationId) -> SlotOffer:
        """The slot of an allocation as it is offered to the job's leader."""
        slot = self._by_allocation[allocation_id]
        return SlotOffer(allocation_id, slot_number_of(slot), self._profiles[slot])

    def report(self) -> list[SlotStatus]:
        """Every slot, free ones without job and allocation (E25)."""
        return [
            SlotStatus(slot, self._profiles[slot])
            if isinstance(state, Free)
            else SlotStatus(slot, self._profiles[slot], state.allocation_id, state.job_id)
            for slot, state in self._states.items()
        ]

    @property
    def next_deadline(self) -> float:
        """When the earliest ALLOCATED slot falls due; ``math.inf`` when none does."""
        return self._timers.next

    def pop_due(self, now: float) -> list[Allocated]:
        """The ALLOCATED slots that are due, earliest first; each gets a new state or timer."""
        due = [self._states[slot] for slot in self._timers.pop_due(now)]
        return [state for state in due if isinstance(state, Allocated)]

    def restart_timer(self, state: Allocated, deadline: float) -> None:
        """A slot that was due stays ALLOCATED until ``deadline``."""
        slot = self._by_allocation[state.allocation_id]
        self._states[slot] = attrs.evolve(state, deadline=deadline)
        self._timers.set(slot, deadline)

    def check_invariants(self) -> None:
        """Assert that indexes and timers say what the states say (section 5.2 of the catalogue)."""
        held = self.all_held()
        assert self._by_allocation == {state.allocation_id: slot for slot, state in held}
        assert len(self._by_allocation) == len(held), "an allocation has two slots"
        tasks = [(task, slot) for slot, state in held for task in state.tasks]
        assert self._by_task == dict(tasks)
        assert len(self._by_task) == len(tasks), "a task is in two slots"
        jobs = {(job, slot) for job, slots in self._by_job.items() for slot in slots}
        assert jobs == {(state.job_id, slot) for slot, state in held}
        assert all(self._by_job.values()), "a job without slots is remembered"
        for slot, state in self._states.items():
            due = state.deadline if isinstance(state, Allocated) else None
            assert self._timers.get(slot) == due, f"{slot}: its timer and its state disagree"
            assert not isinstance(state, Releasing) or state.tasks, f"{slot} is released for ever"


def holds(book: SlotBook, job_id: JobId, claim: HeldSlot) -> bool:
    """Whether the slot that a JobMaster believes it holds serves it indeed (E33)."""
    held = book.usable(job_id, claim.allocation_id)
    return held is not None and slot_number_of(held[0]) == claim.slot_number
