"""The slot table and the ResourceManager: who gets a slot, who is refused, what is reported."""

import math
from collections.abc import Iterator

import pytest

from daemon.core.effects import TellSlotAvailable, UnwatchJob, WatchJob
from daemon.core.task_executor.slot_states import FREE, Active, Allocated
from daemon.core.task_executor.slot_table import SlotTable, SlotTableSettings
from protocol.errors import (
    LeaderIdMismatch,
    SlotAllocationFailed,
    SlotNotFound,
    SlotOccupied,
)
from protocol.ids import SlotId, slot_id
from protocol.messages.values import SlotStatus
from tests.decisions.slot_tables import (
    A1,
    A2,
    A3,
    ADDRESS,
    JM,
    JOB,
    OTHER_JOB,
    OTHER_RM,
    RM,
    T1,
    TE,
    TIMEOUT,
    P,
    allocate,
    new_table,
    offer,
    offers,
    slot,
    unchanged,
)


@pytest.fixture
def table() -> Iterator[SlotTable]:
    table = new_table()
    table.connect_resource_manager(RM)
    yield table
    table.check_invariants()


def test_a_table_needs_a_slot() -> None:
    """E35"""
    with pytest.raises(
        ValueError, match=r"profiles: expected at least one slot for te-1, got none"
    ):
        SlotTable(TE, [], SlotTableSettings())


def test_before_registration_slot_requests_are_refused() -> None:
    """E03, E32"""
    table = new_table()
    with unchanged(table), pytest.raises(SlotAllocationFailed, match="not registered"):
        allocate(table, 0, A1)


def test_after_the_resource_manager_is_lost_slot_requests_are_refused(table: SlotTable) -> None:
    """E03"""
    table.disconnect_resource_manager()
    with unchanged(table), pytest.raises(SlotAllocationFailed, match="not registered"):
        allocate(table, 0, A1)


def test_only_the_connected_resource_manager_is_heard(table: SlotTable) -> None:
    """E04, B15"""
    with unchanged(table), pytest.raises(LeaderIdMismatch, match=r"rm-1, not at rm-2"):
        table.request_slot(OTHER_RM, slot(0), JOB, A1, ADDRESS, 0.0)
    table.connect_resource_manager(OTHER_RM)
    assert table.request_slot(OTHER_RM, slot(0), JOB, A1, ADDRESS, 0.0) == [WatchJob(JOB, ADDRESS)]
    with unchanged(table), pytest.raises(LeaderIdMismatch):
        allocate(table, 1, A2)


def test_a_free_slot_is_allocated_and_its_timer_runs(table: SlotTable) -> None:
    """E05, E08"""
    assert table.next_deadline == math.inf
    assert allocate(table, 1, A1, now=5.0) == [WatchJob(JOB, ADDRESS)]
    assert table.state_of(slot(1)) == Allocated(JOB, A1, 5.0 + TIMEOUT, "it was allocated")
    assert table.next_deadline == 5.0 + TIMEOUT
    assert table.slot_of(A1) == slot(1)
    assert not table.is_empty


def test_the_same_request_again_is_acknowledged_and_keeps_the_timer(table: SlotTable) -> None:
    """E06, E22, X504: while ALLOCATED and while ACTIVE."""
    allocate(table, 0, A1)
    with unchanged(table):
        assert allocate(table, 0, A1, now=4.0) == []
    table.connect_job_master(JOB, JM, 5.0)
    table.offer_answered(JOB, JM, 1, [A1], 5.0)
    with unchanged(table):
        assert allocate(table, 0, A1, now=6.0) == []


def test_a_slot_of_another_allocation_is_refused_naming_the_holder(table: SlotTable) -> None:
    """E07, E22"""
    allocate(table, 0, A1)
    with unchanged(table), pytest.raises(SlotOccupied) as refusal:
        allocate(table, 0, A2, OTHER_JOB)
    assert refusal.value.data == {"type": "SlotOccupied", "allocation_id": A1, "job_id": JOB}


def test_an_allocation_belongs_to_one_job(table: SlotTable) -> None:
    """E22"""
    allocate(table, 0, A1)
    with unchanged(table), pytest.raises(SlotAllocationFailed, match="belongs to job job-1"):
        allocate(table, 0, A1, OTHER_JOB)


def test_an_allocation_gets_no_second_slot(table: SlotTable) -> None:
    """E34, X504: the first slot keeps it, the second stays free."""
    allocate(table, 0, A1)
    with unchanged(table), pytest.raises(SlotAllocationFailed) as refusal:
        allocate(table, 1, A1)
    assert refusal.value.data["slot_id"] == slot(0)
    assert table.state_of(slot(1)) == FREE


