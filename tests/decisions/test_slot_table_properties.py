"""Any order of inputs: the slot table agrees with a naive model, and its invariants hold.

The model keeps a list of rows and searches it; it knows no index, no timer and no state class.
"""

import math
from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from daemon.core.effects import (
    OfferSlotsToJob,
    SlotTableEffect,
    StopTask,
    TellJobSlotFailed,
    TellSlotAvailable,
    UnwatchJob,
    WatchJob,
)
from daemon.core.task_executor.slot_states import Allocated, Free
from daemon.core.task_executor.slot_table import SlotTable
from protocol.errors import SlotdError
from protocol.ids import AllocationId, JobId, LeaderId, SlotId, TaskId
from protocol.messages.values import HeldSlot, SlotStatus
from tests.decisions.slot_tables import OTHER_RM, RM, TIMEOUT, P, new_table, slot

SLOTS = 4
JOBS = [JobId("job-1"), JobId("job-2")]
LEADERS = [LeaderId("jm-1"), LeaderId("jm-2")]
ALLOCATIONS = [AllocationId(f"a{n}") for n in range(6)]
TASKS = [TaskId(f"t{n}") for n in range(5)]
ADDRESSES = ["h:1", "h:2"]

jobs = st.sampled_from(JOBS)
leaders = st.sampled_from(LEADERS)
allocations = st.sampled_from(ALLOCATIONS)
tasks = st.sampled_from(TASKS)


@attrs.define
class Row:
    """What the model knows of a slot. ``state``: FREE, ALLOCATED, ACTIVE or RELEASING."""

    number: int
    state: str = "FREE"
    job_id: JobId | None = None
    allocation_id: AllocationId | None = None
    deadline: float = math.inf
    serial: int = 0  # of the newest unanswered offer
    tasks: list[TaskId] = attrs.field(factory=list[TaskId])

    @property
    def serves(self) -> bool:
        return self.state in ("ALLOCATED", "ACTIVE")


