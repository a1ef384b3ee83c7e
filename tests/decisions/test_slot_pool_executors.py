"""How slots leave the SlotPool: lost executors, failed allocations, idle slots, the end."""

import math

import pytest

from daemon.core.job_master.slot_pool import SlotPool, SlotPoolSettings
from protocol.errors import (
    NotLeader,
    RequestCancelled,
    SlotAllocationFailed,
    UnknownTaskExecutor,
)
from protocol.ids import ResourceId
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
    drop,
    fail_payload,
    failed,
    free,
    grant,
    holding,
    host_of,
    offer,
    r,
    register,
    request,
    seen,
)

GONE = SlotAllocationFailed("gone")


@pytest.fixture
def pool(new_pool: NewPool) -> SlotPool:
    """r1 and r2 have slots 0 and 1 of te-1, slot 2 is available, r3 waits for more than that."""
    pool = new_pool(SlotPoolSettings(slot_idle_timeout_s=50.0))
    pool.connect_resource_manager(0.0)
    register(pool, TE1, TE2)
    pool.allocate(request("r1"), 0.0)
    pool.allocate(request("r2"), 0.0)
    pool.allocate(request("r3", B), 0.0)
    pool.offer(TE1, [offer("a1", 0), offer("a2", 1), offer("x", 2)], 1.0)
    return pool


# --- an executor is lost


def test_a_lost_executor_fails_what_ran_there_and_its_slots_are_gone(pool: SlotPool) -> None:
    """C08, C47, X001: allocated ones fail, available ones vanish, the pending one stays."""
    assert pool.lose_executor(TE1, "gone", 2.0) == [
        fail_payload("r1", "a1"),
        fail_payload("r2", "a2"),
    ]
    assert pool.counts() == PoolCounts(pending=1)
    assert pool.held_at(TE1) == []
    assert pool.slot_of(r("r1")) is None


def test_a_recycled_slot_fails_its_second_payload_with_its_executor(pool: SlotPool) -> None:
    """X001, C02: what served r1 serves r4 now, and it is r4 that has failed."""
    pool.allocate(request("r4", B), 2.0)
    pool.offer(TE2, [offer("a3", 0, B)], 3.0)
    pool.release(r("r3"), "done", 4.0)
    assert pool.slot_of(r("r4")) == (TE2, a("a3"))
    assert pool.lose_executor(TE2, "gone", 5.0) == [fail_payload("r4", "a3")]


def test_a_slot_returned_after_its_executor_was_lost_is_discarded(pool: SlotPool) -> None:
    """C09: it serves nobody and is not kept."""
    pool.allocate(request("r4"), 2.0)
    pool.lose_executor(TE1, "gone", 2.0)
    pool.allocate(request("r5"), 3.0)
    assert pool.release(r("r1"), "done", 4.0) == (False, [])
    assert pool.counts() == PoolCounts(pending=2)


def test_a_lost_executor_offers_nothing_before_it_registers_again(pool: SlotPool) -> None:
    """C04, C08, X017: then its other slots are welcome again."""
    pool.lose_executor(TE1, "gone", 2.0)
    with pytest.raises(UnknownTaskExecutor):
        pool.offer(TE1, [offer("x", 2)], 3.0)
    register(pool, TE1)
    assert pool.offer(TE1, [offer("x", 2)], 4.0) == ([a("x")], [])


def test_an_allocation_whose_payload_was_reported_failed_never_comes_back(pool: SlotPool) -> None:
    """C09, C47, X019: the command may still run there; the refusal makes its executor end it."""
    pool.lose_executor(TE1, "gone", 2.0)
    register(pool, TE1)
    assert pool.offer(TE1, [offer("a1", 0), offer("a2", 1)], 3.0) == ([], [])
    assert pool.counts() == PoolCounts(pending=1)


def test_executors_come_twice_and_go_twice_without_effect(pool: SlotPool) -> None:
    """C44: the second registration keeps the slots; one that is unknown is not missed."""
    register(pool, TE1)
    assert pool.counts() == PoolCounts(allocated=2, available=1, pending=1)
    assert pool.lose_executor(ResourceId("nobody"), "gone", 2.0) == []
    pool.lose_executor(TE2, "gone", 2.0)
    assert pool.lose_executor(TE2, "gone", 2.0) == []
    assert pool.counts() == PoolCounts(allocated=2, available=1, pending=1)


# --- an allocation fails


def test_a_failed_allocation_that_is_available_is_freed(pool: SlotPool) -> None:
    """C11, X015"""
    assert pool.fail_allocation(a("x"), GONE, 2.0) == [free("x")]
    assert pool.counts() == PoolCounts(allocated=2, pending=1)


