"""A request's life in the SlotPool: asked for, stashed, cancelled, refused, timed out."""

import math

import pytest

from daemon.core.job_master.slot_pool import SlotPool
from protocol.errors import (
    InternalError,
    LeaderIdMismatch,
    NoResourceAvailable,
    NotLeader,
    PeerGone,
    RequestCancelled,
    SlotdError,
    SlotRequestTimeout,
)
from protocol.news import PoolCounts
from tests.decisions.pool_words import (
    TE1,
    B,
    NewPool,
    P,
    a,
    ask,
    cancel,
    failed,
    grant,
    near,
    offer,
    r,
    register,
    request,
    seen,
)


@pytest.fixture
def pool(new_pool: NewPool) -> SlotPool:
    """Connected to a ResourceManager, with one executor and no slot."""
    pool = new_pool()
    pool.connect_resource_manager(0.0)
    register(pool, TE1)
    return pool


def test_without_a_slot_the_resource_manager_is_asked_once_with_the_profile(pool: SlotPool) -> None:
    """C01, X011: a fresh allocation id, the request's own profile and time."""
    assert pool.allocate(request("r1", B), 10.0) == [ask("a1", B, 290.0)]
    assert pool.counts() == PoolCounts(pending=1)


def test_an_offer_under_the_asked_id_fulfils_the_request(pool: SlotPool) -> None:
    """C01: the slot is allocated then, not available, and nothing is cancelled."""
    pool.allocate(request("r1"), 0.0)
    assert pool.offer(TE1, [offer("a1")], 1.0) == ([a("a1")], [grant("r1", "a1")])
    assert pool.counts() == PoolCounts(allocated=1)
    assert pool.slot_of(r("r1")) == (TE1, a("a1"))


def test_a_released_slot_serves_the_next_request_under_its_own_allocation(pool: SlotPool) -> None:
    """C02, C35, X001, X008: the second is booked like any other, and its own ask is cancelled."""
    pool.allocate(request("r1"), 0.0)
    pool.allocate(request("r2"), 0.0)
    pool.offer(TE1, [offer("a1")], 1.0)
    assert pool.release(r("r1"), "done", 2.0) == (True, [cancel("a2"), grant("r2", "a1")])
    assert pool.slot_of(r("r1")) is None
    assert pool.slot_of(r("r2")) == (TE1, a("a1"))
    assert pool.counts() == PoolCounts(allocated=1)


def test_a_released_slot_that_nobody_wants_serves_the_next_request_at_once(pool: SlotPool) -> None:
    """C03: without a word to the ResourceManager."""
    pool.allocate(request("r1"), 0.0)
    pool.offer(TE1, [offer("a1")], 1.0)
    assert pool.release(r("r1"), "done", 2.0) == (True, [])
    assert pool.counts() == PoolCounts(available=1)
    [granted] = pool.allocate(request("r2"), 3.0)
    assert granted.slot.allocation_id == a("a1")  # type: ignore[union-attr]
    assert pool.counts() == PoolCounts(allocated=1)


def test_the_same_request_again_changes_nothing(pool: SlotPool) -> None:
    """A pending one waits on, a granted one is granted again with the same slot."""
    pool.allocate(request("r1"), 0.0)
    assert pool.allocate(request("r1"), 1.0) == []
    pool.offer(TE1, [offer("a1")], 2.0)
    assert pool.allocate(request("r1", B), 3.0) == [grant("r1", "a1")]
    assert pool.counts() == PoolCounts(allocated=1)


def test_a_request_that_does_not_wait_is_refused_and_leaves_nothing(pool: SlotPool) -> None:
    """F41: no pending request, no word to the ResourceManager."""
    effects = pool.allocate(request("r1", queued=False), 0.0)
    assert seen(effects) == [failed("r1", NoResourceAvailable)]
    assert pool.counts() == PoolCounts()
    assert pool.next_deadline == math.inf


def test_a_request_without_time_is_refused_and_leaves_nothing(pool: SlotPool) -> None:
    """C33: its deadline has passed when it comes."""
    effects = pool.allocate(request("r1", deadline=5.0), 5.0)
    assert seen(effects) == [failed("r1", SlotRequestTimeout)]
    assert pool.counts() == PoolCounts()


# --- no ResourceManager


