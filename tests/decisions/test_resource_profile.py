"""ResourceProfile: which slot serves which need, their order, sums, and refused amounts."""

import math
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.resources import NOTHING, UNKNOWN, ResourceProfile

amounts = st.one_of(st.integers(0, 3), st.floats(0, 4, allow_nan=False))
profiles = st.builds(
    ResourceProfile,
    amounts,
    st.integers(0, 2048),
    st.dictionaries(st.sampled_from(["gpu", "fpga", "licence"]), amounts),
)


def profile(cpu: float, memory: int, **extended: float) -> ResourceProfile:
    return ResourceProfile(cpu, memory, extended)


@pytest.mark.parametrize(
    ("slot", "need", "serves"),
    [
        (profile(1, 100), profile(1, 100), True),
        (profile(1, 200), profile(1, 100), True),
        (profile(2, 100), profile(1, 100), True),
        (profile(2, 200), profile(1, 100), True),
        (profile(1, 100), profile(1, 200), False),
        (profile(1, 100), profile(2, 100), False),
        (profile(2, 100), profile(1, 200), False),
        (profile(1, 200), profile(2, 100), False),
        (profile(1, 100, gpu=1), profile(1, 100), True),
        (profile(1, 100), profile(1, 100, gpu=1), False),
        (profile(1, 100, gpu=1), profile(1, 100, gpu=1), True),
        (profile(1, 100, gpu=2.5), profile(1, 100, gpu=2), True),
        (profile(1, 100, gpu=1), profile(1, 100, gpu=2), False),
        (profile(1, 100, gpu=1), profile(1, 100, fpga=1), False),
        (profile(1, 100, gpu=1, fpga=1), profile(1, 100, fpga=1), True),
        (profile(1, 100), profile(1, 100, gpu=0), True),
    ],
)
def test_a_slot_serves_what_needs_no_more_in_any_dimension(
    slot: ResourceProfile, need: ResourceProfile, serves: bool
) -> None:
    """C29"""
    assert slot.satisfies(need) is serves


def test_any_slot_serves_a_need_of_unknown_size_and_an_unknown_slot_serves_no_other() -> None:
    """C30"""
    assert profile(1, 100).satisfies(UNKNOWN)
    assert NOTHING.satisfies(UNKNOWN)
    assert UNKNOWN.satisfies(UNKNOWN)
    assert not UNKNOWN.satisfies(profile(1, 100))
    assert not UNKNOWN.satisfies(NOTHING)


def test_unknown_is_not_equal_to_no_amount_of_anything() -> None:
    """C30"""
    assert NOTHING != UNKNOWN
    assert profile(0, 0) == NOTHING
    assert (UNKNOWN.is_unknown, NOTHING.is_unknown) == (True, False)
    assert len({UNKNOWN: 1, NOTHING: 2}) == 2


def test_profiles_are_ordered_by_memory_then_cpu_then_extended_resources() -> None:
    """C31"""
    ordered = [
        profile(9, 100),
        profile(1, 200),
        profile(2, 200),
        profile(2, 200, gpu=1),
        profile(2, 200, gpu=2),
        profile(1, 300),
    ]
    shuffled = [*ordered[3:], *ordered[:3]]
    assert sorted(shuffled) == ordered
    assert ordered[0] < ordered[1] <= ordered[2]
    assert max(ordered) >= min(ordered) > UNKNOWN


def test_equality_and_hash_include_extended_resources() -> None:
    """C31"""
    assert profile(1, 100, gpu=1) != profile(1, 100)
    assert profile(1, 100, gpu=1) != profile(1, 100, gpu=2)
    assert profile(1, 100, gpu=1) != profile(1, 100, fpga=1)
    assert profile(1, 100, gpu=1, fpga=2) == profile(1, 100, fpga=2, gpu=1)
    assert hash(profile(1, 100, gpu=1, fpga=2)) == hash(profile(1, 100, fpga=2, gpu=1))
    assert profile(1, 100) != "1 cpu, 100 MiB"


