"""What executors answer when they are asked for a slot: grants, refusals, silence, in any order."""

import pytest

from daemon.core.effects import FreeSlotAtInstance
from daemon.core.resource_manager.slot_manager import SlotManagerSettings
from protocol.errors import SlotRequestTimeout
from protocol.ids import AllocationId, InstanceId
from tests.decisions.slot_manager_words import (
    Cluster,
    Failed,
    P,
    Told,
    allocated,
    appeared,
    asked,
    free,
    freed,
    granted,
    held,
    noted,
    requeued,
)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def test_a_refused_request_goes_to_another_executor_at_once(cluster: Cluster) -> None:
    """D22, X303: two asks in all; the slot that refused is free."""
    cluster.executor("te-1", P, P)
    cluster.executor("te-2", P)
    cluster.request("a")
    assert cluster.refuse("te-1_0", "a", "the executor did not answer in 10 s") == [
        requeued("te-1_0", "a", "the executor did not answer in 10 s"),
        freed("te-1_0", "a"),
        *asked("te-2_0", "a"),
    ]
    assert cluster.grant("te-2_0", "a") == granted("te-2_0", "a")
    assert cluster.slots() == {"te-1_0": None, "te-1_1": None, "te-2_0": "a"}


def test_a_single_slot_that_refused_is_tried_again_after_a_while(cluster: Cluster) -> None:
    """A15, D39, X403, X207"""
    cluster.executor("te-1", P)
    cluster.request("a")
    assert cluster.refuse("te-1_0", "a") == [requeued("te-1_0", "a"), freed("te-1_0", "a")]
    assert cluster.at(0.19) == []
    assert cluster.at(0.2) == asked("te-1_0", "a")
    assert cluster.grant("te-1_0", "a") == granted("te-1_0", "a")


def test_the_pause_doubles_with_every_refusal_up_to_a_bound_and_ends_with_a_grant() -> None:
    """X207, X403: no hot loop, even without any deadline."""
    cluster = Cluster(SlotManagerSettings(retry_delay_s=1.0, max_retry_delay_s=4.0))
    cluster.executor("te-1", P)
    cluster.request("a")
    pauses: list[float] = []
    for _ in range(5):
        cluster.refuse("te-1_0", "a")
        since = cluster.now
        while not cluster.at(cluster.manager.next_deadline):
            pass
        pauses.append(cluster.now - since)
    assert pauses == [2.0, 4.0, 8.0, 8.0, 8.0]
    cluster.grant("te-1_0", "a")
    cluster.available("te-1_0", "a")
    cluster.request("b")
    cluster.refuse("te-1_0", "b")
    since = cluster.now
    while not cluster.at(cluster.manager.next_deadline):
        pass
    assert cluster.now - since == 2.0


def test_the_other_slots_of_an_executor_that_refused_come_before_the_refused_one(
    cluster: Cluster,
) -> None:
    """X207, X403: one bad slot does not stop the good ones."""
    cluster.executor("te-1", P, P)
    cluster.request("a")
    cluster.refuse("te-1_0", "a")
    assert cluster.at(0.1) == asked("te-1_1", "a")


def test_an_executor_that_refused_is_left_alone_by_every_request(cluster: Cluster) -> None:
    """X207: ten thousand waiting requests are not refused one after the other."""
    cluster.executor("te-1", P, P)
    cluster.request("a")
    cluster.refuse("te-1_0", "a")
    assert cluster.request("b") == [noted("b")]


def test_refusals_that_were_under_way_together_count_as_one(cluster: Cluster) -> None:
    """X207: an executor with many slots does not fall silent for long after one bad moment."""
    cluster.executor("te-1", P, P, P)
    for name in ["a", "b", "c"]:
        cluster.request(name)
    for number, name in enumerate(["a", "b", "c"]):
        cluster.refuse(f"te-1_{number}", name)
    assert cluster.at(0.1) == []
    assert cluster.at(0.2) == [
        *asked("te-1_0", "a"),
        *asked("te-1_1", "b"),
        *asked("te-1_2", "c"),
    ]


def test_a_refused_request_keeps_its_place(cluster: Cluster) -> None:
    """X403, D40: it is older than the requests that came while it was asked for."""
    cluster.executor("te-1", P)
    cluster.request("old")
    cluster.request("young")
    cluster.refuse("te-1_0", "old")
    assert cluster.at(0.2) == asked("te-1_0", "old")
    assert cluster.waiting() == ["young"]


def test_a_slot_that_is_occupied_belongs_to_its_occupant(cluster: Cluster) -> None:
    """A16, D23: the request waits for another; its own deadline still counts."""
    cluster.executor("te-1", P)
    cluster.request("a", deadline=1337.0)
    assert cluster.refuse("te-1_0", "a", by="x") == [
        requeued("te-1_0", "a", "the slot is occupied by x"),
        allocated("te-1_0", "x", job=None),
    ]
    assert cluster.at(1337.0) == [Told("job", "a", SlotRequestTimeout), Failed("a")]
    assert cluster.slots() == {"te-1_0": "x"}


