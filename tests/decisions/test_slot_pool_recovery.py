"""A new term of the same job: what the term before had granted goes back to whom it served."""

import math

import pytest

from daemon.core.job_master.slot_pool import SlotPool, SlotPoolSettings
from protocol.errors import (
    NoResourceAvailable,
    NotLeader,
    RequestCancelled,
    SlotAllocationFailed,
    SlotRequestTimeout,
)
from protocol.news import PoolCounts
from tests.decisions.pool_words import (
    TE1,
    NewPool,
    P,
    a,
    ask,
    drop,
    fail_payload,
    failed,
    grant,
    holding,
    offer,
    r,
    register,
    request,
    seen,
)

LOST = "its executor did not offer it again"
LATE = "the slot that the request had was not offered again in time"


@pytest.fixture
def pool(new_pool: NewPool) -> SlotPool:
    """r1 held h1 in the term before; this one began at 100 and waits 10 s for it."""
    settings = SlotPoolSettings(recovery_timeout_s=10.0)
    pool = new_pool(settings, now=100.0, holdings=holding("r1", "h1"))
    pool.connect_resource_manager(100.0)
    register(pool, TE1)
    return pool


def test_a_slot_goes_back_to_its_request_without_a_word(pool: SlotPool) -> None:
    """C17, E18: the client has it already; a pending request does not get it."""
    pool.allocate(request("r2"), 101.0)
    assert pool.next_deadline == 110.0
    assert pool.offer(TE1, [offer("h1")], 102.0) == ([a("h1")], [])
    assert pool.slot_of(r("r1")) == (TE1, a("h1"))
    assert pool.counts() == PoolCounts(allocated=1, pending=1)
    assert pool.next_deadline == 300.0
    assert pool.expire(200.0) == []


def test_a_slot_that_came_back_is_like_any_other(pool: SlotPool) -> None:
    """C06, C08, C34: offered again, granted again, released."""
    pool.offer(TE1, [offer("h1")], 101.0)
    assert pool.offer(TE1, [offer("h1")], 102.0) == ([a("h1")], [])
    assert pool.allocate(request("r1"), 103.0) == [grant("r1", "h1")]
    assert pool.holdings() == holding("r1", "h1")
    assert pool.release(r("r1"), "done", 104.0) == (True, [])
    assert pool.counts() == PoolCounts(available=1)


def test_what_is_not_offered_again_in_time_is_lost(pool: SlotPool) -> None:
    """C17, C08: whatever ran there has failed, and its late offer is refused."""
    assert pool.expire(109.9) == []
    assert pool.expire(110.0) == [fail_payload("r1", "h1", LOST)]
    assert pool.next_deadline == math.inf
    assert pool.offer(TE1, [offer("h1")], 111.0) == ([], [])
    assert pool.release(r("r1"), "done", 112.0) == (False, [])
    assert pool.counts() == PoolCounts()
    assert pool.holdings() == {}


def test_a_release_before_the_slot_is_back_makes_its_offer_refused(pool: SlotPool) -> None:
    """C19, F42: its executor frees it and ends what runs there; twice offered, twice refused."""
    assert pool.release(r("r1"), "done", 101.0) == (True, [])
    assert pool.release(r("r1"), "done", 101.0) == (False, [])
    assert pool.offer(TE1, [offer("h1"), offer("x", 1)], 102.0) == ([a("x")], [])
    assert pool.offer(TE1, [offer("h1")], 103.0) == ([], [])
    assert pool.counts() == PoolCounts(available=1)
    assert pool.holdings() == {}


def test_a_released_request_id_is_free_for_a_new_request(pool: SlotPool) -> None:
    """X118: the late offer of its old slot does not serve it."""
    pool.release(r("r1"), "done", 101.0)
    assert pool.allocate(request("r1"), 101.0) == [ask("a1", P, 199.0)]
    assert pool.offer(TE1, [offer("h1")], 102.0) == ([], [])
    assert pool.slot_of(r("r1")) is None