@pytest.mark.parametrize("unknown", [slot(3), slot_id(TE, -1), "te-2_0", "nonsense"])
def test_a_slot_that_does_not_exist_is_not_found(table: SlotTable, unknown: str) -> None:
    """E40 has no meaning here: the set of slots is fixed, none is carved out on request."""
    with unchanged(table), pytest.raises(SlotNotFound, match=unknown):
        table.request_slot(RM, SlotId(unknown), JOB, A1, ADDRESS, 0.0)


def test_a_slot_that_is_being_released_is_refused_to_everybody(table: SlotTable) -> None:
    """E22"""
    allocate(table, 0, A1)
    table.connect_job_master(JOB, JM, 0.0)
    table.add_task(JOB, JM, A1, T1, 0.0)
    table.free_slot(A1, "the job is over", 0.0)
    for allocation_id in (A1, A2):
        with (
            unchanged(table),
            pytest.raises(SlotAllocationFailed, match="being released: the job is over"),
        ):
            allocate(table, 0, allocation_id)


def test_the_first_slot_of_a_job_makes_it_watched_the_second_does_not(table: SlotTable) -> None:
    """E08"""
    assert allocate(table, 0, A1) == [WatchJob(JOB, ADDRESS)]
    assert allocate(table, 1, A2) == []
    assert allocate(table, 2, A3, OTHER_JOB) == [WatchJob(OTHER_JOB, ADDRESS)]


def test_a_job_that_moved_is_watched_at_its_new_address(table: SlotTable) -> None:
    """E08: the newest request knows best where the job's leader is."""
    allocate(table, 0, A1)
    assert allocate(table, 1, A2, address="127.0.0.1:7001") == [WatchJob(JOB, "127.0.0.1:7001")]
    assert allocate(table, 0, A1, address="127.0.0.1:7002") == [WatchJob(JOB, "127.0.0.1:7002")]
    assert allocate(table, 0, A1, address="127.0.0.1:7002") == []


def test_a_slot_for_a_connected_job_is_offered_at_once(table: SlotTable) -> None:
    """E08, E39: the order of leader and request does not matter."""
    allocate(table, 0, A1)
    assert table.connect_job_master(JOB, JM, 0.0) == offers(1, offer(A1, 0))
    assert allocate(table, 1, A2) == offers(2, offer(A2, 1))


def test_the_report_lists_every_slot_as_it_is_now(table: SlotTable) -> None:
    """E25"""
    free = [SlotStatus(slot(n), P) for n in range(3)]
    assert table.report() == free
    allocate(table, 1, A1)
    assert table.report() == [free[0], SlotStatus(slot(1), P, A1, JOB), free[2]]
    table.connect_job_master(JOB, JM, 0.0)
    table.add_task(JOB, JM, A1, T1, 0.0)
    table.free_slot(A1, "over", 0.0)
    assert table.report() == [free[0], SlotStatus(slot(1), P, A1, JOB), free[2]]
    table.task_finished(T1, 0.0)
    assert table.report() == free


def test_a_slot_that_nobody_accepts_in_time_is_free_again(table: SlotTable) -> None:
    """E19, D21"""
    allocate(table, 0, A1, now=1.0)
    allocate(table, 1, A2, now=2.0)
    assert table.expire(1.0 + TIMEOUT - 0.1) == []
    assert table.expire(1.0 + TIMEOUT) == [TellSlotAvailable(slot(0), A1)]
    assert table.state_of(slot(0)) == FREE
    assert table.next_deadline == 2.0 + TIMEOUT
    assert table.expire(100.0) == [TellSlotAvailable(slot(1), A2), UnwatchJob(JOB)]
    assert table.expire(200.0) == []


def test_the_timer_of_an_accepted_slot_never_fires(table: SlotTable) -> None:
    """E19, E23, X502"""
    allocate(table, 0, A1)
    table.connect_job_master(JOB, JM, 0.0)
    table.offer_answered(JOB, JM, 1, [A1], 1.0)
    assert table.next_deadline == math.inf
    assert table.expire(1000.0) == []
    assert table.state_of(slot(0)) == Active(JOB, A1)


def test_the_timer_of_an_earlier_allocation_does_not_free_a_later_one(table: SlotTable) -> None:
    """E19, D21"""
    allocate(table, 0, A1, now=0.0)
    table.free_slot(A1, "cancelled", 3.0)
    allocate(table, 0, A2, now=4.0)
    assert table.expire(TIMEOUT) == []
    assert table.slot_of(A2) == slot(0)


def test_nothing_is_told_while_no_resource_manager_is_there(table: SlotTable) -> None:
    """B12: the next report says it."""
    allocate(table, 0, A1)
    table.disconnect_resource_manager()
    assert table.free_slot(A1, "cancelled", 0.0) == [UnwatchJob(JOB)]
    assert table.report()[0] == SlotStatus(slot(0), P)