def test_a_failed_allocation_that_serves_fails_its_payload_and_is_freed(pool: SlotPool) -> None:
    """C11, C47, H18, X015"""
    assert pool.fail_allocation(a("a1"), GONE, 2.0) == [fail_payload("r1", "a1"), free("a1")]
    assert pool.counts() == PoolCounts(allocated=1, available=1, pending=1)
    assert pool.release(r("r1"), "done", 3.0) == (False, [])


def test_a_failed_allocation_that_nobody_knows_is_ignored(pool: SlotPool) -> None:
    """C11, C25"""
    assert pool.fail_allocation(a("never"), GONE, 2.0) == []


def test_only_the_last_failed_slot_drops_its_executor(new_pool: NewPool) -> None:
    """C40, H12, H18, X015: five slots, two in use; each is freed, then the connection is closed."""
    pool = new_pool()
    register(pool, TE1, TE2)
    pool.allocate(request("r1"), 0.0)
    pool.allocate(request("r2"), 0.0)
    names = ["s0", "s1", "s2", "s3", "s4"]
    pool.offer(TE1, [offer(name, number) for number, name in enumerate(names)], 1.0)
    pool.offer(TE2, [offer("other", 0)], 1.0)
    effects = [pool.fail_allocation(a(name), GONE, 2.0) for name in names]
    assert effects == [
        [fail_payload("r1", "s0"), free("s0")],
        [fail_payload("r2", "s1"), free("s1")],
        [free("s2")],
        [free("s3")],
        [free("s4"), drop(TE1, "no slot of the job left: gone")],
    ]
    with pytest.raises(UnknownTaskExecutor):
        pool.offer(TE1, [offer("s5", 0)], 3.0)
    assert pool.held_at(TE2) == [HeldSlot(a("other"), 0)]


# --- idle slots


def test_only_what_was_idle_for_the_timeout_is_given_back(new_pool: NewPool) -> None:
    """C38, X018, FLINK-12835: idle for exactly the timeout is idle long enough."""
    pool = new_pool(SlotPoolSettings(slot_idle_timeout_s=50.0))
    register(pool, TE1)
    pool.offer(TE1, [offer("old", 0)], 100.0)
    pool.offer(TE1, [offer("fresh", 1)], 149.0)
    assert pool.next_deadline == 150.0
    assert pool.expire(149.9) == []
    assert pool.expire(150.0) == [free("old", cause="idle for 50 s")]
    assert pool.held_at(TE1) == [HeldSlot(a("fresh"), 1)]
    assert pool.next_deadline == 199.0


def test_a_slot_in_use_is_not_idle_and_is_young_when_it_returns(new_pool: NewPool) -> None:
    """C38: its idle time starts with its release."""
    pool = new_pool(SlotPoolSettings(slot_idle_timeout_s=50.0))
    register(pool, TE1)
    pool.offer(TE1, [offer("x")], 0.0)
    pool.allocate(request("r1"), 10.0)
    assert pool.next_deadline == math.inf
    assert pool.expire(1000.0) == []
    pool.release(r("r1"), "done", 1000.0)
    assert pool.next_deadline == 1050.0


def test_the_last_idle_slot_drops_its_executor(new_pool: NewPool) -> None:
    """C39, H12, X019: the slot is forgotten whatever its executor answers."""
    pool = new_pool(SlotPoolSettings(slot_idle_timeout_s=0.5))
    register(pool, TE1)
    pool.offer(TE1, [offer("x")], 0.0)
    assert pool.expire(0.5) == [
        free("x", cause="idle for 0.5 s"),
        drop(TE1, "no slot of the job left: idle for 0.5 s"),
    ]
    assert pool.counts() == PoolCounts()
    assert pool.next_deadline == math.inf
    assert pool.allocate(request("r1"), 1.0) == []
    assert pool.slot_of(r("r1")) is None


# --- views


def test_the_pool_knows_what_it_holds_at_each_executor(pool: SlotPool) -> None:
    """C41, H14: allocated and available, as they are at this moment."""
    assert pool.held_at(TE1) == [
        HeldSlot(a("a1"), 0),
        HeldSlot(a("a2"), 1),
        HeldSlot(a("x"), 2),
    ]
    assert pool.held_at(TE2) == []
    pool.fail_allocation(a("a1"), GONE, 2.0)
    pool.release(r("r2"), "done", 3.0)
    pool.offer(TE1, [offer("y", 0)], 4.0)
    assert pool.held_at(TE1) == [HeldSlot(a("y"), 0), HeldSlot(a("a2"), 1), HeldSlot(a("x"), 2)]


# --- the end


