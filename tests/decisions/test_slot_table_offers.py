"""The slot table and JobMasters: offers and their answers, lost and new leaders, reconciliation."""

import math
from collections.abc import Iterator

import pytest

from daemon.core.effects import StopTask, TellJobSlotFailed, TellSlotAvailable, UnwatchJob
from daemon.core.task_executor.slot_states import FREE, Active, Allocated, Releasing
from daemon.core.task_executor.slot_table import SlotTable
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
    TIMEOUT,
    allocate,
    held,
    new_table,
    offer,
    offers,
    slot,
    unchanged,
)

GONE = "the executor has no such slot for this job"


@pytest.fixture
def table() -> Iterator[SlotTable]:
    """Slots 0 (A1) and 1 (A2) are ALLOCATED to JOB since time 0, slot 2 is free."""
    table = new_table()
    table.connect_resource_manager(RM)
    allocate(table, 0, A1)
    allocate(table, 1, A2)
    yield table
    table.check_invariants()


@pytest.fixture
def offered(table: SlotTable) -> SlotTable:
    """Both slots are offered to JM with serial 1."""
    table.connect_job_master(JOB, JM, 1.0)
    return table


@pytest.fixture
def active(offered: SlotTable) -> SlotTable:
    """Both slots were accepted."""
    offered.offer_answered(JOB, JM, 1, [A1, A2], 2.0)
    return offered


def test_a_new_leader_is_offered_what_is_allocated_and_not_what_is_active(
    table: SlotTable,
) -> None:
    """E10"""
    assert table.connect_job_master(JOB, JM, 1.0) == offers(1, offer(A1, 0), offer(A2, 1))
    table.offer_answered(JOB, JM, 1, [A1, A2], 2.0)
    assert allocate(table, 2, A3) == offers(2, offer(A3, 2))


def test_only_the_slots_of_the_leaders_job_are_offered(table: SlotTable) -> None:
    """E10"""
    allocate(table, 2, A3, OTHER_JOB)
    assert table.connect_job_master(JOB, JM, 1.0) == offers(1, offer(A1, 0), offer(A2, 1))


def test_accepted_slots_are_active_and_the_rest_are_free(offered: SlotTable) -> None:
    """E11"""
    assert offered.offer_answered(JOB, JM, 1, [A1], 2.0) == [TellSlotAvailable(slot(1), A2)]
    assert offered.state_of(slot(0)) == Active(JOB, A1)
    assert offered.state_of(slot(1)) == FREE
    assert offered.next_deadline == math.inf


def test_a_job_that_accepts_nothing_is_watched_no_more(offered: SlotTable) -> None:
    """E44, E20"""
    assert offered.offer_answered(JOB, JM, 1, [], 2.0) == [
        TellSlotAvailable(slot(0), A1),
        TellSlotAvailable(slot(1), A2),
        UnwatchJob(JOB),
    ]
    assert offered.is_empty


def test_an_offer_without_answer_is_made_again_for_what_still_waits(offered: SlotTable) -> None:
    """E12: two timeouts, accepted at the third offer; the slot's timer is not touched."""
    offered.offer_answered(JOB, JM, 1, [A1, A2], 2.0)
    allocate(offered, 2, A3, now=2.0)
    assert offered.offer_timed_out(JOB, JM, 2, 3.0) == offers(3, offer(A3, 2))
    assert offered.offer_timed_out(JOB, JM, 3, 4.0) == offers(4, offer(A3, 2))
    assert offered.next_deadline == 2.0 + TIMEOUT
    assert offered.offer_answered(JOB, JM, 4, [A3], 5.0) == []
    assert offered.state_of(slot(2)) == Active(JOB, A3)


def test_a_slot_is_offered_again_for_ever_while_its_leader_is_there(offered: SlotTable) -> None:
    """E12: also if a call waits as long as the timer, or longer; E19: the timer stays armed."""
    for number in range(1, 20):
        assert offered.expire(number * TIMEOUT) == []
        assert offered.next_deadline == (number + 1) * TIMEOUT
        assert offered.offer_timed_out(JOB, JM, number, number * TIMEOUT + 1.0) == offers(
            number + 1, offer(A1, 0), offer(A2, 1)
        )
    assert offered.offer_answered(JOB, JM, 20, [A1, A2], 195.0) == []
    assert offered.state_of(slot(1)) == Active(JOB, A2)


