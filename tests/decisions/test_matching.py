"""The lanes find what a scan over everything would find, in any order of adding and taking."""

from collections.abc import Callable

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.core.resource_manager.lane import Lane
from daemon.core.resource_manager.matching import Lanes
from daemon.core.resource_manager.placement import PLACEMENTS, placement_called
from daemon.core.resource_manager.slot_manager import SlotManagerSettings
from protocol.resources import UNKNOWN, ResourceProfile
from tests.decisions.slot_manager_words import B, Cluster, P, appeared, asked


@attrs.define(eq=False)
class Thing:
    serial: int
    profile: ResourceProfile
    lane: Lane["Thing"] | None = None


amounts = st.integers(0, 4)
profiles = st.one_of(
    st.just(UNKNOWN),
    st.builds(ResourceProfile, amounts, amounts),
    st.builds(lambda c, g: ResourceProfile(c, 2, {"gpu": g}), amounts, amounts),
)
steps = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "take", "drop", "back"]), profiles, st.integers(0, 99)
    ),
    max_size=120,
)


def satisfies(slot: ResourceProfile, required: ResourceProfile) -> bool:
    return slot.satisfies(required)


class InBlocks(Lanes[Thing]):
    """Searches blocks as soon as there are three lanes."""

    MANY = 2


class WithViews(Lanes[Thing]):
    """Remembers every profile at once, and drops empty lanes often."""

    FEW = 0
    SPARE = 4
    VIEWS = 3


def needs(required: ResourceProfile, slot: ResourceProfile) -> bool:
    return slot.satisfies(required)


@pytest.mark.parametrize("kind", [Lanes[Thing], InBlocks, WithViews])
@pytest.mark.parametrize(("fits", "sign"), [(satisfies, 1), (needs, -1)])
@given(steps=steps)
@settings(max_examples=60, deadline=None)
def test_the_first_fitting_item_is_the_one_that_a_scan_finds(
    kind: type[Lanes[Thing]],
    fits: Callable[[ResourceProfile, ResourceProfile], bool],
    sign: int,
    steps: list[tuple[str, ResourceProfile, int]],
) -> None:
    """D28, A21: by serial among all that fit, whatever was dropped or came back meanwhile."""
    lanes = kind(fits, Lane, sign)
    inside: dict[int, Thing] = {}
    outside: list[Thing] = []
    serial = 0
    for step, profile, number in steps:
        if step == "add":
            serial += 1
            inside[serial] = Thing(serial, profile)
            lanes.add(inside[serial])
        elif step == "take":
            found = lanes.first(profile)
            fitting = [each for each in inside.values() if fits(each.profile, profile)]
            assert found is min(fitting, key=lambda each: each.serial, default=None)
            if found is not None:
                assert lanes.discard(found)
                outside.append(inside.pop(found.serial))
        elif step == "drop" and inside:
            thing = inside.pop(list(inside)[number % len(inside)])
            assert lanes.discard(thing)
            assert not lanes.discard(thing)
            outside.append(thing)
        elif step == "back" and outside:
            thing = outside.pop(number % len(outside))
            inside[thing.serial] = thing
            lanes.add(thing)
        assert len(lanes) == len(inside)
    for lane in lanes.filled():
        things = [each for each in inside.values() if each.profile == lane.profile]
        assert lane.oldest(99) == sorted(things, key=lambda each: each.serial)
        assert lane.newest(2) == lane.oldest(99)[:-3:-1]
        assert [lane.place_of(each) for each in lane.oldest(99)] == list(range(len(things)))


def searches_blocks(lanes: Lanes[Thing]) -> bool:
    return lanes._blocks is not None


def test_thousands_of_profiles_are_searched_in_blocks_that_split_and_vanish() -> None:
    """When all profiles are different, the first that fits is still the first."""
    lanes = Lanes[Thing](satisfies, Lane, 1)
    things = [Thing(n, ResourceProfile(n * 7919 % 1000, n * 104729 % 1000)) for n in range(1000)]
    for thing in things[::2] + things[1::2]:
        lanes.add(thing)
    assert searches_blocks(lanes)
    for number in range(1000):
        asked = ResourceProfile(number * 31 % 900, number * 17 % 900)
        fitting = (each for each in things if each in lanes and each.profile.satisfies(asked))
        expected = next(fitting, None)
        assert lanes.take(asked) is expected
        if number % 3 == 0 and expected is not None:
            lanes.add(expected)
    for thing in things:
        lanes.discard(thing)
    assert len(lanes) == 0
    assert not searches_blocks(lanes)


def test_profiles_that_are_gone_leave_nothing_behind() -> None:
    """Requests of ever-new profiles must not fill the memory."""
    lanes = Lanes[Thing](satisfies, Lane, 1)
    kept = Thing(0, ResourceProfile(0.5, 1))
    lanes.add(kept)
    for serial in range(1, 5000):
        thing = Thing(serial, ResourceProfile(1, serial))
        lanes.add(thing)
        assert lanes.first(ResourceProfile(1, serial)) is thing
        lanes.discard(thing)
    assert len(lanes._lanes) <= Lanes.SPARE + 1
    assert len(lanes._by_profile) <= Lanes.SPARE + 1
    assert len(lanes._views) <= Lanes.VIEWS
    assert lanes.first(ResourceProfile(0.25, 1)) is kept