def test_no_amount_of_a_resource_is_the_same_as_not_naming_it() -> None:
    """C29, C31: equal profiles serve the same needs."""
    assert profile(1, 100, gpu=0) == profile(1, 100)
    assert hash(profile(1, 100, gpu=0)) == hash(profile(1, 100))


@given(profiles, profiles, profiles)
def test_serving_is_transitive_and_two_that_serve_each_other_are_equal(
    a: ResourceProfile, b: ResourceProfile, c: ResourceProfile
) -> None:
    """C29, C31"""
    assert a.satisfies(a)
    assert not (a.satisfies(b) and b.satisfies(c)) or a.satisfies(c)
    assert (a.satisfies(b) and b.satisfies(a)) == (a == b)
    assert not a.satisfies(b) or a.memory_mb >= b.memory_mb


@given(profiles, profiles)
def test_the_order_is_total_and_agrees_with_equality(
    a: ResourceProfile, b: ResourceProfile
) -> None:
    """C31"""
    assert [a < b, a == b, a > b].count(True) == 1
    assert a != b or hash(a) == hash(b)


@given(profiles, profiles)
def test_a_shortfall_is_empty_exactly_when_the_slot_serves(
    slot: ResourceProfile, need: ResourceProfile
) -> None:
    """C29: what explains a wait agrees with what decides."""
    short = slot.shortfall(need)
    assert slot.satisfies(need) == (not short)
    assert all(amount > 0 for amount in short.values())


def test_a_shortfall_names_each_dimension_that_is_missing() -> None:
    """C29"""
    assert profile(1, 512).shortfall(profile(4, 512, gpu=2)) == {"cpu_cores": 3, "gpu": 2}


def test_sums_add_every_dimension_and_unknown_adds_nothing() -> None:
    assert profile(1, 100, gpu=1).plus(profile(0.5, 28, fpga=2)) == profile(1.5, 128, gpu=1, fpga=2)
    assert UNKNOWN.plus(profile(1, 100)) == profile(1, 100)
    assert profile(1, 100).plus(UNKNOWN) == profile(1, 100)
    assert UNKNOWN.plus(UNKNOWN).is_unknown
    assert reduce(ResourceProfile.plus, [profile(1, 100)] * 3, NOTHING) == profile(3, 300)


@given(profiles, profiles)
def test_a_sum_serves_both_of_its_parts(a: ResourceProfile, b: ResourceProfile) -> None:
    assert a.plus(b).satisfies(a)
    assert a.plus(b) == b.plus(a)
    assert a.plus(NOTHING) == a


@pytest.mark.parametrize("amount", [-1, -0.1, math.nan, math.inf, -math.inf])
def test_amounts_are_finite_and_not_negative_and_the_error_names_the_dimension(
    amount: float,
) -> None:
    """E41"""
    with pytest.raises(ValueError, match=r"^cpu_cores: expected a finite amount >= 0, got "):
        ResourceProfile(amount, 1)
    with pytest.raises(ValueError, match=r"^memory_mb: expected a finite amount >= 0, got "):
        ResourceProfile(1.0, amount)  # type: ignore[arg-type]  # a caller may still try
    with pytest.raises(ValueError, match=r"^extended\.gpu: expected a finite amount >= 0, got "):
        ResourceProfile(1.0, 1, {"gpu": amount})


@pytest.mark.parametrize("name", ["", "a b", "gpu/1", "x" * 65, "ü"])
def test_extended_resources_have_plain_names(name: str) -> None:
    with pytest.raises(ValueError, match="is not a resource name"):
        ResourceProfile(1.0, 1, {name: 1.0})


def test_an_amount_too_large_for_a_float_is_still_compared() -> None:
    assert ResourceProfile(1.0, 10**400).satisfies(profile(1, 100))


def test_a_profile_does_not_change_with_the_mapping_it_was_made_from() -> None:
    extended = {"gpu": 1.0}
    made = ResourceProfile(1.0, 100, extended)
    extended["gpu"] = 7.0
    assert made == profile(1, 100, gpu=1)


def test_a_profile_prints_as_people_write_it() -> None:
    assert str(profile(1.5, 512, gpu=1)) == "1.5 cpu, 512 MiB, 1 gpu"
    assert str(UNKNOWN) == "any"
