"""What can never be served is refused, naming the nearest; what may come is waited for."""

import attrs
import pytest

from daemon.core.resource_manager.slot_manager import (
    SlotManagerCounts,
    SlotManagerSettings,
    WorkerSpecification,
)
from protocol.errors import NoResourceAvailable
from protocol.resources import UNKNOWN, ResourceProfile
from tests.decisions.slot_manager_words import (
    B,
    Cluster,
    Failed,
    P,
    Told,
    appeared,
    asked,
    free,
    noted,
    request,
    requeued,
)

GPU = ResourceProfile(1, 512, {"gpu": 2})
NEVER = NoResourceAvailable


@pytest.fixture
def cluster() -> Cluster:
    """The grace ends at 15 s."""
    return Cluster()


def refused(cluster: Cluster, profile: ResourceProfile) -> NoResourceAvailable:
    """Request a slot that is refused at once; nothing changes."""
    before = cluster.manager.counts()
    with pytest.raises(NoResourceAvailable) as error:
        cluster.manager.request_slot(request("refused", profile), cluster.now)
    assert cluster.manager.counts() == before
    cluster.step([])
    return error.value


def test_within_the_grace_nothing_is_refused(cluster: Cluster) -> None:
    """D37, G22: executors need time to register."""
    cluster.at(14.9)
    assert cluster.request("a", B) == [noted("a", B, timeout=DEADLINE_LEFT)]


DEADLINE_LEFT = 300.0 - 14.9


def test_when_the_grace_ends_what_nothing_could_serve_fails(cluster: Cluster) -> None:
    """D37, G22, promise 3: busy slots count as possible; the job is told."""
    cluster.executor("te-1", P)
    cluster.hold("te-1_0", "x")
    cluster.request("possible")
    cluster.request("never", B)
    assert cluster.manager.next_deadline == 15.0
    assert cluster.at(15.0) == [Told("job", "never", NEVER), Failed("never")]
    assert cluster.waiting() == ["possible"]
    assert cluster.manager.next_deadline == 300.0


def test_after_the_grace_what_nothing_could_serve_is_refused_at_once(cluster: Cluster) -> None:
    """D37, promise 3, promise 4: naming the nearest and what it lacks."""
    cluster.executor("te-1", P, B)
    cluster.at(15.0)
    error = refused(cluster, GPU)
    assert error.data["nearest"] == "1 cpu, 512 MiB (lacks 2 gpu)"
    assert str(error) == (
        "nothing can ever serve a slot of 1 cpu, 512 MiB, 2 gpu;"
        " the nearest is 1 cpu, 512 MiB (lacks 2 gpu)"
    )
    assert refused(cluster, ResourceProfile(4, 1024)).data["nearest"] == (
        "2 cpu, 1024 MiB (lacks 2 cpu)"
    )


def test_without_executors_nothing_is_the_nearest(cluster: Cluster) -> None:
    """D37"""
    cluster.at(15.0)
    assert refused(cluster, P).data["nearest"] is None
    assert "no executor is registered" in str(refused(cluster, UNKNOWN))


def test_what_a_busy_slot_could_serve_is_noted(cluster: Cluster) -> None:
    """D37"""
    cluster.executor("te-1", P)
    cluster.hold("te-1_0", "x")
    cluster.at(15.0)
    assert cluster.request("a", UNKNOWN)[0] == noted("a", UNKNOWN, timeout=285.0)


def test_what_an_executor_that_can_be_started_could_serve_is_noted() -> None:
    """D37"""
    cluster = Cluster(SlotManagerSettings(worker=WorkerSpecification((B,))))
    cluster.request("a", B)
    assert cluster.at(15.0) == []
    assert cluster.waiting() == ["a"]
    assert refused(cluster, GPU).data["nearest"] == "2 cpu, 1024 MiB (lacks 2 gpu)"


def test_a_lost_executor_may_come_back_within_one_more_grace(cluster: Cluster) -> None:
    """D37: what it could serve waits for it, and no longer."""
    cluster.executor("te-1", B)
    cluster.at(20.0)
    cluster.lose("te-1")
    cluster.request("a", B)
    assert cluster.manager.next_deadline == 35.0
    assert cluster.at(34.9) == []
    assert cluster.at(35.0) == [Told("job", "a", NEVER), Failed("a")]
    refused(cluster, B)


