"""Where slots are and how near: the available index, preferences, locality, the least waste."""

import pytest

from daemon.core.job_master.pool_available import AvailableSlots
from daemon.core.job_master.pool_places import PoolSlot, preference_of
from daemon.core.job_master.pool_slots import PoolSlots
from daemon.core.job_master.slot_pool import SlotPool
from protocol.ids import AllocationId, RequestId, ResourceId
from protocol.messages.values import Locality, Location
from protocol.resources import UNKNOWN, ResourceProfile
from tests.decisions.pool_words import (
    TE1,
    TE2,
    TE3,
    B,
    NewPool,
    P,
    a,
    ask,
    cancel,
    grant,
    host_of,
    near,
    offer,
    r,
    register,
    request,
)


def slot(allocation: str, executor: str = TE1, profile: ResourceProfile = P) -> PoolSlot:
    return PoolSlot(AllocationId(allocation), ResourceId(executor), "host", 0, profile, 0.0)


# --- the indexes


def test_slots_are_compared_by_identity() -> None:
    """C28"""
    assert slot("x") != slot("x")


def test_a_slot_leaves_every_index() -> None:
    """C22, C25: by id, by executor, by host, by profile; once."""
    slots = AvailableSlots()
    one = slot("x")
    slots.add(one)
    preference = preference_of([near(TE1, "host")], {})
    assert slots.choose(P, preference) == (one, Locality.LOCAL)
    assert slots.remove(AllocationId("x"))
    assert not slots.remove(AllocationId("x"))
    assert AllocationId("x") not in slots
    assert slots.choose(P, preference) is None
    assert not slots.has_executor(TE1)
    assert not slots.has_host("host")
    assert list(slots.profiles()) == []


def test_one_allocation_cannot_be_available_twice() -> None:
    """C23"""
    slots = AvailableSlots()
    slots.add(slot("x"))
    with pytest.raises(ValueError, match="x is available already"):
        slots.add(slot("x", TE2))
    assert len(slots) == 1


def test_a_request_that_is_too_large_finds_nothing() -> None:
    """C22: B where there is only P."""
    slots = AvailableSlots()
    slots.add(slot("x"))
    assert slots.choose(B, None) is None
    assert len(slots) == 1


def test_an_executor_goes_with_its_last_available_slot() -> None:
    """C24: two slots on te-1, one on te-2, all on one host."""
    slots = AvailableSlots()
    for one in (slot("x"), slot("y"), slot("z", TE2)):
        slots.add(one)
    slots.remove(AllocationId("x"))
    assert slots.has_executor(TE1)
    slots.remove(AllocationId("y"))
    assert not slots.has_executor(TE1)
    assert slots.has_executor(TE2)
    assert slots.has_host("host")


def test_the_row_of_an_executor_goes_with_its_last_slot() -> None:
    """C26, X002: three slots on two executors, looked up and removed by allocation."""
    slots = PoolSlots()
    for executor, name, number in ((TE1, "x", 0), (TE1, "y", 1), (TE2, "z", 0)):
        added = slots.add(executor, "host", offer(name, number), 0.0)
        slots.serve(added, RequestId(name), Locality.UNKNOWN, 0.0)
    assert (len(slots), len(slots.at(TE1)), len(slots.at(TE2))) == (3, 2, 1)
    third = slots.get(AllocationId("z"))
    assert third is not None
    slots.remove(third)
    assert (len(slots), slots.has_executor(TE2), slots.has_executor(TE1)) == (2, False, True)
    assert slots.serving(RequestId("z")) is None


def test_all_slots_of_an_executor_are_removed_and_returned() -> None:
    """C24, C27: out of every index, the others stay."""
    slots = PoolSlots()
    first = slots.add(TE1, "host", offer("x", 0), 0.0)
    second = slots.add(TE1, "host", offer("y", 1), 0.0)
    third = slots.add(TE2, "host", offer("z", 0), 0.0)
    slots.serve(first, RequestId("r1"), Locality.UNKNOWN, 0.0)
    slots.available.add(second)
    slots.available.add(third)
    assert slots.remove_executor(TE1) == [first, second]
    assert slots.remove_executor(TE1) == []
    assert list(slots) == [third]
    assert list(slots.available) == [third]
    assert slots.serving(RequestId("r1")) is None


# --- preferences of a request that is served at once