class SlotTables(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.now = 0.0
        self.table: SlotTable = new_table(SLOTS)
        self.rows = [Row(number) for number in range(SLOTS)]
        self.resource_manager: LeaderId | None = None
        self.job_masters: dict[JobId, LeaderId] = {}
        self.watched: dict[JobId, str] = {}
        self.offered: list[OfferSlotsToJob] = []
        self.stopped = False

    # the model's own rules

    def row_of(self, allocation_id: AllocationId) -> Row | None:
        return next((r for r in self.rows if r.allocation_id == allocation_id), None)

    def end(self, row: Row) -> None:
        row.serial, row.deadline = 0, math.inf
        if row.tasks:
            row.state = "RELEASING"
        else:
            row.state, row.job_id, row.allocation_id = "FREE", None, None
            self.job_masters = {
                job: leader
                for job, leader in self.job_masters.items()
                if any(r.job_id == job for r in self.rows)
            }

    def lose_job_master(self, job_id: JobId) -> None:
        self.job_masters.pop(job_id, None)
        for row in self.rows:
            if row.job_id == job_id and row.serves:
                row.serial = 0
                if row.state == "ACTIVE":
                    row.state, row.deadline = "ALLOCATED", self.now + TIMEOUT

    # what an input may lead to

    def happened(self, effects: list[SlotTableEffect]) -> None:
        """Book the effects; the model has changed already, the table's last view has not."""
        told = [e for e in effects if isinstance(e, TellSlotAvailable)]
        tells = self.resource_manager is not None and not self.stopped
        freed = [
            (slot(old.number), old.allocation_id)
            for old, row in zip(self.before, self.rows, strict=True)
            if old.allocation_id is not None and row.allocation_id != old.allocation_id
        ]
        assert sorted((t.slot_id, t.allocation_id) for t in told) == (
            sorted(freed) if tells else []
        )
        stopped = sorted(e.task_id for e in effects if isinstance(e, StopTask))
        assert stopped == sorted(
            task
            for old, row in zip(self.before, self.rows, strict=True)
            if old.state != "RELEASING" and row.state == "RELEASING"
            for task in row.tasks
        )
        for effect in effects:
            self.book(effect)

    def book(self, effect: SlotTableEffect) -> None:
        match effect:
            case WatchJob(job_id=job_id, target_address=address):
                assert self.watched.get(job_id) != address
                self.watched[job_id] = address
            case UnwatchJob(job_id=job_id):
                del self.watched[job_id]
            case OfferSlotsToJob(job_id=job_id, leader_id=leader_id, serial=serial, slots=slots):
                assert self.job_masters[job_id] == leader_id
                assert slots
                assert all(serial > earlier.serial for earlier in self.offered)
                self.offered.append(effect)
                for offer in slots:
                    row = self.rows[offer.slot_number]
                    assert (row.state, row.job_id) == ("ALLOCATED", job_id)
                    assert (row.allocation_id, row.serial) == (offer.allocation_id, 0)
                    row.serial = serial
            case TellJobSlotFailed(job_id=job_id, leader_id=leader_id):
                assert self.job_masters_before[job_id] == leader_id
            case TellSlotAvailable() | StopTask():
                pass

    def copy(self) -> None:
        self.job_masters_before = dict(self.job_masters)
        self.before = [attrs.evolve(row, tasks=list(row.tasks)) for row in self.rows]

    def refused(self, call: Any, *args: Any) -> None:
        with pytest.raises(SlotdError):
            call(*args)

    # inputs

    @rule(leader_id=st.sampled_from([RM, OTHER_RM, None]))
    def resource_manager_comes_or_goes(self, leader_id: LeaderId | None) -> None:
        self.resource_manager = leader_id
        if leader_id is None:
            self.table.disconnect_resource_manager()
        else:
            self.table.connect_resource_manager(leader_id)

    @rule(
        leader_id=st.sampled_from([RM, RM, RM, OTHER_RM]),
        number=st.integers(0, SLOTS),
        job_id=jobs,
        allocation_id=allocations,
        address=st.sampled_from(ADDRESSES),
    )
    def request_slot(
        self,
        leader_id: LeaderId,
        number: int,
        job_id: JobId,
        allocation_id: AllocationId,
        address: str,
    ) -> None:
        self.copy()
        args = (leader_id, slot(number), job_id, allocation_id, address, self.now)
        row = self.rows[number] if number < SLOTS else None
        other = self.row_of(allocation_id)
        repeated = other is not None and other is row and row.job_id == job_id and row.serves
        new = row is not None and row.state == "FREE" and other is None
        if self.stopped or leader_id != self.resource_manager or not (repeated or new):
            self.refused(self.table.request_slot, *args)
            return
        if row is not None and new:
            row.state, row.job_id, row.allocation_id = "ALLOCATED", job_id, allocation_id
            row.deadline = self.now + TIMEOUT
        self.happened(self.table.request_slot(*args))
        assert self.watched[job_id] == address

    @rule(job_id=jobs, leader_id=leaders)
    def connect_job_master(self, job_id: JobId, leader_id: LeaderId) -> None:
        self.copy()
        if any(r.job_id == job_id for r in self.rows) and (
            self.job_masters.get(job_id) != leader_id
        ):
            self.lose_job_master(job_id)
            self.job_masters[job_id] = leader_id
        self.happened(self.table.connect_job_master(job_id, leader_id, self.now))

    @rule(job_id=jobs, leader_id=leaders)
    def disconnect_job_master(self, job_id: JobId, leader_id: LeaderId) -> None:
        self.copy()
        if self.job_masters.get(job_id) == leader_id:
            self.lose_job_master(job_id)
        self.happened(self.table.disconnect_job_master(job_id, leader_id, "lost", self.now))

    @precondition(lambda self: self.offered)
    @rule(data=st.data(), outcome=st.sampled_from(["answer", "answer", "time out", "fail"]))
    def offer_ends(self, data: st.DataObject, outcome: str) -> None:
        """Also one that was ended before, and one whose leader is gone."""
        offer = data.draw(st.sampled_from(self.offered[-6:]))
        self.copy()
        about = (offer.job_id, offer.leader_id, offer.serial)
        settled = [
            row
            for row in self.rows
            if row.serial == offer.serial and self.job_masters.get(offer.job_id) == offer.leader_id
        ]
        for row in settled:
            row.serial = 0
        if outcome == "time out":
            self.happened(self.table.offer_timed_out(*about, self.now))
            return
        accepted = [] if outcome == "fail" else data.draw(st.lists(allocations, max_size=4))
        for row in settled:
            if row.allocation_id in accepted:
                row.state, row.deadline = "ACTIVE", math.inf
            else:
                self.end(row)
        if outcome == "fail":
            self.happened(self.table.offer_failed(*about, "no", self.now))
        else:
            self.happened(self.table.offer_answered(*about, accepted, self.now))

    @rule(
        job_id=jobs,
        held=st.lists(st.builds(HeldSlot, allocations, st.integers(0, SLOTS)), max_size=4),
        agrees=st.booleans(),
    )
    def reconcile(self, job_id: JobId, held: list[HeldSlot], agrees: bool) -> None:
        self.copy()
        mine = [r for r in self.rows if r.job_id == job_id and r.serves]
        if agrees:
            held = held + [HeldSlot(r.allocation_id, r.number) for r in mine if r.allocation_id]
        leader_id = self.job_masters.get(job_id)
        known = {h.allocation_id for h in held if (h.allocation_id, h.slot_number) in [
            (r.allocation_id, r.number) for r in mine
        ]}  # fmt: skip
        if leader_id is not None:
            for row in mine:
                if row.state == "ACTIVE" and not row.serial and row.allocation_id not in known:
                    self.end(row)
        effects = self.table.reconcile(job_id, held, self.now)
        failed = [e.allocation_id for e in effects if isinstance(e, TellJobSlotFailed)]
        wrong = [h.allocation_id for h in held if h.allocation_id not in known]
        assert failed == (wrong if leader_id is not None else [])
        self.happened([e for e in effects if not isinstance(e, TellJobSlotFailed)])

    @rule(allocation_id=allocations)
    def free_slot(self, allocation_id: AllocationId) -> None:
        self.copy()
        row = self.row_of(allocation_id)
        if row is not None and row.serves:
            self.end(row)
        self.happened(self.table.free_slot(allocation_id, "over", self.now))

    @rule(job_id=jobs, leader_id=leaders, allocation_id=allocations, task_id=tasks)
    def add_task(
        self, job_id: JobId, leader_id: LeaderId, allocation_id: AllocationId, task_id: TaskId
    ) -> None:
        self.copy()
        args = (job_id, leader_id, allocation_id, task_id, self.now)
        row = self.row_of(allocation_id)
        elsewhere = any(task_id in r.tasks for r in self.rows if r is not row)
        if (
            self.job_masters.get(job_id) != leader_id
            or row is None
            or row.job_id != job_id
            or not row.serves
            or elsewhere
        ):
            self.refused(self.table.add_task, *args)
            return
        is_new = task_id not in row.tasks
        if is_new:
            row.tasks.append(task_id)
            row.state, row.deadline = "ACTIVE", math.inf
        added, effects = self.table.add_task(*args)
        assert added == is_new
        self.happened(effects)

    @rule(task_id=tasks)
    def task_finishes(self, task_id: TaskId) -> None:
        self.copy()
        for row in self.rows:
            if task_id in row.tasks:
                row.tasks.remove(task_id)
                if row.state == "RELEASING":
                    self.end(row)
        self.happened(self.table.task_finished(task_id, self.now))

    @rule(seconds=st.sampled_from([0.0, 1.0, 4.0, TIMEOUT]))
    def time_passes(self, seconds: float) -> None:
        self.copy()
        self.now += seconds
        for row in self.rows:
            if row.deadline <= self.now and row.serial:
                row.deadline = self.now + TIMEOUT
            elif row.deadline <= self.now:
                self.end(row)
        self.happened(self.table.expire(self.now))

    @precondition(lambda self: self.now > 3 * TIMEOUT)
    @rule()
    def stop(self) -> None:
        self.copy()
        self.stopped = True
        for row in self.rows:
            if row.serves:
                self.end(row)
        self.happened(self.table.stop("the executor stops", self.now))

    # what always holds

    @invariant()
    def the_table_says_what_the_model_says(self) -> None:
        self.table.check_invariants()
        assert self.table.report() == [
            SlotStatus(slot(r.number), P, r.allocation_id, r.job_id) for r in self.rows
        ]
        for row in self.rows:
            state = self.table.state_of(slot(row.number))
            assert type(state).__name__.upper() == row.state
            assert isinstance(state, Free) or list(state.tasks) == row.tasks
            assert not isinstance(state, Allocated) or state.deadline == row.deadline

    @invariant()
    def a_timer_runs_for_each_allocated_slot_and_no_other(self) -> None:
        assert [r.deadline < math.inf for r in self.rows] == [
            r.state == "ALLOCATED" for r in self.rows
        ]
        assert self.table.next_deadline == min(r.deadline for r in self.rows)

    @invariant()
    def a_job_is_watched_while_it_has_a_slot(self) -> None:
        assert set(self.watched) == {r.job_id for r in self.rows if r.job_id is not None}

    @invariant()
    def what_waits_for_a_connected_leader_is_offered_to_it(self) -> None:
        for row in self.rows:
            if row.state == "ALLOCATED" and row.job_id in self.job_masters:
                assert row.serial > 0

    @invariant()
    def the_table_finds_a_slot_by_its_allocation(self) -> None:
        for allocation_id in ALLOCATIONS:
            row = self.row_of(allocation_id)
            expected: SlotId | None = None if row is None else slot(row.number)
            assert self.table.slot_of(allocation_id) == expected


def test_the_slot_table_agrees_with_a_naive_model_whatever_happens() -> None:
    """5.2; E05, E12, E13, E18-E21, E23, E24, E33, E34, E43, X501-X504: any input, in any order."""
    run_state_machine_as_test(
        SlotTables, settings=settings(max_examples=60, stateful_step_count=50, deadline=None)
    )
