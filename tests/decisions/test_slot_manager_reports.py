"""Slot reports are the truth about slots: what they add, free, allocate, move and remove."""

import pytest

from daemon.core.effects import FreeSlotAtInstance
from daemon.core.resource_manager.slot_manager import SlotManagerCounts
from protocol.errors import InvalidParams, SlotAllocationFailed
from protocol.ids import AllocationId, InstanceId
from protocol.messages.values import SlotStatus
from tests.decisions.slot_manager_words import (
    B,
    Cluster,
    P,
    Told,
    allocated,
    appeared,
    appeared_held,
    asked,
    free,
    freed,
    granted,
    held,
    noted,
    removed,
    requeued,
)

LOST = SlotAllocationFailed


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def busy(cluster: Cluster) -> Cluster:
    """One executor with one slot of P, which belongs to allocation x."""
    cluster.executor("te-1", P)
    cluster.hold("te-1_0", "x")
    return cluster


# new slots


def test_a_report_adds_slots_that_are_free(cluster: Cluster) -> None:
    """A07, D01"""
    assert cluster.executor("te-1", P, B) == [appeared("te-1_0", P), appeared("te-1_1", B)]
    assert cluster.manager.counts() == SlotManagerCounts(1, 2, 2, 0)


def test_a_new_slot_serves_a_waiting_request(cluster: Cluster) -> None:
    """A06"""
    cluster.request("a")
    assert cluster.executor("te-1", P) == [appeared("te-1_0"), *asked("te-1_0", "a")]


def test_a_new_slot_that_is_too_small_serves_nothing(cluster: Cluster) -> None:
    """A08"""
    cluster.request("a", B)
    assert cluster.executor("te-1", P) == [appeared("te-1_0")]
    assert cluster.waiting() == ["a"]


def test_a_new_slot_in_use_is_recorded_and_serves_nobody(cluster: Cluster) -> None:
    """A09, D45: after a change of leader, nobody is asked."""
    cluster.request("a")
    cluster.register("te-1")
    assert cluster.report("i-te-1", held("te-1", 0, "x", job="old")) == [
        appeared_held("te-1_0", "x", job="old")
    ]
    assert cluster.waiting() == ["a"]


def test_a_request_for_an_allocation_that_was_reported_is_a_duplicate(cluster: Cluster) -> None:
    """D10, D45"""
    cluster.register("te-1")
    cluster.report("i-te-1", held("te-1", 0, "x"))
    assert not cluster.again("x")


def test_slots_serve_only_after_a_report_of_their_executor(cluster: Cluster) -> None:
    """B06, B16, D13, E31, X216: a registration brings none, an unknown instance neither."""
    cluster.request("a")
    cluster.register("te-1")
    report = [free("te-1")]
    assert cluster.manager.report_slots(InstanceId("other"), report, 0.0) == (False, [])
    assert cluster.manager.counts() == SlotManagerCounts(1, 0, 0, 1)


# known slots


def test_a_report_that_agrees_changes_nothing(busy: Cluster) -> None:
    """A10, A13"""
    busy.report("i-te-1", held("te-1", 0, "x"), free("te-1", 1))
    assert busy.report("i-te-1", held("te-1", 0, "x"), free("te-1", 1)) == []


def test_an_allocated_slot_that_is_reported_free_serves_the_next_and_its_job_is_told(
    busy: Cluster,
) -> None:
    """A11, A22, D42, X402, X209: and the old id may be requested again."""
    busy.request("y")
    assert busy.report("i-te-1", free("te-1")) == [
        Told("job", "x", LOST),
        freed("te-1_0", "x"),
        *asked("te-1_0", "y"),
    ]
    assert busy.again("x")


def test_a_slot_that_is_reported_with_another_allocation_belongs_to_that(busy: Cluster) -> None:
    """A12, A22, X402: the job that lost it is told."""
    assert busy.report("i-te-1", held("te-1", 0, "y", job="other")) == [
        Told("job", "x", LOST),
        allocated("te-1_0", "y", job="other"),
    ]
    assert busy.again("x")
    assert not busy.again("y")


def test_a_free_slot_that_is_reported_in_use_is_given_to_nobody_until_it_is_free(
    cluster: Cluster,
) -> None:
    """A14, D30, X208"""
    cluster.executor("te-1", P)
    assert cluster.report("i-te-1", held("te-1", 0, "x")) == [allocated("te-1_0", "x")]
    assert cluster.request("a") == [noted("a")]
    assert cluster.report("i-te-1", free("te-1"))[-2:] == asked("te-1_0", "a")