@pytest.fixture
def pool(new_pool: NewPool) -> SlotPool:
    """Two P slots on each of three executors; te-3 shares the host of te-2."""
    pool = new_pool()
    register(pool, TE1, TE2)
    pool.register_executor(TE3, host_of(TE2))
    for executor in (TE1, TE2, TE3):
        pool.offer(executor, [offer(f"{executor}-{n}", n) for n in range(2)], 0.0)
    return pool


def taken(pool: SlotPool, name: str, *prefer: Location) -> tuple[str, Locality]:
    """From which executor the request is served, and how near the pool says that is."""
    [granted] = pool.allocate(request(name, P, *prefer), 1.0)
    slot = granted.slot  # type: ignore[union-attr]
    return slot.resource_id, slot.locality


def test_no_preference_takes_any_slot(pool: SlotPool) -> None:
    """C20, C21: an empty list of preferences, or one that says nothing, is none."""
    assert taken(pool, "r1") == (TE1, Locality.UNCONSTRAINED)
    assert taken(pool, "r2", Location()) == (TE1, Locality.UNCONSTRAINED)


def test_every_preferred_executor_is_tried_before_any_host(pool: SlotPool) -> None:
    """C20: te-2's host would do for the first preference, but te-1 is exact for the second."""
    taken(pool, "a", near(TE2))
    taken(pool, "b", near(TE2))
    assert taken(pool, "r1", near(TE2), near(TE1)) == (TE1, Locality.LOCAL)
    assert taken(pool, "r2", near(TE2)) == (TE3, Locality.HOST_LOCAL)


def test_a_preferred_executor_without_a_slot_still_tells_its_host(new_pool: NewPool) -> None:
    """X111: te-1 is registered and has no slot at all; its neighbour on the host serves."""
    pool = new_pool()
    register(pool, TE1, TE2)
    pool.register_executor(TE3, host_of(TE1))
    pool.offer(TE2, [offer("x", 0)], 0.0)
    pool.offer(TE3, [offer("y", 0)], 0.0)
    assert taken(pool, "r1", near(TE1)) == (TE3, Locality.HOST_LOCAL)


def test_a_preferred_host_serves_host_local(pool: SlotPool) -> None:
    """C20"""
    assert taken(pool, "r1", near(host=host_of(TE2))) == (TE2, Locality.HOST_LOCAL)


def test_anything_else_is_not_local(pool: SlotPool) -> None:
    """C20: a preference is no condition."""
    assert taken(pool, "r1", near("nobody", "nowhere")) == (TE1, Locality.NON_LOCAL)


def test_preferences_while_slots_run_out_and_come_back(pool: SlotPool) -> None:
    """F40: one unconstrained, five local, one neither."""
    assert taken(pool, "r0") == (TE1, Locality.UNCONSTRAINED)
    assert taken(pool, "r1", near(TE1)) == (TE1, Locality.LOCAL)
    assert taken(pool, "r2", near(TE1), near(TE2)) == (TE2, Locality.LOCAL)
    assert taken(pool, "r3", near(TE1), near(TE3)) == (TE3, Locality.LOCAL)
    assert taken(pool, "r4", near(TE1), near(TE3)) == (TE3, Locality.LOCAL)
    assert taken(pool, "r5", near(TE1)) == (TE2, Locality.NON_LOCAL)
    pool.release(r("r0"), "done", 2.0)
    assert taken(pool, "r6", near(TE1)) == (TE1, Locality.LOCAL)


def test_a_local_slot_that_is_too_small_is_no_use(new_pool: NewPool) -> None:
    """C20, C22"""
    pool = new_pool()
    register(pool, TE1, TE2)
    pool.offer(TE1, [offer("x", 0, P)], 0.0)
    pool.offer(TE2, [offer("y", 0, B)], 0.0)
    [granted] = pool.allocate(request("r1", B, near(TE1)), 1.0)
    assert granted == grant("r1", "y", TE2, 0, B, Locality.NON_LOCAL)


# --- preferences of a request that waits


def test_an_offer_serves_who_prefers_its_executor_before_who_came_first(new_pool: NewPool) -> None:
    """X107: exact id, then local, then first come; the locality is the true one."""
    pool = new_pool()
    pool.connect_resource_manager(0.0)
    register(pool, TE1, TE2)
    pool.allocate(request("r1"), 0.0)
    pool.allocate(request("r2", P, near(TE2)), 0.0)
    pool.allocate(request("r3", P, near(TE2)), 0.0)
    pool.allocate(request("r4", P, near(TE2)), 0.0)
    assert pool.offer(TE2, [offer("x", 0)], 1.0)[1] == [
        cancel("a2"),
        grant("r2", "x", TE2, 0, locality=Locality.LOCAL),
    ]
    assert pool.offer(TE2, [offer("a1", 1)], 1.0)[1] == [grant("r1", "a1", TE2, 1)]
    assert pool.offer(TE1, [offer("y", 0)], 1.0)[1] == [
        cancel("a3"),
        grant("r3", "y", TE1, locality=Locality.NON_LOCAL),
    ]