def test_the_timer_of_what_was_offered_runs_out_once_its_leader_is_gone(
    offered: SlotTable,
) -> None:
    """E12, E19: it waits no longer than the timer that was started last."""
    offered.expire(TIMEOUT)
    offered.disconnect_job_master(JOB, JM, "it is silent", TIMEOUT + 1.0)
    assert offered.expire(2 * TIMEOUT - 0.1) == []
    assert offered.expire(2 * TIMEOUT) == [
        TellSlotAvailable(slot(0), A1),
        TellSlotAvailable(slot(1), A2),
        UnwatchJob(JOB),
    ]


def test_what_was_activated_or_freed_meanwhile_is_not_offered_again(offered: SlotTable) -> None:
    """E12, E14"""
    offered.add_task(JOB, JM, A1, T1, 2.0)
    offered.free_slot(A2, "cancelled", 2.0)
    assert offered.offer_timed_out(JOB, JM, 1, 3.0) == []


def test_an_offer_that_fails_frees_all_it_offered(offered: SlotTable) -> None:
    """E12"""
    allocate(offered, 2, A3, now=2.0)
    assert offered.offer_failed(JOB, JM, 1, "UnknownTaskExecutor", 3.0) == [
        TellSlotAvailable(slot(0), A1),
        TellSlotAvailable(slot(1), A2),
    ]
    assert offered.slot_of(A3) == slot(2)


def test_a_failed_offer_of_a_slot_with_a_task_ends_the_task_first(offered: SlotTable) -> None:
    """E12, E21"""
    offered.add_task(JOB, JM, A1, T1, 2.0)
    cause = "the offer to its JobMaster failed: no"
    assert offered.offer_failed(JOB, JM, 1, "no", 3.0) == [
        StopTask(T1, cause),
        TellSlotAvailable(slot(1), A2),
    ]
    assert offered.state_of(slot(0)) == Releasing(JOB, A1, (T1,), cause)


def test_answers_of_a_leader_that_is_not_connected_are_ignored(offered: SlotTable) -> None:
    """E13"""
    with unchanged(offered):
        assert offered.offer_answered(JOB, NEW_JM, 1, [A1, A2], 2.0) == []
        assert offered.offer_timed_out(JOB, NEW_JM, 1, 2.0) == []
        assert offered.offer_failed(JOB, NEW_JM, 1, "no", 2.0) == []
        assert offered.offer_answered(OTHER_JOB, JM, 1, [A1, A2], 2.0) == []


def test_answers_to_the_leader_before_do_not_count_for_the_next(offered: SlotTable) -> None:
    """E13, E17"""
    assert offered.connect_job_master(JOB, NEW_JM, 2.0) == offers(
        2, offer(A1, 0), offer(A2, 1), leader_id=NEW_JM
    )
    with unchanged(offered):
        assert offered.offer_answered(JOB, JM, 1, [], 3.0) == []
        assert offered.offer_failed(JOB, JM, 1, "no", 3.0) == []


def test_an_older_negative_answer_does_not_free_what_a_newer_offer_holds(
    offered: SlotTable,
) -> None:
    """E13, X503: for each slot, only the newest offer's answer counts."""
    offered.offer_timed_out(JOB, JM, 1, 2.0)
    with unchanged(offered):
        assert offered.offer_answered(JOB, JM, 1, [], 3.0) == []
        assert offered.offer_failed(JOB, JM, 1, "no", 3.0) == []
        assert offered.offer_timed_out(JOB, JM, 1, 3.0) == []
    assert offered.offer_answered(JOB, JM, 2, [A1, A2], 4.0) == []
    with unchanged(offered):
        assert offered.offer_answered(JOB, JM, 1, [], 5.0) == []
    assert offered.state_of(slot(0)) == Active(JOB, A1)


def test_serials_are_not_reused_when_a_job_comes_back(offered: SlotTable) -> None:
    """E13, X503: an answer from before the job was forgotten meets a new offer of the same slot."""
    offered.free_slot(A1, "cancelled", 2.0)
    assert UnwatchJob(JOB) in offered.free_slot(A2, "cancelled", 2.0)
    allocate(offered, 0, A1, now=3.0)
    assert offered.connect_job_master(JOB, JM, 3.0) == offers(2, offer(A1, 0))
    with unchanged(offered):
        assert offered.offer_answered(JOB, JM, 1, [], 4.0) == []


