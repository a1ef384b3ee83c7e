"""The slot table and what runs in it: tasks, slots that end, the end of the executor."""

import math
from collections.abc import Iterator

import pytest

from daemon.core.effects import StopTask, TellSlotAvailable, UnwatchJob
from daemon.core.task_executor.slot_states import FREE, Active, Releasing
from daemon.core.task_executor.slot_table import SlotTable
from protocol.errors import (
    InvalidParams,
    LeaderIdMismatch,
    NotLeader,
    SlotAllocationFailed,
    SlotNotFound,
)
from tests.decisions.slot_tables import (
    A1,
    A2,
    A3,
    JM,
    JOB,
    NEW_JM,
    OTHER_JM,
    OTHER_JOB,
    RM,
    T1,
    T2,
    allocate,
    new_table,
    slot,
    unchanged,
)


@pytest.fixture
def table() -> Iterator[SlotTable]:
    """Slots 0 (A1) and 1 (A2) of JOB are ACTIVE, slot 2 (A3) of OTHER_JOB is ALLOCATED."""
    table = new_table()
    table.connect_resource_manager(RM)
    allocate(table, 0, A1)
    allocate(table, 1, A2)
    table.connect_job_master(JOB, JM, 0.0)
    table.offer_answered(JOB, JM, 1, [A1, A2], 0.0)
    allocate(table, 2, A3, OTHER_JOB)
    yield table
    table.check_invariants()


def test_a_task_goes_into_the_slot_of_its_allocation(table: SlotTable) -> None:
    """E24"""
    assert table.add_task(JOB, JM, A1, T1, 1.0) == (True, [])
    assert table.add_task(JOB, JM, A1, T2, 1.0) == (True, [])
    assert table.state_of(slot(0)) == Active(JOB, A1, (T1, T2))


def test_the_same_task_again_is_already_there(table: SlotTable) -> None:
    """E24"""
    table.add_task(JOB, JM, A1, T1, 1.0)
    with unchanged(table):
        assert table.add_task(JOB, JM, A1, T1, 2.0) == (False, [])


def test_a_task_is_in_one_slot_only(table: SlotTable) -> None:
    """E24"""
    table.add_task(JOB, JM, A1, T1, 1.0)
    with unchanged(table), pytest.raises(InvalidParams, match="t1 is in slot te-1_0") as refusal:
        table.add_task(JOB, JM, A2, T1, 2.0)
    assert refusal.value.data["path"] == "params.task_id"


def test_a_task_of_a_job_without_connection_is_refused(table: SlotTable) -> None:
    """E15"""
    with unchanged(table), pytest.raises(NotLeader, match="not connected to a JobMaster of job"):
        table.add_task(OTHER_JOB, OTHER_JM, A3, T1, 1.0)
    table.disconnect_job_master(JOB, JM, "gone", 1.0)
    with unchanged(table), pytest.raises(NotLeader):
        table.add_task(JOB, JM, A1, T1, 1.0)


def test_a_task_of_another_leader_is_refused(table: SlotTable) -> None:
    """E15"""
    with unchanged(table), pytest.raises(LeaderIdMismatch, match="JobMaster jm-1 of job job-1"):
        table.add_task(JOB, NEW_JM, A1, T1, 1.0)


def test_a_task_for_the_slot_of_another_job_is_refused(table: SlotTable) -> None:
    """E15, E23: each job marks only its own slots active."""
    with unchanged(table), pytest.raises(SlotNotFound, match="allocation a3 of job job-1"):
        table.add_task(JOB, JM, A3, T1, 1.0)


def test_a_task_for_an_allocation_without_slot_is_refused(table: SlotTable) -> None:
    """E15, E23, E24: never allocated, freed, or being released."""
    table.free_slot(A2, "over", 1.0)
    table.add_task(JOB, JM, A1, T1, 1.0)
    table.free_slot(A1, "over", 1.0)
    for allocation_id in (A1, A2):
        with unchanged(table), pytest.raises(SlotNotFound):
            table.add_task(JOB, JM, allocation_id, T2, 2.0)


def test_freeing_an_allocation_frees_its_slot_and_no_other(table: SlotTable) -> None:
    """E37, E20: the job with a slot left stays watched."""
    assert table.free_slot(A1, "over", 1.0) == [TellSlotAvailable(slot(0), A1)]
    assert table.state_of(slot(0)) == FREE
    assert table.slot_of(A1) is None
    assert table.state_of(slot(1)) == Active(JOB, A2)


def test_the_last_slot_of_a_job_ends_its_watch(table: SlotTable) -> None:
    """E20"""
    table.free_slot(A1, "over", 1.0)
    assert table.free_slot(A2, "over", 1.0) == [TellSlotAvailable(slot(1), A2), UnwatchJob(JOB)]
    assert table.free_slot(A3, "over", 1.0) == [
        TellSlotAvailable(slot(2), A3),
        UnwatchJob(OTHER_JOB),
    ]
    assert table.next_deadline == math.inf


