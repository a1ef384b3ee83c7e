"""What the SlotPool accepts, and which request an offered slot serves."""

import pytest

from daemon.core.job_master.slot_pool import SlotPool
from protocol.errors import NoResourceAvailable, RequestCancelled, UnknownTaskExecutor
from protocol.messages.values import HeldSlot
from protocol.news import PoolCounts
from tests.decisions.pool_words import (
    TE1,
    TE2,
    B,
    NewPool,
    P,
    a,
    ask,
    cancel,
    fail_payload,
    failed,
    grant,
    offer,
    r,
    register,
    request,
    seen,
)


@pytest.fixture
def pool(new_pool: NewPool) -> SlotPool:
    """Connected to a ResourceManager, with two executors and no slot."""
    pool = new_pool()
    pool.connect_resource_manager(0.0)
    register(pool, TE1, TE2)
    return pool


def test_an_executor_that_is_not_registered_cannot_offer(new_pool: NewPool) -> None:
    """C04, C46, H04: an error, not a refusal, and nothing changes."""
    pool = new_pool()
    with pytest.raises(UnknownTaskExecutor) as refused:
        pool.offer(TE1, [offer("a1")], 0.0)
    assert refused.value.data["resource_id"] == TE1
    assert pool.counts() == PoolCounts()


def test_an_offer_that_nobody_asked_for_is_accepted_and_kept(pool: SlotPool) -> None:
    """C05"""
    assert pool.offer(TE1, [offer("x")], 0.0) == ([a("x")], [])
    assert pool.counts() == PoolCounts(available=1)


def test_the_same_offer_again_is_accepted_without_effect(pool: SlotPool) -> None:
    """C06: whether the slot serves or is available."""
    pool.allocate(request("r1"), 0.0)
    both = [offer("a1", 0), offer("x", 1)]
    pool.offer(TE1, both, 1.0)
    assert pool.offer(TE1, both, 2.0) == ([a("a1"), a("x")], [])
    assert pool.counts() == PoolCounts(allocated=1, available=1)


def test_the_same_offer_again_does_not_make_a_slot_younger(pool: SlotPool) -> None:
    """C06, C38: no change means no change of its idle time either."""
    pool.offer(TE1, [offer("x")], 0.0)
    due = pool.next_deadline
    pool.offer(TE1, [offer("x")], 10.0)
    assert pool.next_deadline == due


@pytest.mark.parametrize("allocated", [True, False])
def test_the_same_allocation_from_elsewhere_is_refused(pool: SlotPool, allocated: bool) -> None:
    """C07, X007: from another slot or another executor; one allocation never has two slots."""
    if allocated:
        pool.allocate(request("r1"), 0.0)
    pool.offer(TE1, [offer("a1", 0)], 1.0)
    assert pool.offer(TE1, [offer("a1", 1)], 2.0) == ([], [])
    assert pool.offer(TE2, [offer("a1", 0)], 2.0) == ([], [])
    assert pool.held_at(TE1) == [HeldSlot(a("a1"), 0)]
    assert pool.held_at(TE2) == []


def test_each_offer_of_a_list_is_judged_alone(pool: SlotPool) -> None:
    """C10: the accepted subset comes back, each id once, in the order of the offers."""
    pool.offer(TE2, [offer("x", 0)], 0.0)
    offers = [offer("y", 0), offer("x", 1), offer("z", 2), offer("y", 0), offer("z", 3)]
    assert pool.offer(TE1, offers, 1.0) == ([a("y"), a("z")], [])
    assert pool.held_at(TE1) == [HeldSlot(a("y"), 0), HeldSlot(a("z"), 2)]


def test_all_of_a_list_is_booked_when_the_first_answer_goes_out(pool: SlotPool) -> None:
    """X010: book first, complete last; two requests, two slots, one list of effects."""
    pool.allocate(request("r1"), 0.0)
    pool.allocate(request("r2"), 0.0)
    accepted, effects = pool.offer(TE1, [offer("a2", 1), offer("a1", 0)], 1.0)
    assert accepted == [a("a2"), a("a1")]
    assert effects == [grant("r2", "a2", number=1), grant("r1", "a1")]
    assert pool.counts() == PoolCounts(allocated=2)


# --- other requests than the one that asked


def test_an_offer_that_nobody_waits_for_by_id_serves_the_first_that_it_satisfies(
    pool: SlotPool,
) -> None:
    """C43, F44, X008: before it becomes available; what that one had asked for is cancelled."""
    pool.allocate(request("r1", B), 0.0)
    pool.allocate(request("r2", P), 0.0)
    pool.allocate(request("r3", P), 0.0)
    assert pool.offer(TE1, [offer("x")], 1.0) == ([a("x")], [cancel("a2"), grant("r2", "x")])