def test_a_slot_that_is_being_asked_for_is_left_alone_when_it_is_reported_free(
    cluster: Cluster,
) -> None:
    """D15, X401: the report may be older than the question; nobody else gets the slot."""
    cluster.executor("te-1", P)
    cluster.request("a")
    cluster.request("b")
    assert cluster.report("i-te-1", free("te-1")) == []
    assert cluster.grant("te-1_0", "a") == granted("te-1_0", "a")


def test_a_heartbeat_that_was_sent_before_the_grant_does_not_take_the_slot_back(
    cluster: Cluster,
) -> None:
    """X401: its answer may have been made before the slot was given, and be read after."""
    cluster.executor("te-1", P)
    cluster.request("a")
    cluster.now = 5.0
    cluster.grant("te-1_0", "a")
    assert cluster.report("i-te-1", free("te-1"), asked_at=5.0) == []
    assert cluster.slots() == {"te-1_0": "a"}
    assert cluster.report("i-te-1", free("te-1"), asked_at=5.1) == [
        Told("job", "a", LOST),
        freed("te-1_0", "a"),
    ]


def test_a_report_with_the_allocation_that_is_asked_for_fulfils_the_request(
    cluster: Cluster,
) -> None:
    """D16: the answer that comes later changes nothing."""
    cluster.executor("te-1", P)
    cluster.request("a")
    assert cluster.report("i-te-1", held("te-1", 0, "a")) == granted("te-1_0", "a")
    assert cluster.grant("te-1_0", "a") == []
    assert cluster.refuse("te-1_0", "a") == []
    assert cluster.slots() == {"te-1_0": "a"}


def test_a_report_with_another_allocation_sends_the_request_to_another_slot(
    cluster: Cluster,
) -> None:
    """D17: two executors asked, and no more."""
    cluster.executor("te-1", P, P, P)
    cluster.hold("te-1_0", "x")
    cluster.request("a")
    assert cluster.report(
        "i-te-1", held("te-1", 0, "x"), held("te-1", 1, "y"), free("te-1", 2)
    ) == [
        requeued("te-1_1", "a", "the slot is occupied by y"),
        allocated("te-1_1", "y"),
        *asked("te-1_2", "a"),
    ]
    assert cluster.refuse("te-1_1", "a") == [], "the answer to what is not asked any more"
    assert cluster.grant("te-1_2", "a") == granted("te-1_2", "a")


def test_an_answer_that_is_newer_than_the_report_wins(cluster: Cluster) -> None:
    """D17, A22: the report said y, then the executor granted a."""
    cluster.executor("te-1", P)
    cluster.request("a")
    cluster.report("i-te-1", held("te-1", 0, "y", job="other"))
    assert cluster.waiting() == ["a"]
    assert cluster.grant("te-1_0", "a") == [
        Told("other", "y", LOST),
        *granted("te-1_0", "a"),
    ]


def test_an_allocation_reported_on_another_slot_fulfils_the_request_there(
    cluster: Cluster,
) -> None:
    """D31, X210: the slot that was asked for is out of use until its executor answers."""
    cluster.executor("te-1", P)
    cluster.request("a")
    cluster.executor("te-2", P)
    assert cluster.report("i-te-2", held("te-2", 0, "a")) == granted("te-2_0", "a")
    assert cluster.slots() == {"te-1_0": "a", "te-2_0": "a"}
    assert cluster.refuse("te-1_0", "a") == [freed("te-1_0", "a")]
    assert cluster.slots() == {"te-1_0": None, "te-2_0": "a"}


def test_a_second_executor_that_granted_the_same_allocation_is_told_to_free_it(
    cluster: Cluster,
) -> None:
    """D31, X210, promise 1"""
    cluster.executor("te-1", P)
    cluster.request("a")
    cluster.executor("te-2", P)
    cluster.report("i-te-2", held("te-2", 0, "a"))
    assert cluster.grant("te-1_0", "a") == [
        FreeSlotAtInstance(InstanceId("i-te-1"), AllocationId("a"), "the request was withdrawn")
    ]
    assert cluster.available("te-1_0", "a") == [freed("te-1_0", "a")]
    assert cluster.slots() == {"te-1_0": None, "te-2_0": "a"}


def test_a_waiting_request_is_fulfilled_by_a_report_of_a_new_slot(cluster: Cluster) -> None:
    """D31"""
    cluster.request("a")
    cluster.register("te-1")
    assert cluster.report("i-te-1", held("te-1", 0, "a")) == [
        appeared("te-1_0"),
        *granted("te-1_0", "a"),
    ]


# the set of slots