def test_the_same_request_again_waits_for_its_slot_and_not_for_a_second_one(pool: SlotPool) -> None:
    """C35: no other slot, no word to the ResourceManager; the grant is its answer."""
    pool.offer(TE1, [offer("x", 1)], 101.0)
    assert pool.allocate(request("r1"), 101.0) == []
    assert pool.allocate(request("r1"), 102.0) == []
    assert pool.offer(TE1, [offer("h1")], 103.0) == ([a("h1")], [grant("r1", "h1")])
    assert pool.counts() == PoolCounts(allocated=1, available=1)


def test_the_same_request_again_that_does_not_wait_is_refused_and_changes_nothing(
    pool: SlotPool,
) -> None:
    """F41: the slot still comes back to it."""
    effects = pool.allocate(request("r1", queued=False), 101.0)
    assert seen(effects) == [failed("r1", NoResourceAvailable)]
    assert pool.offer(TE1, [offer("h1")], 102.0) == ([a("h1")], [])
    assert pool.slot_of(r("r1")) == (TE1, a("h1"))


def test_who_asked_again_gets_another_slot_when_the_first_is_lost(pool: SlotPool) -> None:
    """C08, C15: it is an ordinary request then, with its own deadline."""
    pool.allocate(request("r1"), 101.0)
    assert pool.expire(110.0) == [fail_payload("r1", "h1", LOST), ask("a1", P, 190.0)]
    assert pool.next_deadline == 300.0
    assert pool.offer(TE1, [offer("h1"), offer("a1", 1)], 111.0) == (
        [a("a1")],
        [grant("r1", "a1", number=1)],
    )


def test_who_asked_again_and_ran_out_of_time_holds_nothing(pool: SlotPool) -> None:
    """C33, X020: nobody would ever release a slot of which nobody was told."""
    pool.allocate(request("r1", deadline=105.0), 101.0)
    assert pool.next_deadline == 105.0
    assert seen(pool.expire(105.0)) == [
        fail_payload("r1", "h1", LATE),
        failed("r1", SlotRequestTimeout),
    ]
    assert pool.offer(TE1, [offer("h1")], 106.0) == ([], [])
    assert pool.next_deadline == math.inf


def test_the_first_who_asked_again_decides_how_long_both_wait(pool: SlotPool) -> None:
    """C33, X103"""
    pool.allocate(request("r1", deadline=105.0), 101.0)
    pool.allocate(request("r1", deadline=104.0), 102.0)
    assert pool.next_deadline == 105.0


def test_who_asked_again_and_withdrew_is_answered(pool: SlotPool) -> None:
    """C33"""
    pool.allocate(request("r1"), 101.0)
    known, effects = pool.release(r("r1"), "no need", 102.0)
    assert (known, seen(effects)) == (True, [failed("r1", RequestCancelled)])
    assert pool.next_deadline == math.inf
    assert pool.expire(1000.0) == []


def test_an_allocation_that_failed_before_it_was_offered_again_is_lost(pool: SlotPool) -> None:
    """C11, H18"""
    error = SlotAllocationFailed("the executor is gone")
    lost = fail_payload("r1", "h1", "the executor is gone")
    assert pool.fail_allocation(a("h1"), error, 101.0) == [lost]
    assert pool.fail_allocation(a("h1"), error, 102.0) == []
    assert pool.holdings() == {}


def test_a_term_that_ends_early_hands_on_what_it_still_awaits(pool: SlotPool) -> None:
    """C17: three leaders in ten seconds lose nothing."""
    pool.allocate(request("r2"), 101.0)
    pool.offer(TE1, [offer("a1", 1)], 102.0)
    assert pool.holdings() == holding("r1", "h1") | holding("r2", "a1")
    pool.allocate(request("r1"), 103.0)
    assert seen(pool.suspend("revoked")) == [failed("r1", NotLeader), drop(TE1, "revoked")]
    assert pool.holdings() == {}
    assert pool.next_deadline == math.inf


def test_explain_says_that_a_slot_is_awaited(pool: SlotPool) -> None:
    """C17: since the term began, until the recovery times out."""
    explanation = pool.explain(r("r1"))
    assert explanation is not None
    assert explanation.state == "RECOVERING"
    assert (explanation.since, explanation.deadline) == (100.0, 110.0)
    assert explanation.allocation_id == a("h1")
