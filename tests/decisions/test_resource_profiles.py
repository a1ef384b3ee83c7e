"""What a slot has against what a request needs."""

import math

import pytest

from protocol.resources import NOTHING, UNKNOWN, ResourceProfile


def profile(cpu: float, memory: int, **extended: float) -> ResourceProfile:
    return ResourceProfile(cpu, memory, extended)


def test_every_dimension_must_be_large_enough() -> None:
    """C29: the larger satisfies the smaller, never the other way round."""
    small, more_memory, more_cpu, large = (
        profile(1, 100),
        profile(1, 200),
        profile(2, 100),
        profile(2, 200),
    )
    assert all(slot.satisfies(small) for slot in (small, more_memory, more_cpu, large))
    assert [slot.satisfies(large) for slot in (small, more_memory, more_cpu)] == [False] * 3
    assert not more_memory.satisfies(more_cpu)
    assert not more_cpu.satisfies(more_memory)


def test_an_extended_resource_of_the_request_must_be_there() -> None:
    """C29: one that the request does not name is no obstacle."""
    with_gpu = profile(1, 100, gpu=2)
    assert with_gpu.satisfies(profile(1, 100))
    assert with_gpu.satisfies(profile(1, 100, gpu=2))
    assert not with_gpu.satisfies(profile(1, 100, gpu=3))
    assert not profile(9, 900).satisfies(profile(1, 100, gpu=1))
    assert not with_gpu.satisfies(profile(1, 100, gpu=1, licence=1))


def test_a_request_that_says_nothing_is_satisfied_by_anything() -> None:
    """C30: a slot that says nothing satisfies only such a request, not even one for nothing."""
    assert profile(0, 0).satisfies(UNKNOWN)
    assert UNKNOWN.satisfies(UNKNOWN)
    assert not UNKNOWN.satisfies(profile(1, 1))
    assert not UNKNOWN.satisfies(NOTHING)
    assert UNKNOWN != NOTHING


def test_profiles_are_ordered_by_memory_then_cpu_then_the_rest() -> None:
    """C31"""
    ordered = [profile(9, 1), profile(1, 2), profile(2, 2), profile(2, 2, gpu=1), profile(1, 3)]
    assert sorted(set(ordered)) == ordered


def test_extended_resources_belong_to_equality_and_hash() -> None:
    """C31: an amount of 0 is the same as none."""
    assert profile(1, 1, gpu=1) != profile(1, 1)
    assert profile(1, 1, gpu=1) != profile(1, 1, gpu=2)
    assert profile(1, 1, gpu=1) == profile(1, 1, gpu=1)
    assert profile(1, 1, gpu=0) == profile(1, 1)
    assert len({profile(1, 1, gpu=0), profile(1, 1), profile(1, 1, gpu=1)}) == 2


@pytest.mark.parametrize("amount", [-1, math.nan, math.inf])
def test_an_amount_is_finite_and_not_negative(amount: float) -> None:
    """C29: the error names the dimension and the value."""
    with pytest.raises(ValueError, match=f"cpu_cores.*{amount!r}"):
        profile(amount, 1)
    with pytest.raises(ValueError, match=f"gpu.*{amount!r}"):
        profile(1, 1, gpu=amount)