def test_an_executor_with_an_occupied_slot_need_not_rest(cluster: Cluster) -> None:
    """D23: it did answer, and its other slots are as good as before."""
    cluster.executor("te-1", P, P)
    cluster.request("a")
    assert cluster.refuse("te-1_0", "a", by="x")[-2:] == asked("te-1_1", "a")


def test_the_job_of_an_occupant_is_learnt_from_the_next_report(cluster: Cluster) -> None:
    """D23, A22"""
    cluster.executor("te-1", P)
    cluster.request("a")
    cluster.refuse("te-1_0", "a", by="x")
    assert cluster.report("i-te-1", held("te-1", 0, "x", job="other")) == [
        allocated("te-1_0", "x", job="other")
    ]


def test_an_occupant_that_is_itself_a_request_is_fulfilled(cluster: Cluster) -> None:
    """D31, D23: an earlier call that timed out had been granted after all."""
    cluster.executor("te-1", P)
    cluster.request("a")
    cluster.refuse("te-1_0", "a", "the executor did not answer in 10 s")
    cluster.cancel("a")
    cluster.request("b")
    cluster.at(0.2)
    cluster.request("a2")
    assert cluster.refuse("te-1_0", "b", by="a2") == [
        requeued("te-1_0", "b", "the slot is occupied by a2"),
        *granted("te-1_0", "a2"),
    ]
    assert cluster.waiting() == ["b"]


def test_occupied_by_the_very_allocation_is_a_grant(cluster: Cluster) -> None:
    """E06, D23"""
    cluster.executor("te-1", P)
    cluster.request("a")
    assert cluster.refuse("te-1_0", "a", by="a") == granted("te-1_0", "a")


def test_an_answer_about_something_that_is_not_asked_changes_nothing(cluster: Cluster) -> None:
    """A17, D24, G14: another allocation, another instance, an unknown slot, twice the same."""
    cluster.executor("te-1", P)
    cluster.request("a")
    assert cluster.refuse("te-1_0", "other") == []
    assert cluster.refuse("te-1_0", "other", by="x") == []
    assert cluster.grant("te-1_0", "a", "old-instance") == []
    assert cluster.grant("te-1_7", "a") == []
    cluster.grant("te-1_0", "a")
    assert cluster.grant("te-1_0", "a") == []
    assert cluster.refuse("te-1_0", "a", by="x") == []
    assert cluster.slots() == {"te-1_0": "a"}


def test_a_grant_that_nobody_asked_for_is_freed(cluster: Cluster) -> None:
    """X214: an answer that came after its own time-out, for a request that was cancelled since."""
    cluster.executor("te-1", P)
    cluster.request("a")
    cluster.refuse("te-1_0", "a", "the executor did not answer in 10 s")
    cluster.cancel("a")
    assert cluster.grant("te-1_0", "a") == [
        FreeSlotAtInstance(InstanceId("i-te-1"), AllocationId("a"), "the request was withdrawn")
    ]


def test_a_grant_that_comes_after_its_time_out_is_taken_while_the_request_waits(
    cluster: Cluster,
) -> None:
    """D31, D22: the executor is right about what it gave."""
    cluster.executor("te-1", P)
    cluster.request("a")
    cluster.refuse("te-1_0", "a", "the executor did not answer in 10 s")
    assert cluster.grant("te-1_0", "a") == granted("te-1_0", "a")


# slots that become free


def test_a_slot_is_freed_only_for_the_allocation_that_has_it(cluster: Cluster) -> None:
    """D08, B12, G14: another id, another instance, an unknown or a free slot are ignored."""
    cluster.executor("te-1", P, P)
    cluster.hold("te-1_0", "a")
    assert cluster.available("te-1_0", "b") == []
    assert cluster.available("te-1_0", "a", "old-instance") == []
    assert cluster.available("te-1_1", "a") == []
    assert cluster.available("te-9_0", "a") == []
    assert cluster.available("te-1_0", "a") == [freed("te-1_0", "a")]
    assert cluster.available("te-1_0", "a") == []


def test_a_slot_that_is_asked_for_is_not_freed_by_an_old_message(cluster: Cluster) -> None:
    """D15, D08"""
    cluster.executor("te-1", P)
    cluster.request("a")
    assert cluster.available("te-1_0", "a") == []
    assert cluster.grant("te-1_0", "a") == granted("te-1_0", "a")


def test_a_freed_slot_goes_to_the_oldest_request_that_fits(cluster: Cluster) -> None:
    """D42; the job that freed its slot is told nothing."""
    cluster.executor("te-1", P)
    cluster.hold("te-1_0", "a")
    cluster.request("b")
    cluster.request("c")
    assert cluster.available("te-1_0", "a") == [freed("te-1_0", "a"), *asked("te-1_0", "b")]


def test_a_slot_that_goes_while_it_rests_is_forgotten(cluster: Cluster) -> None:
    """X207, X405: its back-off ends with it, and a new slot of that name starts anew."""
    cluster.executor("te-1", P)
    cluster.request("a")
    cluster.refuse("te-1_0", "a")
    cluster.report("i-te-1")
    assert cluster.explain("a").kinds == []
    assert cluster.report("i-te-1", free("te-1")) == [appeared("te-1_0")]
    assert cluster.at(0.1) == asked("te-1_0", "a"), "only the executor had still to rest"