def test_suspension_fails_what_waits_frees_nothing_and_leaves_nothing(pool: SlotPool) -> None:
    """C17, X004, X017, X102: the slots stay at their executors, which must register again."""
    assert seen(pool.suspend("revoked")) == [
        cancel("a3"),
        failed("r3", NotLeader),
        drop(TE1, "revoked"),
        drop(TE2, "revoked"),
    ]
    assert pool.counts() == PoolCounts()
    assert pool.held_at(TE1) == []
    assert pool.holdings() == {}
    assert pool.next_deadline == math.inf
    assert pool.expire(1e9) == []


def test_suspension_without_a_resource_manager_tells_none(new_pool: NewPool) -> None:
    """X102: nobody is there to be told; the stash is failed all the same."""
    pool = new_pool()
    pool.allocate(request("r1"), 0.0)
    pool.allocate(request("r2"), 0.0)
    assert seen(pool.suspend("revoked")) == [failed("r1", NotLeader), failed("r2", NotLeader)]
    assert pool.counts() == PoolCounts()


def test_a_suspended_pool_takes_nothing_any_more(pool: SlotPool) -> None:
    """C18, H02, X004, X017: its term is over; again is nothing new."""
    pool.suspend("revoked")
    assert pool.suspend("revoked") == []
    assert seen(pool.allocate(request("r9"), 2.0)) == [failed("r9", NotLeader)]
    assert pool.connect_resource_manager(2.0) == []
    assert pool.request_refused(a("a3"), GONE, 2.0) == []
    assert pool.fail_allocation(a("a1"), GONE, 2.0) == []
    assert pool.release(r("r1"), "done", 2.0) == (False, [])
    register(pool, TE1)
    with pytest.raises(UnknownTaskExecutor):
        pool.offer(TE1, [offer("a1")], 2.0)
    assert pool.close("over") == []


def test_the_next_term_knows_an_executor_only_when_it_registers_there(
    pool: SlotPool, new_pool: NewPool
) -> None:
    """X017: no registration of the term before is taken for one of this term."""
    held = pool.holdings()
    assert held == holding("r1", "a1") | holding("r2", "a2")
    pool.suspend("revoked")
    following = new_pool(now=2.0, holdings=held)
    with pytest.raises(UnknownTaskExecutor):
        following.offer(TE1, [offer("a1", 0)], 3.0)
    register(following, TE1)
    offers = [offer("a1", 0), offer("a2", 1), offer("x", 2)]
    assert following.offer(TE1, offers, 4.0) == ([a("a1"), a("a2"), a("x")], [])
    assert following.slot_of(r("r1")) == (TE1, a("a1"))
    assert following.counts() == PoolCounts(allocated=2, available=1)


def test_closing_frees_every_slot_and_fails_what_waits(pool: SlotPool) -> None:
    """C37: allocated and available, each under its own allocation."""
    assert seen(pool.close("done")) == [
        free("a1", cause="done"),
        free("a2", cause="done"),
        free("x", cause="done"),
        cancel("a3"),
        failed("r3", RequestCancelled),
        drop(TE1, "done"),
        drop(TE2, "done"),
    ]
    assert pool.counts() == PoolCounts()
    assert pool.close("done") == []
    assert seen(pool.allocate(request("r9"), 2.0)) == [failed("r9", RequestCancelled)]


def test_each_who_waits_gets_an_error_of_its_own(new_pool: NewPool) -> None:
    """X004: one exception object raised in two tasks would mix their tracebacks."""
    pool = new_pool()
    pool.allocate(request("r1"), 0.0)
    pool.allocate(request("r2"), 0.0)
    first, second = pool.suspend("revoked")
    assert first.error is not second.error  # type: ignore[union-attr]


def test_an_executor_keeps_the_host_with_which_its_slots_came(pool: SlotPool) -> None:
    """C44: registering again elsewhere does not move slots that are held, only those to come."""
    pool.register_executor(TE1, "elsewhere")
    [granted] = pool.allocate(request("r4"), 3.0)
    assert granted.slot.host == host_of(TE1)  # type: ignore[union-attr]
    pool.offer(TE1, [offer("y", 3)], 4.0)
    [granted] = pool.allocate(request("r5"), 5.0)
    assert granted.slot.host == "elsewhere"  # type: ignore[union-attr]


def test_what_is_lost_with_an_executor_is_asked_for_by_new_requests(pool: SlotPool) -> None:
    """C08: the pool is empty then, and says so to the ResourceManager."""
    pool.lose_executor(TE1, "gone", 2.0)
    assert pool.allocate(request("r4"), 3.0) == [ask("a4", P, 297.0)]
    assert pool.offer(TE2, [offer("a4", 0)], 4.0)[1] == [grant("r4", "a4", TE2)]
