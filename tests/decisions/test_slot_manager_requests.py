"""Slot requests: noted once, served in order of arrival, ended by grant, cancel or deadline."""

from collections.abc import Iterable

import pytest

from daemon.core.effects import AskExecutorForSlot, FreeSlotAtInstance
from daemon.core.resource_manager.slot_manager import SlotManagerCounts
from protocol.errors import SlotAllocationFailed, SlotRequestTimeout
from protocol.ids import AllocationId, InstanceId
from protocol.news import RequestFailed
from protocol.resources import UNKNOWN
from tests.decisions.slot_manager_words import (
    B,
    Cluster,
    Failed,
    P,
    Told,
    allocated,
    appeared,
    asked,
    cancelled,
    free,
    freed,
    granted,
    held,
    noted,
    request,
)


def free_again(name: str, executor: str = "te-1") -> FreeSlotAtInstance:
    return FreeSlotAtInstance(
        InstanceId(f"i-{executor}"), AllocationId(name), "the request was withdrawn"
    )


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def test_a_request_without_any_slot_waits(cluster: Cluster) -> None:
    """A01, D03: where nobody starts executors, nothing is asked for."""
    assert cluster.request("a") == [noted("a")]
    assert cluster.manager.counts() == SlotManagerCounts(0, 0, 0, 1)


def test_a_free_slot_is_asked_for_at_once_and_is_allocated_when_granted(cluster: Cluster) -> None:
    """A02, D05, B04, B07, B15, X304: slot, job, allocation, target and instance are named."""
    cluster.executor("te-1", P)
    assert cluster.request("a") == [noted("a"), *asked("te-1_0", "a")]
    assert cluster.manager.counts() == SlotManagerCounts(1, 1, 0, 1)
    assert cluster.grant("te-1_0", "a") == granted("te-1_0", "a")
    assert cluster.manager.counts() == SlotManagerCounts(1, 1, 0, 0)
    assert cluster.slots() == {"te-1_0": "a"}


def test_slots_that_are_too_small_stay_free(cluster: Cluster) -> None:
    """A03"""
    cluster.executor("te-1", P, P)
    assert cluster.request("a", B) == [noted("a", B)]
    assert cluster.manager.counts() == SlotManagerCounts(1, 2, 2, 1)


def test_a_duplicate_is_acknowledged_and_does_nothing(cluster: Cluster) -> None:
    """A04, B13, D09, D11, X301: pending, being asked for, and allocated; even if it differs."""
    cluster.executor("te-1", P)
    cluster.request("r1")
    cluster.request("r2")
    assert not cluster.again("r1")
    assert not cluster.again("r2", B, job="other")
    cluster.grant("te-1_0", "r1")
    assert not cluster.again("r1")
    assert cluster.manager.counts() == SlotManagerCounts(1, 1, 0, 1)


def test_requests_that_cannot_be_served_do_not_block_others(cluster: Cluster) -> None:
    """A05: 5 slots of P; 3 x P, 2 x B, 1 x P."""
    cluster.executor("te-1", P, P, P, P, P)
    for name, profile in [("p1", P), ("p2", P), ("p3", P), ("b1", B), ("b2", B), ("p4", P)]:
        cluster.request(name, profile)
    assert cluster.waiting() == ["b1", "b2"]
    assert cluster.manager.counts() == SlotManagerCounts(1, 5, 1, 6)


def test_a_slot_that_comes_later_serves_the_request(cluster: Cluster) -> None:
    """D07, B03, B16, X307: the request was stored first, so the slot finds it."""
    cluster.request("a")
    assert cluster.executor("te-1", P) == [appeared("te-1_0"), *asked("te-1_0", "a")]
    assert cluster.grant("te-1_0", "a") == granted("te-1_0", "a")


def test_waiting_requests_are_served_in_order_of_arrival(cluster: Cluster) -> None:
    """A21, B08, D42, X211: whatever their ids, and the first that fits."""
    for name, profile in [("z", P), ("b", B), ("m", P), ("a", UNKNOWN)]:
        cluster.request(name, profile)
    cluster.executor("te-1", P)
    order = ["z"]
    for name in ["m", "a"]:
        cluster.grant("te-1_0", order[-1])
        profile = UNKNOWN if name == "a" else P
        assert cluster.available("te-1_0", order[-1]) == [
            freed("te-1_0", order[-1]),
            *asked("te-1_0", name, profile),
        ]
        order.append(name)
    assert cluster.waiting() == ["b"]


