"""Promise 1 inside one machine: no core and no index belongs to two slots."""

from hypothesis import given
from hypothesis import strategies as st

from daemon.payload.shares import SlotShare, divide
from protocol.resources import UNKNOWN, ResourceProfile


def slots(*amounts: float) -> list[ResourceProfile]:
    return [ResourceProfile(cpu, 1) for cpu in amounts]


def cpus(profiles: list[ResourceProfile], cores: list[int]) -> list[set[int] | None]:
    return [set(share.cpus) if share.cpus else None for share in divide(profiles, cores)]


def test_whole_cores_are_a_slots_own() -> None:
    assert cpus(slots(1, 2, 1), [4, 5, 6, 7]) == [{4}, {5, 6}, {7}]


def test_fractions_share_what_the_whole_ones_leave() -> None:
    assert cpus(slots(0.5, 1, 0.5, 0.5), [0, 1, 2]) == [{1, 2}, {0}, {1, 2}, {1, 2}]


def test_more_than_there_is_sets_nothing_aside() -> None:
    assert cpus(slots(1, 1, 1), [0, 1]) == [None, None, None]


def test_a_slot_without_cores_runs_anywhere() -> None:
    assert cpus(slots(0, 1), [0, 1]) == [None, {0}]
    assert divide([UNKNOWN], [0]) == [SlotShare()]


def test_indices_of_a_countable_resource_are_disjoint() -> None:
    profiles = [
        ResourceProfile(0, 1, {"gpu": 2, "licence": 1}),
        ResourceProfile(0, 1),
        ResourceProfile(0, 1, {"gpu": 1}),
    ]
    assert [share.indices for share in divide(profiles, [])] == [
        {"gpu": (0, 1), "licence": (0,)},
        {},
        {"gpu": (2,)},
    ]


def test_what_is_given_in_fractions_has_no_indices() -> None:
    profiles = [ResourceProfile(0, 1, {"gpu": 0.5}), ResourceProfile(0, 1, {"gpu": 1})]
    assert [share.indices for share in divide(profiles, [])] == [{}, {}]


AMOUNTS = st.sampled_from([0, 0.25, 0.5, 1, 1.5, 2, 3])


@given(
    st.lists(st.tuples(AMOUNTS, AMOUNTS), max_size=8),
    st.lists(st.integers(0, 63), unique=True, max_size=12),
)
def test_nothing_is_given_twice(amounts: list[tuple[float, float]], cores: list[int]) -> None:
    profiles = [ResourceProfile(cpu, 1, {"gpu": gpu}) for cpu, gpu in amounts]
    shares = divide(profiles, cores)
    own = [
        core
        for profile, share in zip(profiles, shares, strict=True)
        if share.cpus and profile.cpu_cores == len(share.cpus)
        for core in share.cpus
    ]
    assert len(own) == len(set(own))
    assert set(own) <= set(cores)
    gpus = [index for share in shares for index in share.indices.get("gpu", ())]
    assert len(gpus) == len(set(gpus))
    shared = [
        share.cpus
        for profile, share in zip(profiles, shares, strict=True)
        if share.cpus and profile.cpu_cores % 1
    ]
    assert all(part and not part & set(own) for part in shared)