def test_a_slot_that_comes_back_serves_who_prefers_its_executor(new_pool: NewPool) -> None:
    """X107, C02: recycled like offered."""
    pool = new_pool()
    register(pool, TE1)
    pool.offer(TE1, [offer("x", 0)], 0.0)
    pool.allocate(request("r1"), 0.0)
    pool.allocate(request("r2"), 0.0)
    pool.allocate(request("r3", P, near(TE1)), 0.0)
    assert pool.release(r("r1"), "done", 1.0)[1] == [
        grant("r3", "x", locality=Locality.LOCAL),
    ]


def test_a_local_wish_does_not_get_a_slot_that_is_too_small(new_pool: NewPool) -> None:
    """X107, C43: it goes to the next who fits."""
    pool = new_pool()
    register(pool, TE1)
    pool.allocate(request("r1", P), 0.0)
    pool.allocate(request("r2", B, near(TE1)), 0.0)
    assert pool.offer(TE1, [offer("x", 0, P)], 1.0)[1] == [grant("r1", "x")]


def test_a_waiting_request_without_preference_cannot_say_how_near(new_pool: NewPool) -> None:
    """C20: UNKNOWN, and HOST_LOCAL for one that names the host."""
    pool = new_pool()
    register(pool, TE1)
    pool.allocate(request("r1"), 0.0)
    pool.allocate(request("r2", P, near(host=host_of(TE1))), 0.0)
    assert pool.offer(TE1, [offer("x", 0), offer("y", 1)], 1.0)[1] == [
        grant("r1", "x"),
        grant("r2", "y", number=1, locality=Locality.HOST_LOCAL),
    ]


# --- profiles


def test_the_smallest_slot_that_satisfies_is_taken_and_the_oldest_of_equals(
    new_pool: NewPool,
) -> None:
    """C20, C43: a small request does not spoil a large slot while a small one is free."""
    pool = new_pool()
    register(pool, TE1)
    offers = [offer("big", 0, B), offer("old", 1, P), offer("young", 2, P)]
    pool.offer(TE1, offers, 0.0)
    for name in ("r1", "r2", "r3"):
        pool.allocate(request(name), 1.0)
    assert [pool.slot_of(r(name)) for name in ("r1", "r2", "r3")] == [
        (TE1, a("old")),
        (TE1, a("young")),
        (TE1, a("big")),
    ]


def test_size_counts_every_dimension_in_proportion(new_pool: NewPool) -> None:
    """C20: 1 of 8 cpu and all of the memory is more than 2 of 8 cpu and half of the memory."""
    pool = new_pool()
    register(pool, TE1)
    lean, wide = ResourceProfile(2, 512), ResourceProfile(1, 1024)
    largest = ResourceProfile(8, 1024, {"gpu": 1})
    pool.offer(TE1, [offer("l", 0, lean), offer("w", 1, wide), offer("g", 2, largest)], 0.0)
    for name in ("r1", "r2", "r3"):
        pool.allocate(request(name, ResourceProfile(1, 100)), 1.0)
    assert [pool.slot_of(r(name)) for name in ("r1", "r2", "r3")] == [
        (TE1, a("l")),
        (TE1, a("w")),
        (TE1, a("g")),
    ]


def test_a_request_that_says_nothing_takes_anything(new_pool: NewPool) -> None:
    """C30: and a slot that says nothing serves only such a request."""
    pool = new_pool()
    pool.connect_resource_manager(0.0)
    register(pool, TE1)
    pool.offer(TE1, [offer("x", 0, UNKNOWN)], 0.0)
    assert pool.allocate(request("r1", ResourceProfile(0, 0)), 1.0) == [
        ask("a1", ResourceProfile(0, 0), 299.0)
    ]
    [granted] = pool.allocate(request("r2", UNKNOWN), 1.0)
    assert granted.slot.allocation_id == a("x")  # type: ignore[union-attr]
    pool.allocate(request("r3", UNKNOWN), 2.0)
    assert pool.offer(TE1, [offer("a2", 1, B)], 3.0)[1] == [grant("r3", "a2", TE1, 1, B)]