def test_many_slots_at_once_serve_the_oldest_requests_in_order_of_registration(
    cluster: Cluster,
) -> None:
    """A20, A21, D28: first fit."""
    for name in ["r1", "r2", "r3"]:
        cluster.request(name)
    assert cluster.executor("te-1", B, P) == [
        appeared("te-1_0", B),
        appeared("te-1_1", P),
        *asked("te-1_0", "r1"),
        *asked("te-1_1", "r2"),
    ]


def test_a_freed_slot_may_be_requested_under_the_same_id_again(cluster: Cluster) -> None:
    """D12, X209: nothing remembers that the id was fulfilled once."""
    cluster.executor("te-1", P)
    cluster.hold("te-1_0", "a")
    cluster.available("te-1_0", "a")
    assert cluster.again("a")
    assert cluster.grant("te-1_0", "a") == granted("te-1_0", "a")


# cancelling


def test_cancelling_a_waiting_request_forgets_it(cluster: Cluster) -> None:
    """D06, G18: and once only."""
    cluster.request("a")
    assert cluster.cancel("a") == [cancelled("a")]
    assert cluster.manager.cancel_request(AllocationId("a"), 0.0) == (False, [])
    assert cluster.executor("te-1", P) == [appeared("te-1_0")]


def test_an_unknown_or_allocated_id_cannot_be_cancelled(cluster: Cluster) -> None:
    """D06, G18"""
    cluster.executor("te-1", P)
    cluster.hold("te-1_0", "a")
    for name in ["a", "b"]:
        assert cluster.manager.cancel_request(AllocationId(name), 0.0) == (False, [])
    assert cluster.slots() == {"te-1_0": "a"}


def test_cancelling_while_the_executor_is_asked_frees_the_slot_when_it_refuses(
    cluster: Cluster,
) -> None:
    """D06, D24: the request is gone at once and is not retried; the slot serves the next."""
    cluster.executor("te-1", P)
    cluster.request("a")
    assert cluster.cancel("a") == [cancelled("a")]
    assert cluster.request("b") == [noted("b")]
    assert cluster.refuse("te-1_0", "a") == [freed("te-1_0", "a")]
    assert cluster.at(0.2) == asked("te-1_0", "b")


def test_cancelling_while_the_executor_is_asked_frees_a_slot_that_was_granted_meanwhile(
    cluster: Cluster,
) -> None:
    """X214, X009: nobody else gets the slot until its executor says that it is free."""
    cluster.executor("te-1", P)
    cluster.request("a")
    cluster.cancel("a")
    assert cluster.request("b") == [noted("b")]
    assert cluster.grant("te-1_0", "a") == [free_again("a")]
    assert cluster.available("te-1_0", "a") == [freed("te-1_0", "a"), *asked("te-1_0", "b")]


def test_a_withdrawn_slot_that_its_job_accepted_meanwhile_is_allocated(cluster: Cluster) -> None:
    """X214, A22: the report says that the executor did not free it: then the job holds it."""
    cluster.executor("te-1", P)
    cluster.request("a")
    cluster.cancel("a")
    assert cluster.grant("te-1_0", "a") == [free_again("a")]
    assert cluster.report("i-te-1", held("te-1", 0, "a")) == [allocated("te-1_0", "a")]
    assert cluster.available("te-1_0", "a") == [freed("te-1_0", "a")]


def test_a_withdrawn_slot_is_not_free_because_an_old_report_says_so(cluster: Cluster) -> None:
    """D15, X214: the executor may still be about to grant it."""
    cluster.executor("te-1", P)
    cluster.request("a")
    cluster.cancel("a")
    assert cluster.report("i-te-1", free("te-1")) == []
    assert cluster.request("b") == [noted("b")]
    assert cluster.available("te-1_0", "a") == []


def test_a_withdrawn_id_is_refused_until_its_executor_has_answered(cluster: Cluster) -> None:
    """X214, promise 4: the free call names only the id, so it could end the new allocation."""
    cluster.executor("te-1", P, P)
    cluster.request("a")
    cluster.cancel("a")
    with pytest.raises(SlotAllocationFailed):
        cluster.manager.request_slot(request("a"), 0.0)
    assert cluster.manager.counts() == SlotManagerCounts(1, 2, 1, 0)
    cluster.refuse("te-1_0", "a")
    assert cluster.again("a")


def test_a_job_whose_job_master_is_gone_withdraws_its_requests_and_keeps_its_slots(
    cluster: Cluster,
) -> None:
    """G20"""
    cluster.executor("te-1", P, P)
    cluster.hold("te-1_0", "a", job="j1")
    cluster.request("b", job="j1")
    cluster.request("c", job="j1")
    cluster.request("d", job="j2")
    assert cluster.lose_job("j1") == [cancelled("b", job="j1"), cancelled("c", job="j1")]
    assert cluster.waiting() == ["d"]
    assert cluster.slots() == {"te-1_0": "a", "te-1_1": "b"}
    assert cluster.lose_job("j1") == []