def test_a_leader_hears_that_it_accepted_a_slot_that_is_gone(offered: SlotTable) -> None:
    """E33: else it would believe until the next beat that it has the slot."""
    offered.free_slot(A2, "cancelled", 2.0)
    assert offered.offer_answered(JOB, JM, 1, [A1, A2, A2], 3.0) == [
        TellJobSlotFailed(JOB, JM, A2, GONE)
    ]
    assert offered.state_of(slot(0)) == Active(JOB, A1)


def test_a_task_that_comes_before_the_answer_activates_the_slot(offered: SlotTable) -> None:
    """E14, X501"""
    assert offered.add_task(JOB, JM, A1, T1, 2.0) == (True, [])
    assert offered.state_of(slot(0)) == Active(JOB, A1, (T1,))
    assert offered.offer_answered(JOB, JM, 1, [A1], 3.0) == [TellSlotAvailable(slot(1), A2)]
    assert offered.state_of(slot(0)) == Active(JOB, A1, (T1,))


def test_an_answer_that_refuses_a_slot_ends_the_task_that_came_before(offered: SlotTable) -> None:
    """E14, E21: the answer is the JobMaster's word on who holds the slot."""
    offered.add_task(JOB, JM, A1, T1, 2.0)
    cause = "its JobMaster refused the slot"
    assert offered.offer_answered(JOB, JM, 1, [A2], 3.0) == [StopTask(T1, cause)]
    assert offered.task_finished(T1, 4.0) == [TellSlotAvailable(slot(0), A1)]


def test_the_connected_leader_again_is_no_news(active: SlotTable) -> None:
    """E16, X510"""
    with unchanged(active):
        assert active.connect_job_master(JOB, JM, 3.0) == []


def test_the_leader_of_a_job_without_slots_here_is_no_news(table: SlotTable) -> None:
    """E20: its registration was under way when the last slot was freed."""
    with unchanged(table):
        assert table.connect_job_master(OTHER_JOB, OTHER_JM, 1.0) == []
        assert table.disconnect_job_master(OTHER_JOB, OTHER_JM, "gone", 1.0) == []


def test_when_a_leader_is_lost_its_slots_wait_for_the_next_and_tasks_run_on(
    active: SlotTable,
) -> None:
    """E18, C17, X506: nothing is freed or stopped; the timer is new."""
    active.add_task(JOB, JM, A1, T1, 3.0)
    assert active.disconnect_job_master(JOB, JM, "no heartbeat", 30.0) == []
    assert active.state_of(slot(0)) == Allocated(JOB, A1, 30.0 + TIMEOUT, "no heartbeat", (T1,))
    assert active.state_of(slot(1)) == Allocated(JOB, A2, 30.0 + TIMEOUT, "no heartbeat")
    assert active.connect_job_master(JOB, NEW_JM, 35.0) == offers(
        2, offer(A2, 1), offer(A1, 0), leader_id=NEW_JM
    )
    active.offer_answered(JOB, NEW_JM, 2, [A1, A2], 36.0)
    assert active.state_of(slot(0)) == Active(JOB, A1, (T1,))
    assert active.next_deadline == math.inf


def test_a_lost_leader_leaves_the_timer_of_what_it_never_accepted(offered: SlotTable) -> None:
    """E18, E19"""
    offered.disconnect_job_master(JOB, JM, "no heartbeat", 5.0)
    assert offered.next_deadline == TIMEOUT


def test_the_loss_of_a_former_leader_concerns_nobody(active: SlotTable) -> None:
    """X506, E26"""
    active.connect_job_master(JOB, NEW_JM, 3.0)
    active.offer_answered(JOB, NEW_JM, 2, [A1, A2], 4.0)
    with unchanged(active):
        assert active.disconnect_job_master(JOB, JM, "no heartbeat", 5.0) == []


def test_a_new_leader_ends_the_connection_to_the_old_one_first(active: SlotTable) -> None:
    """E17"""
    assert active.connect_job_master(JOB, NEW_JM, 3.0) == offers(
        2, offer(A1, 0), offer(A2, 1), leader_id=NEW_JM
    )
    assert active.next_deadline == 3.0 + TIMEOUT


