"""Executors are started when requests wait and given back when nobody needs them."""

import attrs
import pytest

from daemon.core.effects import AskExecutorForRelease, ReleaseExecutor, StartExecutor
from daemon.core.resource_manager.slot_manager import SlotManagerSettings, WorkerSpecification
from protocol.errors import NoResourceAvailable
from protocol.ids import InstanceId
from protocol.news import ResourceRequested
from protocol.resources import ResourceProfile
from tests.decisions.slot_manager_words import (
    B,
    Cluster,
    Failed,
    P,
    Seen,
    Told,
    appeared,
    appeared_held,
    asked,
    cancelled,
    free,
    freed,
    granted,
    held,
    noted,
    released,
)

SETTINGS = SlotManagerSettings(worker=WorkerSpecification((P,)), executor_idle_timeout_s=50.0)


def cluster_with(
    *slots: ResourceProfile, max_slots: int | None = None, redundant_executors: int = 0
) -> Cluster:
    """A cluster in which executors with these slots can be started."""
    return Cluster(
        attrs.evolve(
            SETTINGS,
            worker=WorkerSpecification(slots),
            max_slots=max_slots,
            redundant_executors=redundant_executors,
        )
    )


@pytest.fixture
def cluster() -> Cluster:
    """Executors with one slot of P can be started; idle for 50 s, they go."""
    return Cluster(SETTINGS)


def started(profile: ResourceProfile = P) -> list[Seen]:
    return [ResourceRequested(profile), StartExecutor(profile)]


def starts(effects: list[Seen]) -> int:
    return sum(isinstance(effect, StartExecutor) for effect in effects)


def release_question(name: str, since: float) -> AskExecutorForRelease:
    return AskExecutorForRelease(InstanceId(f"i-{name}"), since)


def may_go(cluster: Cluster, name: str, since: float) -> list[Seen]:
    return cluster.step(
        cluster.manager.executor_may_go(InstanceId(f"i-{name}"), since, cluster.now)
    )


def start_failed(cluster: Cluster, profile: ResourceProfile = P) -> list[Seen]:
    return cluster.step(cluster.manager.executor_start_failed(profile, "no quota", cluster.now))


# starting


def test_a_request_that_waits_has_one_executor_started_for_it(cluster: Cluster) -> None:
    """A01, A23, D03: for its profile, once."""
    assert cluster.request("a") == [noted("a"), *started()]
    assert cluster.at(1.0) == []
    assert not cluster.again("a")


def test_the_slot_of_a_started_executor_serves_the_request_and_nothing_more_is_started(
    cluster: Cluster,
) -> None:
    """D07, X307: noted first, started then; a slot that is there at once finds the request."""
    cluster.request("a")
    assert cluster.executor("te-1", P) == [appeared("te-1_0"), *asked("te-1_0", "a")]
    assert cluster.grant("te-1_0", "a") == granted("te-1_0", "a")


def test_executors_are_started_only_for_what_waits() -> None:
    """A03, A04, A05, D09: 5 slots of P; 3 x P, 2 x B, 1 x P: one for each B."""
    cluster = cluster_with(B)
    cluster.executor("te-1", P, P, P, P, P)
    effects: list[Seen] = []
    for name, profile in [("p1", P), ("p2", P), ("p3", P), ("b1", B), ("b2", B), ("p4", P)]:
        effects += cluster.request(name, profile)
    assert [e for e in effects if isinstance(e, StartExecutor)] == [StartExecutor(B)] * 2


def test_one_started_executor_covers_as_many_requests_as_it_has_slots() -> None:
    """D33, X206: two slots each; the third request starts the second."""
    cluster = cluster_with(P, P)
    assert starts(cluster.request("a")) == 1
    assert starts(cluster.request("b")) == 0
    assert starts(cluster.request("c")) == 1


def test_a_profile_that_no_executor_can_bring_is_not_asked_for(cluster: Cluster) -> None:
    """D37: it is not startable, so it fails when the grace ends."""
    assert cluster.request("a", B) == [noted("a", B)]
    assert cluster.at(15.0) == [Told("job", "a", NoResourceAvailable), Failed("a")]


def test_a_cancelled_request_leaves_its_coming_slot_to_the_next(cluster: Cluster) -> None:
    """D34"""
    cluster.request("a")
    assert cluster.cancel("a") == [cancelled("a")]
    assert cluster.request("b") == [noted("b")]


def test_a_request_that_another_slot_serves_leaves_its_coming_slot_to_the_next() -> None:
    """D36: a slot of another profile came; the one that was started for is still to come."""
    cluster = cluster_with(B)
    assert starts(cluster.request("a", P)) == 1
    assert cluster.executor("other", P)[-2:] == asked("other_0", "a")
    assert cluster.request("b", B) == [noted("b", B)]
    assert cluster.executor("te-1", B) == [appeared("te-1_0", B), *asked("te-1_0", "b", B)]
    assert starts(cluster.request("c", B)) == 1