def test_without_a_resource_manager_requests_wait_and_are_asked_in_order(new_pool: NewPool) -> None:
    """C14, C15, C42, X003: none fails, each is asked when one connects, the oldest first."""
    pool = new_pool()
    for name, profile, deadline in (("r1", B, 100.0), ("r2", P, 200.0), ("r3", B, 300.0)):
        assert pool.allocate(request(name, profile, deadline=deadline), 0.0) == []
    assert pool.counts() == PoolCounts(waiting_for_resource_manager=3)
    assert pool.connect_resource_manager(60.0) == [
        ask("a1", B, 40.0),
        ask("a2", P, 140.0),
        ask("a3", B, 240.0),
    ]
    assert pool.counts() == PoolCounts(pending=3)


def test_without_a_resource_manager_a_request_still_times_out(new_pool: NewPool) -> None:
    """C14, C33, X020: also out of the stash nothing is left behind, and nobody is told."""
    pool = new_pool()
    pool.allocate(request("r1", deadline=0.01), 0.0)
    assert pool.next_deadline == 0.01
    assert seen(pool.expire(0.01)) == [failed("r1", SlotRequestTimeout)]
    assert pool.counts() == PoolCounts()
    assert pool.connect_resource_manager(1.0) == []


def test_without_a_resource_manager_offers_and_free_slots_serve(new_pool: NewPool) -> None:
    """C16, X106: an offer is taken, a free slot is given, nothing is cancelled at nobody."""
    pool = new_pool()
    register(pool, TE1)
    pool.allocate(request("r1"), 0.0)
    assert pool.offer(TE1, [offer("x1")], 1.0) == ([a("x1")], [grant("r1", "x1")])
    pool.release(r("r1"), "done", 2.0)
    assert len(pool.allocate(request("r2"), 3.0)) == 1
    assert pool.slot_of(r("r2")) == (TE1, a("x1"))


def test_a_new_resource_manager_is_asked_for_all_that_is_unfulfilled(pool: SlotPool) -> None:
    """X014, X101, C42, C45: under the same ids, in order of arrival, with the time that is left."""
    pool.allocate(request("r1"), 0.0)
    pool.allocate(request("r2"), 10.0)
    assert pool.disconnect_resource_manager(20.0) == []
    assert pool.counts() == PoolCounts(waiting_for_resource_manager=2)
    pool.allocate(request("r3"), 30.0)
    assert pool.connect_resource_manager(40.0) == [
        ask("a1", P, 260.0),
        ask("a2", P, 260.0),
        ask("a3", P, 260.0),
    ]


def test_a_new_resource_manager_is_asked_even_if_the_old_one_was_not_missed(pool: SlotPool) -> None:
    """X101: a connection that replaces another without a word in between."""
    pool.allocate(request("r1"), 0.0)
    assert pool.connect_resource_manager(1.0) == [ask("a1", P, 299.0)]


def test_what_the_lost_resource_manager_had_allocated_may_still_be_offered(pool: SlotPool) -> None:
    """C45: it goes to the request that had asked for it, though an older one waits."""
    pool.allocate(request("r1"), 0.0)
    pool.allocate(request("r2"), 0.0)
    pool.disconnect_resource_manager(1.0)
    assert pool.offer(TE1, [offer("a2")], 2.0) == ([a("a2")], [grant("r2", "a2")])
    assert pool.connect_resource_manager(3.0) == [ask("a1", P, 297.0)]


def test_what_is_overdue_when_a_resource_manager_connects_is_not_asked_for(pool: SlotPool) -> None:
    """C33, X103: the deadline stands, whoever connects."""
    pool.disconnect_resource_manager(0.0)
    pool.allocate(request("r1", deadline=5.0), 0.0)
    assert seen(pool.connect_resource_manager(5.0)) == [failed("r1", SlotRequestTimeout)]


# --- deadlines


def test_each_request_times_out_at_its_own_deadline_from_creation(pool: SlotPool) -> None:
    """C13, C33, X006, X020, X103, H11: not from an acknowledgement; its ask is cancelled."""
    pool.allocate(request("r1", deadline=600.0), 0.0)
    pool.allocate(request("r2", deadline=30.0), 0.0)
    assert pool.next_deadline == 30.0
    assert pool.expire(29.9) == []
    assert seen(pool.expire(30.0)) == [cancel("a2"), failed("r2", SlotRequestTimeout)]
    assert pool.counts() == PoolCounts(pending=1)
    assert pool.next_deadline == 600.0


def test_the_deadline_ends_with_the_wait(pool: SlotPool) -> None:
    """X006: a granted request does not time out, nor does a withdrawn one."""
    pool.allocate(request("r1", deadline=30.0), 0.0)
    pool.allocate(request("r2", deadline=30.0), 0.0)
    pool.offer(TE1, [offer("a1")], 1.0)
    pool.release(r("r2"), "no need", 2.0)
    assert pool.next_deadline == math.inf
    assert pool.expire(1000.0) == []