# deadlines


def test_a_request_that_waits_for_too_long_fails_and_its_job_is_told_once(cluster: Cluster) -> None:
    """D20, D21, X213: at the deadline, not before."""
    cluster.executor("te-1", P)
    cluster.hold("te-1_0", "b")
    cluster.request("a", deadline=50.0)
    assert cluster.manager.next_deadline == 15.0, "the grace"
    assert cluster.at(49.9) == []
    assert cluster.manager.next_deadline == 50.0
    assert cluster.at(50.0) == [Told("job", "a", SlotRequestTimeout), Failed("a")]
    assert cluster.at(60.0) == []
    assert cluster.again("a")


def test_the_failure_says_why_the_request_waited(cluster: Cluster) -> None:
    """Promise 3"""
    cluster.executor("te-1", P)
    cluster.hold("te-1_0", "a")
    cluster.request("b", deadline=5.0)
    cluster.at(5.0)
    assert isinstance(cluster.effects[-1], RequestFailed)
    assert cluster.effects[-1].cause == "no slot in time: 1 slot fits, in use"


def test_a_fulfilled_or_cancelled_request_has_no_deadline(cluster: Cluster) -> None:
    """D21: a timer of the past never fires."""
    cluster.executor("te-1", P)
    cluster.request("a", deadline=5.0)
    cluster.grant("te-1_0", "a")
    cluster.request("b", deadline=6.0)
    cluster.cancel("b")
    assert cluster.manager.next_deadline == 15.0, "the grace"
    assert cluster.at(10.0) == []


def test_the_deadline_counts_from_creation_through_every_retry(cluster: Cluster) -> None:
    """D40, X205, X212: a request that an executor refuses for ever fails at its own time."""
    cluster.executor("te-1", P)
    cluster.request("a", deadline=5.0)
    asks = 0
    effects: list[object] = []
    while not effects or effects[-1] != Failed("a"):
        assert cluster.refuse("te-1_0", "a")[-1] == freed("te-1_0", "a")
        asks += 1
        while effects != asked("te-1_0", "a") and Failed("a") not in effects:
            effects = list(cluster.at(cluster.manager.next_deadline))
        if Failed("a") not in effects:
            effects = []
    assert cluster.now == 5.0
    assert asks == 5, "0.2, 0.6, 1.4, 3.0: X207"


def test_a_deadline_while_the_executor_is_asked_fails_the_request_and_holds_the_slot_back(
    cluster: Cluster,
) -> None:
    """X204: not lost in silence; the slot is nobody's until the executor has answered."""
    cluster.executor("te-1", P)
    cluster.request("a", deadline=5.0)
    cluster.request("b")
    assert cluster.at(5.0) == [Told("job", "a", SlotRequestTimeout), Failed("a")]
    assert cluster.waiting() == ["b"]
    assert cluster.grant("te-1_0", "a") == [free_again("a")]
    assert cluster.available("te-1_0", "a") == [freed("te-1_0", "a"), *asked("te-1_0", "b")]


def test_a_request_whose_deadline_has_passed_is_refused(cluster: Cluster) -> None:
    """D40, promise 4"""
    cluster.executor("te-1", P)
    with pytest.raises(SlotRequestTimeout):
        cluster.manager.request_slot(request("a", deadline=0.0), 0.0)
    assert cluster.manager.counts() == SlotManagerCounts(1, 1, 1, 0)


# one pass has a bound


def asks_of(effects: Iterable[object]) -> list[str]:
    return [each.allocation_id for each in effects if isinstance(each, AskExecutorForSlot)]


def test_a_pass_is_bounded_and_continued_when_the_inbox_was_served(cluster: Cluster) -> None:
    """What one call leaves is due at once, and what arrives meanwhile does not overtake it."""
    manager = cluster.manager
    names = [f"r{number}" for number in range(1500)]
    cluster.register("te-1")
    for name in names:
        manager.request_slot(request(name), 0.0)
    slots = [free("te-1", number) for number in range(1501)]
    _, first = manager.report_slots(InstanceId("i-te-1"), slots, 1.0)
    assert asks_of(first) == names[:1000]
    assert manager.next_deadline == 1.0
    _, second = manager.request_slot(request("late"), 1.0)
    assert asks_of(second) == [*names[1000:], "late"]
    assert manager.next_deadline == 15.0
    manager.check_invariants()