def test_items_that_were_taken_out_of_the_middle_do_not_come_up_again() -> None:
    lanes = Lanes[Thing](satisfies, Lane, 1)
    things = [Thing(serial, P) for serial in range(4)]
    for thing in things:
        lanes.add(thing)
    for number in (1, 2, 0):
        assert lanes.discard(things[number])
    assert lanes.first(P) is things[3]


def test_a_lane_forgets_what_was_taken_out_of_its_middle() -> None:
    lanes = Lanes[Thing](satisfies, Lane, 1)
    first = Thing(0, P)
    lanes.add(first)
    for serial in range(1, 1000):
        thing = Thing(serial, P)
        lanes.add(thing)
        lanes.discard(thing)
    [lane] = lanes.filled()
    assert len(lane._heap) <= 65
    assert lanes.first(P) is first


# the policies


def placed(placement: str, *requests: ResourceProfile) -> list[str]:
    """te-1 has 2 slots of B, te-2 a B and a P, te-3 two of P; which slots requests get in turn."""
    cluster = Cluster(SlotManagerSettings(placement=placement))
    cluster.executor("te-1", B, B)
    cluster.executor("te-2", B, P)
    cluster.executor("te-3", P, P)
    for number, profile in enumerate(requests):
        cluster.request(f"r{number}", profile)
    return [
        next(key for key, holder in cluster.slots().items() if holder == f"r{number}")
        for number in range(len(requests))
    ]


@pytest.mark.parametrize(
    ("placement", "slots"),
    [
        ("first-fit", ["te-1_0", "te-1_1", "te-2_0", "te-2_1", "te-3_0"]),
        ("best-fit", ["te-2_1", "te-3_0", "te-3_1", "te-1_0", "te-1_1"]),
        ("spread", ["te-1_0", "te-2_0", "te-3_0", "te-1_1", "te-2_1"]),
        ("pack", ["te-1_0", "te-1_1", "te-2_0", "te-2_1", "te-3_0"]),
    ],
)
def test_each_policy_has_its_order(placement: str, slots: list[str]) -> None:
    """A20, D28, D46: spread alternates, pack fills one executor before the next."""
    assert placed(placement, P, P, P, P, P) == slots


def test_pack_takes_the_fullest_executor_that_still_has_a_fitting_slot() -> None:
    """A20: te-2 is half used, but after its B is gone only te-1 fits."""
    cluster = Cluster(SlotManagerSettings(placement="pack"))
    cluster.executor("te-1", B, B)
    cluster.executor("te-2", P, B)
    cluster.request("x", B)
    cluster.lose("te-1")
    cluster.executor("te-1", B, B)
    assert cluster.slots() == {"te-2_0": None, "te-2_1": "x", "te-1_0": None, "te-1_1": None}
    cluster.request("a", B)
    cluster.request("b", P)
    assert cluster.slots() == {"te-2_0": "b", "te-2_1": "x", "te-1_0": "a", "te-1_1": None}


def test_best_fit_scores_by_size_not_by_memory_first() -> None:
    """A20: the slot with less memory but many cores is the larger one."""
    cluster = Cluster(SlotManagerSettings(placement="best-fit"))
    cluster.executor("te-1", ResourceProfile(16, 1000), ResourceProfile(1, 1100))
    cluster.request("a", ResourceProfile(1, 1000))
    assert cluster.slots() == {"te-1_0": None, "te-1_1": "a"}


def test_best_fit_serves_waiting_requests_from_the_smallest_slot() -> None:
    """A20, D42: all slots of a report are looked at, not one after the other."""
    cluster = Cluster(SlotManagerSettings(placement="best-fit"))
    cluster.request("a", P)
    cluster.request("b", B)
    assert cluster.executor("te-1", B, P) == [
        appeared("te-1_0", B),
        appeared("te-1_1", P),
        *asked("te-1_1", "a", P),
        *asked("te-1_0", "b", B),
    ]


def test_spread_prefers_the_executor_whose_slots_became_free() -> None:
    """D46: by utilisation now, also after reports and releases."""
    cluster = Cluster(SlotManagerSettings(placement="spread"))
    cluster.executor("te-1", P, P)
    cluster.executor("te-2", P, P)
    cluster.hold("te-1_0", "a")
    cluster.hold("te-2_0", "b")
    cluster.hold("te-1_1", "c")
    cluster.available("te-1_0", "a")
    cluster.available("te-1_1", "c")
    cluster.request("d")
    assert cluster.slots()["te-1_0"] == "d"


def test_spread_counts_parts_of_executors_not_slots() -> None:
    """D46: 1 of 4 in use is less than 1 of 2."""
    cluster = Cluster(SlotManagerSettings(placement="spread"))
    cluster.executor("te-1", P, P)
    cluster.executor("te-2", P, P, P, P)
    cluster.hold("te-1_0", "a")
    cluster.hold("te-2_0", "b")
    cluster.hold("te-2_1", "c")
    assert cluster.slots()["te-1_1"] is None


def test_an_unknown_policy_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="expected one of first-fit, best-fit, spread, pack"):
        placement_called("random")
    assert list(PLACEMENTS) == ["first-fit", "best-fit", "spread", "pack"]