# --- withdrawn and refused


def test_a_withdrawn_request_is_answered_and_cancelled(pool: SlotPool) -> None:
    """C33, X009: also out of the stash, where there is nobody to tell."""
    pool.allocate(request("r1"), 0.0)
    known, effects = pool.release(r("r1"), "no need", 1.0)
    assert (known, seen(effects)) == (True, [cancel("a1"), failed("r1", RequestCancelled)])
    pool.disconnect_resource_manager(2.0)
    pool.allocate(request("r2"), 3.0)
    known, effects = pool.release(r("r2"), "no need", 4.0)
    assert (known, seen(effects)) == (True, [failed("r2", RequestCancelled)])
    assert pool.counts() == PoolCounts()


def test_a_request_that_nobody_knows_is_released_without_effect(pool: SlotPool) -> None:
    """C19, F37, F42, F47: neither one that never was, nor the same one twice."""
    assert pool.release(r("r9"), "what", 0.0) == (False, [])
    pool.allocate(request("r1"), 0.0)
    pool.offer(TE1, [offer("a1")], 1.0)
    assert pool.release(r("r1"), "done", 2.0) == (True, [])
    assert pool.release(r("r1"), "done", 2.0) == (False, [])
    assert pool.counts() == PoolCounts(available=1)


def test_a_slot_that_comes_after_its_request_gave_up_is_kept(pool: SlotPool) -> None:
    """C34, C48, X117: nothing leaks, the next request gets it."""
    pool.allocate(request("r1"), 0.0)
    pool.release(r("r1"), "gave up", 1.0)
    assert pool.offer(TE1, [offer("a1")], 2.0) == ([a("a1")], [])
    assert pool.counts() == PoolCounts(available=1)
    pool.allocate(request("r2"), 3.0)
    assert pool.slot_of(r("r2")) == (TE1, a("a1"))


def test_a_late_release_after_the_grant_keeps_the_slot(pool: SlotPool) -> None:
    """C34: fulfilled first, given up then."""
    pool.allocate(request("r1"), 0.0)
    pool.offer(TE1, [offer("a1")], 1.0)
    assert pool.release(r("r1"), "gave up", 2.0) == (True, [])
    assert pool.counts() == PoolCounts(available=1)


def test_a_refusal_fails_the_request_and_says_why(pool: SlotPool) -> None:
    """C12, C32, X005, X016: exactly this id is cancelled, the cause is inside, nothing stays."""
    pool.allocate(request("r1"), 0.0)
    pool.allocate(request("r2"), 0.0)
    cause = NoResourceAvailable("nothing is that large", nearest="1 cpu")
    effects = pool.request_refused(a("a1"), cause, 1.0)
    assert seen(effects) == [cancel("a1"), failed("r1", NoResourceAvailable)]
    error: SlotdError = effects[1].error  # type: ignore[union-attr]
    assert error.__cause__ is cause
    assert error.data == {
        "type": "NoResourceAvailable",
        "nearest": "1 cpu",
        "cause": "NoResourceAvailable",
    }
    assert "nothing is that large" in error.message
    assert pool.counts() == PoolCounts(pending=1)
    assert pool.request_refused(a("a1"), cause, 2.0) == []


def test_any_other_error_of_the_call_fails_the_request_too(pool: SlotPool) -> None:
    """C12: the type of the original is named."""
    pool.allocate(request("r1"), 0.0)
    effects = pool.request_refused(a("a1"), InternalError("oops"), 1.0)
    assert seen(effects) == [cancel("a1"), failed("r1", NoResourceAvailable)]
    assert effects[1].error.data["cause"] == "InternalError"  # type: ignore[union-attr]


@pytest.mark.parametrize("error", [PeerGone("x"), NotLeader("x"), LeaderIdMismatch("x")])
def test_the_loss_of_the_resource_manager_is_no_refusal(pool: SlotPool, error: SlotdError) -> None:
    """X101: the request outlives it, whether the broken call or the lost connection came first."""
    pool.allocate(request("r1"), 0.0)
    assert pool.request_refused(a("a1"), error, 1.0) == []
    pool.disconnect_resource_manager(1.0)
    assert pool.connect_resource_manager(2.0) == [ask("a1", P, 298.0)]


