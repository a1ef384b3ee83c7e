"""Executors come, come again, drain and go: what becomes of their slots and of the requests."""

import pytest

from daemon.core.effects import FreeSlotAtInstance
from daemon.core.resource_manager.slot_manager import (
    SlotManager,
    SlotManagerCounts,
    SlotManagerSettings,
)
from protocol.errors import SlotAllocationFailed, UnknownTaskExecutor
from protocol.ids import AllocationId, InstanceId, ResourceId
from tests.decisions.slot_manager_words import (
    B,
    Cluster,
    P,
    Seen,
    Told,
    appeared,
    appeared_held,
    asked,
    came,
    draining,
    free,
    freed,
    gone,
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


# loss


def test_a_lost_executor_takes_its_slots_with_it(cluster: Cluster) -> None:
    """A18: 2 x 2 slots, 2 in use; an unknown executor changes nothing."""
    cluster.executor("te-1", P, P)
    cluster.executor("te-2", P, P)
    cluster.hold("te-1_0", "a")
    cluster.hold("te-1_1", "b")
    assert cluster.manager.counts() == SlotManagerCounts(2, 4, 2, 0)
    assert cluster.lose("te-2") == [removed("te-2_0"), removed("te-2_1"), gone("te-2")]
    assert cluster.manager.counts() == SlotManagerCounts(1, 2, 0, 0)
    assert cluster.lose("te-2") == []
    assert cluster.lose("te-9") == []


def test_each_job_is_told_of_each_allocation_that_was_lost_and_why(cluster: Cluster) -> None:
    """D32, X402, X213: job1 has 2 slots, job2 2, job3 1."""
    cluster.executor("te-1", P, P, P, P, P)
    holders = [("job1", "a"), ("job1", "b"), ("job2", "c"), ("job2", "d"), ("job3", "e")]
    for number, (job, name) in enumerate(holders):
        cluster.hold(f"te-1_{number}", name, job=job)
    before = len(cluster.effects)
    told = [each for each in cluster.lose("te-1", "no heartbeat") if isinstance(each, Told)]
    assert told == [Told(job, name, LOST) for job, name in holders]
    assert "no heartbeat" in str(cluster.effects[before])


def test_a_request_that_was_asked_of_a_lost_executor_is_tried_elsewhere(cluster: Cluster) -> None:
    """D02, FLINK-34434, A17: in its place in the queue; late answers change nothing."""
    cluster.executor("te-1", P, P)
    cluster.hold("te-1_0", "a")
    cluster.request("b")
    cluster.request("c", B)
    assert cluster.lose("te-1") == [
        Told("job", "a", LOST),
        removed("te-1_0", "a"),
        requeued("te-1_1", "b", "executor te-1 is gone: lost"),
        removed("te-1_1", "b"),
        gone("te-1"),
    ]
    assert cluster.grant("te-1_1", "b") == []
    assert cluster.refuse("te-1_1", "b") == []
    assert cluster.executor("te-2", P) == [appeared("te-2_0"), *asked("te-2_0", "b")]


def test_an_executor_that_is_lost_while_it_withdraws_leaves_nothing_behind(
    cluster: Cluster,
) -> None:
    """X214, FLINK-32882"""
    cluster.executor("te-1", P)
    cluster.request("a")
    cluster.cancel("a")
    assert cluster.lose("te-1") == [removed("te-1_0", "a"), gone("te-1")]
    assert cluster.again("a")


# registering again


def test_an_executor_that_registers_again_is_a_new_instance_with_new_slots(
    cluster: Cluster,
) -> None:
    """G11, X404, X407: messages of the earlier instance change nothing."""
    cluster.executor("te-1", P)
    assert cluster.register("te-1", "second") == [
        removed("te-1_0"),
        gone("te-1", "it registered again"),
        came("te-1", "second"),
    ]
    assert cluster.manager.counts() == SlotManagerCounts(1, 0, 0, 0)
    assert cluster.manager.report_slots(InstanceId("i-te-1"), [free("te-1")], 0.0) == (False, [])
    cluster.report("second", free("te-1"))
    assert cluster.request("a")[1:] == asked("te-1_0", "a", instance="second")
    assert cluster.grant("te-1_0", "a") == []
    assert cluster.lose("te-1") == []
    assert cluster.grant("te-1_0", "a", "second") == granted("te-1_0", "a")


def test_the_same_instance_again_is_no_news(cluster: Cluster) -> None:
    """D27"""
    cluster.executor("te-1", P)
    assert cluster.register("te-1") == []
    assert cluster.manager.counts() == SlotManagerCounts(1, 1, 1, 0)


def test_what_an_executor_still_holds_when_it_registers_again_is_not_lost(
    cluster: Cluster,
) -> None:
    """G11, D32, A22: a broken connection alone ends no job's work."""
    cluster.executor("te-1", P, P)
    cluster.hold("te-1_0", "kept")
    cluster.hold("te-1_1", "lost")
    assert cluster.register("te-1", "second") == [
        removed("te-1_0", "kept"),
        removed("te-1_1", "lost"),
        gone("te-1", "it registered again"),
        came("te-1", "second"),
    ]
    assert cluster.report("second", held("te-1", 0, "kept"), free("te-1", 1)) == [
        appeared_held("te-1_0", "kept"),
        appeared("te-1_1"),
        Told("job", "lost", LOST),
    ]


def test_what_an_executor_held_is_lost_if_it_goes_before_its_first_report(
    cluster: Cluster,
) -> None:
    """D32, G11: told once, however often it registered."""
    cluster.executor("te-1", P)
    cluster.hold("te-1_0", "a")
    cluster.register("te-1", "second")
    cluster.register("te-1", "third")
    effects = cluster.step(cluster.manager.lose_executor(InstanceId("third"), "lost", cluster.now))
    assert effects == [Told("job", "a", LOST), gone("te-1", "lost", "third")]


# draining


def test_a_draining_executor_gets_no_new_allocation(cluster: Cluster) -> None:
    cluster.executor("te-1", P, P)
    cluster.hold("te-1_0", "a")
    assert cluster.drain("te-1") == [draining("te-1")]
    assert cluster.drain("te-1") == []
    assert cluster.request("b") == [noted("b")]
    assert not cluster.manager.is_drained(ResourceId("te-1"))
    assert cluster.available("te-1_0", "a") == [freed("te-1_0", "a")]
    assert cluster.manager.is_drained(ResourceId("te-1"))
    assert cluster.report("i-te-1", free("te-1", 0), free("te-1", 1), free("te-1", 2)) == [
        appeared("te-1_2")
    ]
    assert cluster.waiting() == ["b"]


def test_an_executor_is_asked_to_the_end_although_it_drains(cluster: Cluster) -> None:
    """What was asked before may be granted; it is drained when that is free, too."""
    cluster.executor("te-1", P)
    cluster.request("a")
    cluster.drain("te-1")
    assert cluster.grant("te-1_0", "a") == granted("te-1_0", "a")
    assert not cluster.manager.is_drained(ResourceId("te-1"))


def test_a_request_that_a_draining_executor_refuses_is_not_tried_there_again(
    cluster: Cluster,
) -> None:
    cluster.executor("te-1", P)
    cluster.request("a")
    cluster.drain("te-1")
    cluster.refuse("te-1_0", "a")
    assert cluster.at(5.0) == []
    assert cluster.waiting() == ["a"]


def test_the_end_of_a_drain_frees_what_is_still_held_and_tells_each_job(cluster: Cluster) -> None:
    """D32: the slot is free when its executor says so; an unknown executor changes nothing."""
    cluster.executor("te-1", P, P)
    cluster.hold("te-1_0", "a")
    cluster.drain("te-1")
    assert evict(cluster, "te-1") == [
        FreeSlotAtInstance(InstanceId("i-te-1"), AllocationId("a"), "drained", True),
        Told("job", "a", LOST),
    ]
    assert not cluster.manager.is_drained(ResourceId("te-1"))
    cluster.available("te-1_0", "a")
    assert cluster.manager.is_drained(ResourceId("te-1"))
    assert evict(cluster, "te-9") == []


def evict(cluster: Cluster, name: str) -> list[Seen]:
    return cluster.step(cluster.manager.evict_executor(ResourceId(name), "drained", cluster.now))


def test_a_draining_executor_that_comes_back_over_a_new_connection_still_drains(
    cluster: Cluster,
) -> None:
    cluster.executor("te-1", P)
    cluster.hold("te-1_0", "a")
    cluster.drain("te-1")
    assert cluster.register("te-1", "second")[-2:] == [
        came("te-1", "second"),
        draining("te-1", "second"),
    ]
    assert not cluster.manager.is_drained(ResourceId("te-1")), "it has not said what it holds"
    cluster.report("second", free("te-1"))
    assert cluster.request("b") == [noted("b")]
    assert cluster.manager.is_drained(ResourceId("te-1"))


def test_an_executor_that_is_gone_is_drained(cluster: Cluster) -> None:
    cluster.executor("te-1", P)
    assert not cluster.manager.is_drained(ResourceId("te-1")), "nobody asked it to drain"
    cluster.lose("te-1")
    assert cluster.manager.is_drained(ResourceId("te-1"))


def test_an_unknown_executor_cannot_be_drained(cluster: Cluster) -> None:
    with pytest.raises(UnknownTaskExecutor, match="'te-1'"):
        cluster.drain("te-1")


# terms


def test_a_new_term_begins_with_nothing_of_the_old_one() -> None:
    """D25, D26, B10, X217, X306: a term is an object; leaving it needs no clean-up and cannot fail.

    The executors' reports rebuild what is so (D45).
    """
    old = Cluster()
    old.executor("te-1", P)
    old.hold("te-1_0", "a")
    old.request("b")
    new = SlotManager(SlotManagerSettings(), 100.0)
    assert new.counts() == SlotManagerCounts(0, 0, 0, 0)
    assert new.report_slots(InstanceId("i-te-1"), [free("te-1")], 100.0) == (False, [])
    assert new.next_deadline == 115.0, "its own grace"
    assert SlotManager(SlotManagerSettings(), 0.0).expire(0.0) == []


def test_sizes_can_be_asked_for_at_any_time(cluster: Cluster) -> None:
    """D44: in all, and of one executor."""
    cluster.executor("te-1", P, P)
    cluster.executor("te-2", B)
    cluster.hold("te-1_0", "a")
    cluster.request("b", B)
    assert cluster.manager.counts() == SlotManagerCounts(2, 3, 1, 1)
    views = cluster.state.executors
    assert {name: (view.slots, view.free) for name, view in views.items()} == {
        "te-1": (2, 1),
        "te-2": (1, 0),
    }