def test_the_slot_of_a_cancelled_request_serves_another_whose_own_is_cancelled(
    pool: SlotPool,
) -> None:
    """C36, X009, X104: a2 is cancelled under its own id, once, and a1 when r1 went."""
    pool.allocate(request("r1"), 0.0)
    pool.allocate(request("r2"), 0.0)
    _, effects = pool.release(r("r1"), "no need", 1.0)
    assert seen(effects) == [cancel("a1"), failed("r1", RequestCancelled)]
    assert pool.offer(TE1, [offer("a1")], 2.0) == ([a("a1")], [cancel("a2"), grant("r2", "a1")])


def test_a_request_served_by_its_own_allocation_cancels_nothing(pool: SlotPool) -> None:
    """X104: the condition is not inverted."""
    pool.allocate(request("r1"), 0.0)
    pool.allocate(request("r2"), 0.0)
    assert pool.offer(TE1, [offer("a2")], 1.0)[1] == [grant("r2", "a2")]
    assert pool.offer(TE1, [offer("a1", 1)], 2.0)[1] == [grant("r1", "a1", number=1)]


def test_a_slot_too_small_for_who_asked_serves_another_and_ids_are_not_crossed(
    pool: SlotPool,
) -> None:
    """X105, C36: r2 takes a1, so a2 is cancelled, and r1 asks again with an id that fits it.

    It cannot inherit a2: the ResourceManager knows a2 as a request for the smaller profile.
    """
    pool.allocate(request("r1", B), 0.0)
    pool.allocate(request("r2", P), 0.0)
    accepted, effects = pool.offer(TE1, [offer("a1", 0, P)], 10.0)
    assert accepted == [a("a1")]
    assert effects == [cancel("a2"), grant("r2", "a1"), ask("a3", B, 290.0)]
    assert pool.fail_allocation(a("a2"), NoResourceAvailable("late"), 11.0) == []
    assert pool.request_refused(a("a1"), NoResourceAvailable("late"), 11.0) == []
    effects = pool.fail_allocation(a("a3"), NoResourceAvailable("none"), 12.0)
    assert seen(effects) == [cancel("a3"), failed("r1", NoResourceAvailable)]
    assert pool.slot_of(r("r2")) == (TE1, a("a1"))


def test_a_slot_too_small_for_who_asked_is_kept_and_who_asked_asks_again(pool: SlotPool) -> None:
    """X105: nothing else would ever come under that id."""
    pool.allocate(request("r1", B), 0.0)
    assert pool.offer(TE1, [offer("a1", 0, P)], 10.0) == ([a("a1")], [ask("a2", B, 290.0)])
    assert pool.counts() == PoolCounts(available=1, pending=1)
    assert pool.offer(TE1, [offer("a2", 1, B)], 11.0)[1] == [grant("r1", "a2", number=1, profile=B)]


def test_a_used_up_id_is_not_asked_for_again_by_the_next_connection(pool: SlotPool) -> None:
    """X105: the slot came while no ResourceManager was connected."""
    pool.allocate(request("r1", B), 0.0)
    pool.disconnect_resource_manager(1.0)
    assert pool.offer(TE1, [offer("a1", 0, P)], 2.0) == ([a("a1")], [])
    assert pool.connect_resource_manager(3.0) == [ask("a2", B, 297.0)]


def test_a_request_id_that_was_released_may_be_used_again(pool: SlotPool) -> None:
    """X118: it is a new request with a fresh allocation id; nothing of the old one returns."""
    pool.allocate(request("r1"), 0.0)
    pool.release(r("r1"), "no need", 1.0)
    assert pool.allocate(request("r1", B), 2.0) == [ask("a2", B, 298.0)]
    assert pool.offer(TE1, [offer("a1", 0, P)], 3.0) == ([a("a1")], [])
    assert pool.slot_of(r("r1")) is None


# --- the executor is right about what is in its slot


def test_another_allocation_in_a_held_slot_replaces_the_one_that_is_held(pool: SlotPool) -> None:
    """X007, C47: two allocations never share a slot; whatever ran under the first has failed."""
    pool.allocate(request("r1"), 0.0)
    pool.offer(TE1, [offer("a1", 0)], 1.0)
    pool.allocate(request("r2"), 2.0)
    assert pool.offer(TE1, [offer("a2", 0)], 3.0) == (
        [a("a2")],
        [fail_payload("r1", "a1", "its slot has another allocation now"), grant("r2", "a2")],
    )
    assert pool.held_at(TE1) == [HeldSlot(a("a2"), 0)]
    assert pool.slot_of(r("r1")) is None


def test_another_allocation_in_an_available_slot_replaces_it(pool: SlotPool) -> None:
    """X007"""
    pool.offer(TE1, [offer("x", 0)], 1.0)
    assert pool.offer(TE1, [offer("y", 0, B)], 2.0) == ([a("y")], [])
    assert pool.held_at(TE1) == [HeldSlot(a("y"), 0)]
    assert pool.counts() == PoolCounts(available=1)