def test_a_resource_manager_that_does_not_answer_in_time_has_refused(pool: SlotPool) -> None:
    """C12: it is there and leads, so nobody else will be asked."""

    class NoAnswerInTime(PeerGone):
        pass

    pool.allocate(request("r1"), 0.0)
    effects = pool.request_refused(a("a1"), NoAnswerInTime("10 s"), 10.0)
    assert seen(effects) == [cancel("a1"), failed("r1", NoResourceAvailable)]


def test_a_refusal_of_a_former_resource_manager_is_ignored(pool: SlotPool) -> None:
    """X101: it can no longer say what the next one will."""
    pool.allocate(request("r1"), 0.0)
    pool.disconnect_resource_manager(1.0)
    assert pool.request_refused(a("a1"), NoResourceAvailable("none"), 2.0) == []
    assert pool.counts() == PoolCounts(waiting_for_resource_manager=1)


def test_a_failed_allocation_fails_the_request_that_asked_for_it(pool: SlotPool) -> None:
    """C11, H18, C32: with the error as it was told."""
    pool.allocate(request("r1"), 0.0)
    pool.allocate(request("r2"), 0.0)
    error = SlotRequestTimeout("the ResourceManager gave up")
    effects = pool.fail_allocation(a("a2"), error, 1.0)
    assert seen(effects) == [cancel("a2"), failed("r2", SlotRequestTimeout)]
    assert effects[1].error is error  # type: ignore[union-attr]
    assert pool.fail_allocation(a("a2"), error, 2.0) == []
    assert pool.counts() == PoolCounts(pending=1)


# --- order


def test_one_slot_recycled_ten_times_serves_ten_requests_in_order(pool: SlotPool) -> None:
    """C42, X012, X120: strictly in order of arrival."""
    names = [f"r{number}" for number in range(10)]
    for name in names:
        pool.allocate(request(name), 0.0)
    _, effects = pool.offer(TE1, [offer("x")], 1.0)
    served: list[str] = []
    for _ in names:
        [*_, granted] = effects
        served.append(granted.request_id)  # type: ignore[union-attr]
        _, effects = pool.release(r(served[-1]), "done", 2.0)
    assert served == names
    assert effects == []


def test_order_survives_the_stash_and_two_resource_managers(new_pool: NewPool) -> None:
    """C42: half of them came before, half after the first one, then it was replaced."""
    pool = new_pool()
    register(pool, TE1)
    names = [f"r{number}" for number in range(10)]
    for name in names[:5]:
        pool.allocate(request(name), 0.0)
    pool.connect_resource_manager(1.0)
    for name in names[5:]:
        pool.allocate(request(name), 1.0)
    pool.disconnect_resource_manager(2.0)
    pool.connect_resource_manager(3.0)
    served: list[str] = []
    _, effects = pool.offer(TE1, [offer("x")], 4.0)
    for _ in names:
        served.append(effects[-1].request_id)  # type: ignore[union-attr]
        _, effects = pool.release(r(served[-1]), "done", 5.0)
    assert served == names


def test_a_slot_serves_the_first_request_that_it_satisfies(pool: SlotPool) -> None:
    """C43: one that is too large waits on and does not block, nor is it passed over later."""
    pool.allocate(request("r1", B), 0.0)
    pool.allocate(request("r2", P), 0.0)
    assert pool.offer(TE1, [offer("x", 0, P)], 1.0)[1] == [cancel("a2"), grant("r2", "x")]
    pool.allocate(request("r3", P), 2.0)
    assert pool.offer(TE1, [offer("y", 1, B)], 3.0)[1] == [
        cancel("a1"),
        grant("r1", "y", number=1, profile=B),
    ]


# --- what it tells


def test_explain_says_where_a_request_is(new_pool: NewPool) -> None:
    """C14, C01: waiting, asked, granted, unknown."""
    pool = new_pool()
    register(pool, TE1)
    pool.allocate(request("r1", B, near(TE1)), 1.0)
    waiting = pool.explain(r("r1"))
    assert waiting is not None
    assert (waiting.state, waiting.since) == ("WAITING_FOR_RESOURCE_MANAGER", 1.0)
    assert (waiting.deadline, waiting.profile, waiting.allocation_id) == (300.0, B, None)
    pool.connect_resource_manager(2.0)
    asked = pool.explain(r("r1"))
    assert asked is not None
    assert (asked.state, asked.since, asked.allocation_id) == ("PENDING", 1.0, a("a1"))
    pool.offer(TE1, [offer("a1", 0, B)], 3.0)
    granted = pool.explain(r("r1"))
    assert granted is not None
    assert (granted.state, granted.since, granted.deadline) == ("ALLOCATED", 3.0, None)
    assert pool.explain(r("r2")) is None
