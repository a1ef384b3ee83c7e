"""Why a request waits: in numbers and one sentence, from the code that decides (promise 3)."""

import pytest

from daemon.core.resource_manager.slot_manager import (
    RequestExplanation,
    SlotManagerSettings,
    WorkerSpecification,
)
from protocol.ids import AllocationId
from protocol.messages.values import SlotKind
from protocol.resources import UNKNOWN, ResourceProfile
from tests.decisions.slot_manager_words import B, Cluster, P


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def test_only_requests_that_have_no_slot_yet_are_explained(cluster: Cluster) -> None:
    cluster.executor("te-1", P)
    cluster.hold("te-1_0", "a")
    for name in ["a", "unknown"]:
        assert cluster.manager.explain(AllocationId(name), 0.0) is None


def test_a_request_behind_others_says_how_many_and_what_is_in_use(cluster: Cluster) -> None:
    cluster.executor("te-1", P, P, B)
    for number in range(3):
        cluster.hold(f"te-1_{number}", f"x{number}", B if number == 2 else P)
    for name in ["r1", "r2", "r3"]:
        cluster.request(name, B)
    cluster.request("other", P)
    cluster.request("r4", B)
    assert cluster.explain("r4") == RequestExplanation(
        "PENDING",
        "1 slot fits, in use; 3 requests of the same profile are ahead",
        4,
        [
            SlotKind(P, 2, 0, fits=False, reason="lacks 1 cpu, 512 MiB"),
            SlotKind(B, 1, 0, fits=True, reason="1 slot fits, in use"),
        ],
        None,
    )
    assert cluster.explain("other").reason == "3 slots fit, all in use"
    cluster.cancel("r2")
    assert cluster.explain("r4").position == 3


def test_a_request_that_is_asked_for_names_executor_and_slot(cluster: Cluster) -> None:
    cluster.executor("te-1", P)
    cluster.request("a")
    explanation = cluster.explain("a")
    assert explanation.state == "ASSIGNED"
    assert explanation.reason == "executor te-1 is being asked for slot te-1_0"
    assert explanation.position is None


def test_slots_that_rest_or_drain_are_counted_apart(cluster: Cluster) -> None:
    cluster.executor("te-1", P, P)
    cluster.executor("te-2", P)
    cluster.hold("te-1_0", "a")
    cluster.drain("te-2")
    cluster.request("b")
    cluster.refuse("te-1_1", "b")
    assert cluster.explain("b").reason == (
        "3 slots fit: 1 in use, 1 free on an executor that is drained or leaves,"
        " 1 free but resting after a refusal"
    )


def test_what_nothing_fits_names_the_nearest_and_when_it_is_refused(cluster: Cluster) -> None:
    cluster.executor("te-1", P, ResourceProfile(8, 64))
    cluster.request("a", B)
    cluster.at(5.0)
    explanation = cluster.explain("a")
    nearest = "8 cpu, 64 MiB (lacks 960 MiB)"
    assert explanation.nearest == nearest
    assert explanation.reason == (
        f"no slot fits, the nearest is {nearest}; refused in 10 s unless an executor brings one"
    )
    assert [kind.reason for kind in explanation.kinds] == [
        "lacks 1 cpu, 512 MiB",
        "lacks 960 MiB",
    ]


def test_what_must_be_started_or_may_come_back_says_so() -> None:
    cluster = Cluster(SlotManagerSettings(worker=WorkerSpecification((B,))))
    cluster.request("a", B)
    assert cluster.explain("a").reason == "no slot fits; an executor that has one can be started"
    cluster.executor("te-1", ResourceProfile(16, 4096))
    cluster.lose("te-1")
    cluster.request("b", ResourceProfile(16, 1))
    assert cluster.explain("b").reason == (
        "no slot fits; an executor that had one is gone and may come back"
    )


def test_a_slot_of_unknown_size_serves_only_who_does_not_care(cluster: Cluster) -> None:
    """C30"""
    cluster.executor("te-1", UNKNOWN)
    cluster.request("a", P)
    cluster.request("any", UNKNOWN)
    [kind] = cluster.explain("a").kinds
    assert (kind.fits, kind.reason) == (False, "its size is not known")
    assert cluster.explain("any").state == "ASSIGNED"