def test_fewer_slots_than_expected_use_up_as_many_expectations() -> None:
    """D35: one of the three is still expected."""
    cluster = cluster_with(P, P, P)
    for name in ["a", "b", "c"]:
        cluster.request(name)
    assert starts(cluster.executor("te-1", P, P)) == 0
    assert cluster.waiting() == ["c"]
    assert starts(cluster.request("d")) == 1


def test_only_free_slots_of_exactly_the_expected_profile_use_up_expectations() -> None:
    """D35"""
    cluster = cluster_with(P)
    cluster.request("a")
    cluster.register("te-1")
    assert cluster.report("i-te-1", held("te-1", 0, "x"), free("te-1", 1, B)) == [
        appeared_held("te-1_0", "x"),
        appeared("te-1_1", B),
        *asked("te-1_1", "a"),
    ]
    assert starts(cluster.request("b")) == 0, "the one that was started for a is to come"
    assert starts(cluster.request("c")) == 1


def test_an_executor_that_comes_back_is_not_one_that_was_started(cluster: Cluster) -> None:
    """D35"""
    cluster.executor("te-1", P)
    cluster.hold("te-1_0", "a")
    assert starts(cluster.request("b")) == 1
    cluster.register("te-1", "second")
    cluster.report("second", free("te-1"))
    assert cluster.waiting() == []
    assert starts(cluster.request("c")) == 0


def test_a_refused_request_does_not_start_another_executor(cluster: Cluster) -> None:
    """A23, X206, X307: the slot will be tried again."""
    cluster.executor("te-1", P)
    cluster.request("a")
    assert starts(cluster.refuse("te-1_0", "a")) == 0
    assert cluster.at(0.2) == asked("te-1_0", "a")


def test_a_request_whose_executor_was_lost_has_a_new_one_started(cluster: Cluster) -> None:
    """D02"""
    cluster.executor("te-1", P)
    cluster.request("a")
    assert starts(cluster.lose("te-1")) == 1


def test_a_start_that_fails_fails_the_requests_that_wait_for_it(cluster: Cluster) -> None:
    """D04: nothing remembers them; the same id may be requested again."""
    cluster.request("a")
    cluster.request("b")
    assert start_failed(cluster) == [Told("job", "b", NoResourceAvailable), Failed("b")]
    assert start_failed(cluster) == [Told("job", "a", NoResourceAvailable), Failed("a")]
    assert start_failed(cluster) == []
    assert cluster.request("a") == [noted("a"), *started()]


def test_a_start_that_fails_does_not_fail_requests_that_were_served_meanwhile(
    cluster: Cluster,
) -> None:
    """D04, D36"""
    cluster.request("a")
    cluster.executor("other", B)
    assert start_failed(cluster) == []


# max_slots


def test_no_executor_is_started_beyond_the_maximum() -> None:
    """D47, FLINK-32254, FLINK-33228: up to the limit, registered and starting counted once."""
    cluster = cluster_with(P, P, max_slots=5)
    cluster.executor("te-0", P)
    for name in ["a", "b", "c", "d", "e"]:
        cluster.request(name)
    assert starts(list(cluster.effects)) == 2
    cluster.executor("te-1", P, P)
    assert starts(list(cluster.effects)) == 2
    assert cluster.waiting() == ["d", "e"]


def test_room_that_becomes_free_is_used(cluster: Cluster) -> None:
    """D47: when an executor goes, a request that found no room has one started."""
    cluster = cluster_with(P, max_slots=1)
    cluster.executor("te-1", P)
    cluster.hold("te-1_0", "a")
    assert starts(cluster.request("b")) == 0
    assert starts(cluster.lose("te-1")) == 1


def test_a_failed_start_does_not_fail_what_had_no_room() -> None:
    """D04, D47"""
    cluster = cluster_with(P, max_slots=1)
    cluster.request("a")
    cluster.request("b")
    effects = start_failed(cluster)
    assert effects == [Told("job", "b", NoResourceAvailable), Failed("b"), *started()]
    assert cluster.waiting() == ["a"]


def test_an_executor_beyond_the_maximum_is_given_back() -> None:
    """D47: and serves nobody meanwhile."""
    cluster = cluster_with(P, max_slots=1)
    cluster.executor("te-1", P)
    assert cluster.executor("te-2", P) == [
        appeared("te-2_0"),
        released("te-2", "more slots than max_slots"),
        ReleaseExecutor(InstanceId("i-te-2"), "more slots than max_slots"),
    ]
    cluster.hold("te-1_0", "a")
    cluster.request("b")
    assert cluster.waiting() == ["b"]


def test_an_executor_beyond_the_maximum_that_holds_something_stays() -> None:
    """D47: nothing that runs is ended for a number."""
    cluster = cluster_with(P, max_slots=1)
    cluster.executor("te-1", P)
    cluster.register("te-2")
    assert cluster.report("i-te-2", held("te-2", 0, "x")) == [appeared_held("te-2_0", "x")]


# giving back