def test_a_later_report_adds_and_removes_slots(cluster: Cluster) -> None:
    """D14 (the rule of seed 002), X405: any report is the full set."""
    cluster.executor("te-1", P, P)
    assert cluster.report("i-te-1", held("te-1", 1, "x"), free("te-1", 2)) == [
        removed("te-1_0"),
        allocated("te-1_1", "x"),
        appeared("te-1_2"),
    ]
    assert cluster.manager.counts() == SlotManagerCounts(1, 2, 1, 0)


def test_a_slot_that_is_left_out_is_lost_to_its_job(busy: Cluster) -> None:
    """X405, X402"""
    assert busy.report("i-te-1") == [Told("job", "x", LOST), removed("te-1_0", "x")]


def test_a_slot_that_is_left_out_while_it_is_asked_for_sends_the_request_back(
    cluster: Cluster,
) -> None:
    """X405, FLINK-34434: the request does not end with the slot."""
    cluster.executor("te-1", P)
    cluster.request("a")
    assert cluster.report("i-te-1", free("te-1", 1)) == [
        requeued("te-1_0", "a", "the executor no longer has this slot"),
        removed("te-1_0", "a"),
        appeared("te-1_1"),
        *asked("te-1_1", "a"),
    ]
    cluster.grant("te-1_0", "a")
    assert cluster.grant("te-1_1", "a") == granted("te-1_1", "a")


def test_a_slot_that_is_left_out_is_given_to_nobody(cluster: Cluster) -> None:
    """X405"""
    cluster.executor("te-1", P)
    cluster.report("i-te-1")
    assert cluster.request("a") == [noted("a")]


def test_a_slot_whose_profile_changed_is_a_new_slot(busy: Cluster) -> None:
    """D14: the allocation that it keeps is not lost."""
    assert busy.report("i-te-1", held("te-1", 0, "x", B)) == [
        removed("te-1_0", "x"),
        appeared_held("te-1_0", "x", B),
    ]


def test_an_allocation_that_moved_within_its_executor_is_not_lost(cluster: Cluster) -> None:
    """X406: one allocation, one slot; the old pair is dropped and nobody is told of a loss."""
    cluster.executor("te-1", P, P)
    cluster.hold("te-1_0", "x")
    assert cluster.report("i-te-1", free("te-1", 0), held("te-1", 1, "x")) == [
        freed("te-1_0", "x"),
        allocated("te-1_1", "x"),
    ]
    assert cluster.slots() == {"te-1_0": None, "te-1_1": "x"}


def test_an_allocation_that_another_executor_reports_moves_there(cluster: Cluster) -> None:
    """A19, X406: freeing the old slot later does not touch the new one."""
    cluster.executor("te-1", P)
    cluster.hold("te-1_0", "x")
    cluster.executor("te-2", P)
    assert cluster.report("i-te-2", held("te-2", 0, "x")) == [
        freed("te-1_0", "x"),
        allocated("te-2_0", "x"),
    ]
    assert cluster.available("te-1_0", "x") == []
    assert cluster.slots() == {"te-1_0": None, "te-2_0": "x"}


def test_two_slots_that_swapped_their_allocations_lose_neither(cluster: Cluster) -> None:
    """A19, X406"""
    cluster.executor("te-1", P, P)
    cluster.hold("te-1_0", "x")
    cluster.hold("te-1_1", "y")
    effects = cluster.report("i-te-1", held("te-1", 0, "y"), held("te-1", 1, "x"))
    assert not [effect for effect in effects if isinstance(effect, Told)]
    assert cluster.slots() == {"te-1_0": "y", "te-1_1": "x"}


# reports that cannot be true


@pytest.mark.parametrize(
    ("report", "problem"),
    [
        ([free("te-1"), free("te-1")], "slot te-1_0 is in the report twice"),
        ([free("te-2")], "slot te-2_0 is of another executor"),
        (
            [held("te-1", 0, "y"), held("te-1", 1, "y")],
            "allocation y is in the report twice",
        ),
        ([held("te-1", 0, "x", job="thief")], "allocation x belongs to job job"),
        ([held("te-1", 0, "a", job="thief")], "allocation a belongs to job job"),
    ],
)
def test_a_report_that_cannot_be_true_is_refused_and_changes_nothing(
    busy: Cluster, report: list[SlotStatus], problem: str
) -> None:
    """Promise 4: a slot twice or of another executor, an allocation twice or of another job."""
    busy.request("a")
    before = busy.manager.counts()
    with pytest.raises(InvalidParams, match=problem) as refused:
        busy.manager.report_slots(InstanceId("i-te-1"), [free("te-1", 5), *report], 0.0)
    assert refused.value.data["path"] == "params.slot_report"
    assert busy.manager.counts() == before
    busy.step([])