def test_a_lost_executor_that_came_back_serves(cluster: Cluster) -> None:
    """D37"""
    cluster.executor("te-1", B)
    cluster.at(20.0)
    cluster.lose("te-1")
    cluster.request("a", B)
    assert cluster.executor("te-1", B) == [appeared("te-1_0", B), *asked("te-1_0", "a", B)]
    cluster.refuse("te-1_0", "a")
    assert cluster.at(34.0) == asked("te-1_0", "a", B)
    assert cluster.at(35.0) == []


def test_the_grace_of_a_lost_executor_does_not_cover_what_it_could_not_serve(
    cluster: Cluster,
) -> None:
    """Promise 3: an executor that flaps does not make the impossible wait for ever."""
    cluster.executor("te-1", P)
    cluster.at(20.0)
    cluster.lose("te-1")
    refused(cluster, B)


def test_a_draining_executor_does_not_count(cluster: Cluster) -> None:
    """D37: what only it could serve has one more grace to find another."""
    cluster.executor("te-1", B)
    cluster.hold("te-1_0", "x", B)
    cluster.at(20.0)
    cluster.request("a", B)
    cluster.drain("te-1")
    assert cluster.at(34.9) == []
    assert cluster.at(35.0) == [Told("job", "a", NEVER), Failed("a")]
    refused(cluster, B)


def test_a_slot_that_a_report_leaves_out_does_not_count(cluster: Cluster) -> None:
    """D37, X405"""
    cluster.executor("te-1", B)
    cluster.at(20.0)
    cluster.report("i-te-1", free("te-1"))
    cluster.request("a", B)
    assert cluster.at(35.0) == [Told("job", "a", NEVER), Failed("a")]


def test_a_request_that_is_being_asked_for_fails_only_when_it_is_refused(cluster: Cluster) -> None:
    """D37: nothing waits for ever for an executor that will not be asked again."""
    cluster.executor("te-1", B)
    cluster.at(20.0)
    cluster.request("a", B)
    cluster.drain("te-1")
    assert cluster.at(35.0) == []
    assert cluster.refuse("te-1_0", "a")[0] == requeued("te-1_0", "a")
    assert cluster.waiting() == []
    assert not [name for name in cluster.state.requests if name == "a"]


def test_a_negative_grace_never_ends() -> None:
    """D37, G22: the policy is off."""
    cluster = Cluster(SlotManagerSettings(start_up_time_s=-1.0))
    cluster.request("a", B)
    cluster.executor("te-1", P)
    cluster.lose("te-1")
    assert cluster.at(299.0) == []
    assert cluster.waiting() == ["a"]
    assert cluster.manager.next_deadline == 300.0


def test_no_grace_refuses_from_the_start() -> None:
    """G22"""
    refused(Cluster(SlotManagerSettings(start_up_time_s=0.0)), P)


def test_failing_the_impossible_is_bounded_and_continued() -> None:
    """A pass has a bound in work."""
    cluster = Cluster()
    for number in range(1200):
        cluster.manager.request_slot(request(f"r{number}", B), 0.0)
    first = cluster.manager.expire(15.0)
    assert len(first) == 2 * 1000
    assert cluster.manager.next_deadline <= 15.0
    assert len(cluster.manager.expire(15.0)) == 2 * 200
    assert cluster.manager.next_deadline == float("inf")
    assert cluster.manager.counts() == SlotManagerCounts(0, 0, 0, 0)


def test_deadlines_are_handled_in_bounded_numbers() -> None:
    """A pass has a bound in work."""
    cluster = Cluster(attrs.evolve(SlotManagerSettings(), start_up_time_s=-1.0))
    for number in range(1200):
        cluster.manager.request_slot(request(f"r{number}"), 0.0)
    assert len(cluster.manager.expire(300.0)) == 2 * 1000
    assert cluster.manager.next_deadline == 300.0
    assert len(cluster.manager.expire(300.0)) == 2 * 200