def test_an_idle_executor_is_asked_and_then_released(cluster: Cluster) -> None:
    """D18, D29, X201: once; its slots stay until it is really gone."""
    cluster.executor("te-1", P)
    assert cluster.manager.next_deadline == 15.0
    cluster.at(15.0)
    assert cluster.manager.next_deadline == 50.0
    assert cluster.at(49.9) == []
    assert cluster.at(50.0) == [release_question("te-1", 0.0)]
    assert may_go(cluster, "te-1", 0.0) == [
        released("te-1", "idle"),
        ReleaseExecutor(InstanceId("i-te-1"), "idle"),
    ]
    assert may_go(cluster, "te-1", 0.0) == []
    assert cluster.at(500.0) == []
    assert cluster.slots() == {"te-1_0": None}
    assert starts(cluster.request("a", deadline=600.0)) == 1, "nothing is placed on it any more"


def test_nobody_is_released_where_nobody_starts_executors() -> None:
    """D18"""
    cluster = Cluster(attrs.evolve(SETTINGS, worker=None))
    cluster.executor("te-1", P)
    assert cluster.at(1000.0) == []
    assert cluster.manager.next_deadline == float("inf")


def test_exactly_the_timeout_is_long_enough(cluster: Cluster) -> None:
    """FLINK-12835: idle >= timeout releases."""
    cluster.at(1.0)
    cluster.executor("te-1", P)
    assert cluster.at(51.0) == [release_question("te-1", 1.0)]


def test_idle_time_begins_when_the_last_slot_is_freed_and_ends_with_the_first_use(
    cluster: Cluster,
) -> None:
    """D19, X202"""
    cluster = cluster_with(P, P)
    cluster.executor("te-1", P, P)
    cluster.at(20.0)
    cluster.hold("te-1_0", "a")
    cluster.hold("te-1_1", "b")
    assert cluster.at(100.0) == []
    cluster.available("te-1_0", "a")
    cluster.at(110.0)
    cluster.available("te-1_1", "b")
    assert cluster.at(159.9) == []
    assert cluster.at(160.0) == [release_question("te-1", 110.0)]


def test_reports_do_not_begin_the_idle_time_anew(cluster: Cluster) -> None:
    """D41, X203: heartbeats come more often than the timeout is long."""
    cluster.executor("te-1", P)
    for now in range(5, 50, 5):
        assert cluster.at(now) == []
        assert cluster.report("i-te-1", free("te-1")) == []
    assert cluster.at(50.0) == [release_question("te-1", 0.0)]


def test_an_executor_that_was_used_while_it_was_asked_is_not_released(cluster: Cluster) -> None:
    """D38, X202, X218: not even if it is idle again."""
    cluster.executor("te-1", P)
    cluster.at(50.0)
    cluster.request("a")
    assert may_go(cluster, "te-1", 0.0) == []
    cluster.grant("te-1_0", "a")
    cluster.available("te-1_0", "a")
    assert may_go(cluster, "te-1", 0.0) == []
    assert cluster.at(100.0) == [release_question("te-1", 50.0)]


def test_an_executor_that_said_no_is_asked_again_later(cluster: Cluster) -> None:
    """D38, X218: it still had results that nobody had fetched."""
    cluster.executor("te-1", P)
    assert cluster.at(50.0) == [release_question("te-1", 0.0)]
    assert cluster.at(99.9) == []
    assert cluster.at(100.0) == [release_question("te-1", 0.0)]


def test_a_lost_executor_is_not_asked(cluster: Cluster) -> None:
    """X201: no ghost."""
    cluster.executor("te-1", P)
    cluster.lose("te-1")
    assert cluster.at(50.0) == []
    assert may_go(cluster, "te-1", 0.0) == []


def test_redundant_executors_are_kept() -> None:
    """D48: one of three idle executors stays beyond the demand."""
    cluster = cluster_with(P, redundant_executors=1)
    for name in ["te-1", "te-2", "te-3"]:
        cluster.executor(name, P)
    asked_now = cluster.at(50.0)
    assert asked_now == [release_question(f"te-{number}", 0.0) for number in (1, 2, 3)]
    assert starts(may_go(cluster, "te-1", 0.0)) == 0
    assert starts(may_go(cluster, "te-2", 0.0)) == 0
    assert may_go(cluster, "te-3", 0.0) == []
    assert cluster.at(500.0) == []


def test_a_redundant_executor_is_started_when_the_spare_one_is_used() -> None:
    """D48: within max_slots."""
    cluster = cluster_with(P, redundant_executors=1, max_slots=2)
    cluster.executor("te-1", P)
    assert cluster.request("a") == [noted("a"), *asked("te-1_0", "a"), *started()]
    assert cluster.executor("te-2", P) == [appeared("te-2_0")]
    assert cluster.request("b") == [noted("b"), *asked("te-2_0", "b")]


def test_a_freed_slot_starts_nothing(cluster: Cluster) -> None:
    """A23"""
    cluster.executor("te-1", P)
    cluster.hold("te-1_0", "a")
    cluster.request("b")
    assert cluster.available("te-1_0", "a") == [freed("te-1_0", "a"), *asked("te-1_0", "b")]