def test_freeing_an_unknown_allocation_is_acknowledged(table: SlotTable) -> None:
    """E45"""
    table.free_slot(A1, "over", 1.0)
    with unchanged(table):
        assert table.free_slot(A1, "again", 2.0) == []


def test_what_is_wanted_back_only_if_nobody_took_it_stays_when_somebody_did(
    table: SlotTable,
) -> None:
    """X214, E18: accepted by a JobMaster, or with a task that waits for the next one."""
    table.add_task(JOB, JM, A1, T1, 1.0)
    with unchanged(table):
        assert table.free_slot(A1, "withdrawn", 2.0, even_if_accepted=False) == []
        assert table.free_slot(A2, "withdrawn", 2.0, even_if_accepted=False) == []
    table.disconnect_job_master(JOB, JM, "gone", 3.0)
    with unchanged(table):
        assert table.free_slot(A1, "withdrawn", 4.0, even_if_accepted=False) == []


def test_what_is_wanted_back_is_free_when_nobody_took_it(table: SlotTable) -> None:
    """X214"""
    assert table.free_slot(A3, "withdrawn", 2.0, even_if_accepted=False) == [
        TellSlotAvailable(slot(2), A3),
        UnwatchJob(OTHER_JOB),
    ]


def test_a_slot_with_tasks_is_free_when_the_last_of_them_is_gone(table: SlotTable) -> None:
    """E21"""
    table.add_task(JOB, JM, A1, T1, 1.0)
    table.add_task(JOB, JM, A1, T2, 1.0)
    assert table.free_slot(A1, "over", 2.0) == [StopTask(T1, "over"), StopTask(T2, "over")]
    assert table.state_of(slot(0)) == Releasing(JOB, A1, (T1, T2), "over")
    assert table.free_slot(A1, "again", 2.0) == []
    assert table.task_finished(T1, 3.0) == []
    assert table.state_of(slot(0)) == Releasing(JOB, A1, (T2,), "over")
    assert table.task_finished(T2, 4.0) == [TellSlotAvailable(slot(0), A1)]


def test_a_slot_under_release_keeps_its_job_watched(table: SlotTable) -> None:
    """E20, E21"""
    table.add_task(JOB, JM, A1, T1, 1.0)
    table.free_slot(A2, "over", 2.0)
    assert table.free_slot(A1, "over", 2.0) == [StopTask(T1, "over")]
    assert table.task_finished(T1, 3.0) == [TellSlotAvailable(slot(0), A1), UnwatchJob(JOB)]


def test_a_task_that_ends_by_itself_leaves_the_slot_to_its_job(table: SlotTable) -> None:
    """E21"""
    table.add_task(JOB, JM, A1, T1, 1.0)
    assert table.task_finished(T1, 2.0) == []
    assert table.state_of(slot(0)) == Active(JOB, A1)
    assert table.task_finished(T1, 3.0) == []
    assert table.add_task(JOB, JM, A2, T1, 4.0) == (True, [])


def test_a_slot_freed_while_its_job_has_no_leader_ends_its_tasks(table: SlotTable) -> None:
    """E21, E18"""
    table.add_task(JOB, JM, A1, T1, 1.0)
    table.disconnect_job_master(JOB, JM, "gone", 2.0)
    assert table.free_slot(A1, "the job is over", 3.0) == [StopTask(T1, "the job is over")]
    assert table.next_deadline == 10.0, "only A2 and A3 wait"


def test_a_stop_frees_every_slot_and_tells_nobody_of_free_slots(table: SlotTable) -> None:
    """E43, E38: what has tasks drains; the ResourceManager must not use the rest again."""
    table.add_task(JOB, JM, A1, T1, 1.0)
    cause = "the executor is shutting down"
    assert table.stop(cause, 2.0) == [StopTask(T1, cause), UnwatchJob(OTHER_JOB)]
    assert not table.is_empty
    assert table.next_deadline == math.inf
    assert table.task_finished(T1, 3.0) == [UnwatchJob(JOB)]
    assert table.is_empty


def test_after_a_stop_no_slot_is_given_offered_or_freed_twice(table: SlotTable) -> None:
    """E43, X512, X513, E35"""
    table.add_task(JOB, JM, A1, T1, 1.0)
    table.stop("the executor is shutting down", 2.0)
    with unchanged(table):
        with pytest.raises(SlotAllocationFailed, match="stopping"):
            allocate(table, 1, A2)
        assert table.free_slot(A1, "over", 3.0) == []
        assert table.connect_job_master(JOB, NEW_JM, 3.0) == []
        assert table.reconcile(JOB, [], 3.0) == []
        assert table.stop("again", 3.0) == []


def test_a_slot_that_was_draining_before_the_stop_is_not_told_either(table: SlotTable) -> None:
    """E43"""
    table.add_task(JOB, JM, A1, T1, 1.0)
    table.free_slot(A1, "over", 2.0)
    table.stop("the executor is shutting down", 3.0)
    assert table.task_finished(T1, 4.0) == [UnwatchJob(JOB)]
    assert table.is_empty