def test_when_no_new_leader_comes_in_time_the_tasks_end_and_then_the_slots_are_free(
    active: SlotTable,
) -> None:
    """E18, E19, E21"""
    active.add_task(JOB, JM, A1, T1, 3.0)
    active.disconnect_job_master(JOB, JM, "no heartbeat", 30.0)
    cause = "no JobMaster accepted the slot in time after: no heartbeat"
    assert active.expire(30.0 + TIMEOUT) == [TellSlotAvailable(slot(1), A2), StopTask(T1, cause)]
    assert active.state_of(slot(0)) == Releasing(JOB, A1, (T1,), cause)
    assert active.task_finished(T1, 41.0) == [TellSlotAvailable(slot(0), A1), UnwatchJob(JOB)]


def test_a_task_that_ends_between_two_leaders_leaves_the_timer_alone(active: SlotTable) -> None:
    """E18"""
    active.add_task(JOB, JM, A1, T1, 3.0)
    active.disconnect_job_master(JOB, JM, "no heartbeat", 30.0)
    assert active.task_finished(T1, 35.0) == []
    assert active.state_of(slot(0)) == Allocated(JOB, A1, 30.0 + TIMEOUT, "no heartbeat")


def test_a_beat_frees_what_only_the_executor_knows_and_fails_what_only_the_job_knows(
    active: SlotTable,
) -> None:
    """E33"""
    assert active.reconcile(JOB, [held(A1, 0), held(A3, 2)], 3.0) == [
        TellSlotAvailable(slot(1), A2),
        TellJobSlotFailed(JOB, JM, A3, GONE),
    ]
    assert active.state_of(slot(0)) == Active(JOB, A1)


def test_a_beat_that_agrees_changes_nothing(active: SlotTable) -> None:
    """E33"""
    with unchanged(active):
        assert active.reconcile(JOB, [held(A1, 0), held(A2, 1)], 3.0) == []


def test_a_beat_does_not_touch_a_slot_whose_offer_is_unanswered(offered: SlotTable) -> None:
    """E33: ALLOCATED, or activated by a task before the answer."""
    offered.add_task(JOB, JM, A1, T1, 2.0)
    with unchanged(offered):
        assert offered.reconcile(JOB, [], 3.0) == []
        assert offered.reconcile(JOB, [held(A1, 0), held(A2, 1)], 3.0) == []


def test_a_beat_ends_the_task_of_a_slot_that_the_job_does_not_know(active: SlotTable) -> None:
    """E33, E21"""
    active.add_task(JOB, JM, A1, T1, 3.0)
    active.add_task(JOB, JM, A1, T2, 3.0)
    cause = "its JobMaster does not know of it"
    assert active.reconcile(JOB, [held(A2, 1)], 4.0) == [StopTask(T1, cause), StopTask(T2, cause)]


def test_a_beat_that_lists_a_slot_under_release_is_told_so(active: SlotTable) -> None:
    """E33"""
    active.add_task(JOB, JM, A1, T1, 3.0)
    active.free_slot(A1, "cancelled", 3.0)
    assert active.reconcile(JOB, [held(A1, 0), held(A2, 1)], 4.0) == [
        TellJobSlotFailed(JOB, JM, A1, GONE)
    ]


def test_a_beat_that_has_the_right_allocation_on_the_wrong_slot_is_wrong(active: SlotTable) -> None:
    """E33, E34"""
    assert active.reconcile(JOB, [held(A1, 2), held(A2, 1)], 3.0) == [
        TellSlotAvailable(slot(0), A1),
        TellJobSlotFailed(JOB, JM, A1, GONE),
    ]


def test_a_beat_speaks_only_for_its_own_job(active: SlotTable) -> None:
    """E33"""
    allocate(active, 2, A3, OTHER_JOB)
    active.connect_job_master(OTHER_JOB, OTHER_JM, 3.0)
    active.offer_answered(OTHER_JOB, OTHER_JM, 2, [A3], 3.0)
    assert active.reconcile(JOB, [held(A1, 0), held(A2, 1), held(A3, 2)], 4.0) == [
        TellJobSlotFailed(JOB, JM, A3, GONE)
    ]
    assert active.state_of(slot(2)) == Active(OTHER_JOB, A3)


def test_a_beat_from_a_job_whose_leader_is_not_connected_is_ignored(active: SlotTable) -> None:
    """E33, E13"""
    active.disconnect_job_master(JOB, JM, "no heartbeat", 3.0)
    with unchanged(active):
        assert active.reconcile(JOB, [], 4.0) == []
        assert active.reconcile(OTHER_JOB, [held(A1, 0)], 4.0) == []
