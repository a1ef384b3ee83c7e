"""A request is found by the allocation that it has or asked for."""

from daemon.core.job_master.slot_pool import SlotPoolSettings
from tests.decisions.pool_words import TE1, NewPool, a, holding, offer, r, register, request


def test_an_allocation_names_the_request_that_asked_for_it_and_then_has_it(
    new_pool: NewPool,
) -> None:
    """Waiting, asked, granted, released: the name is valid while there is an allocation."""
    pool = new_pool()
    register(pool, TE1)
    pool.allocate(request("r1"), 1.0)
    assert pool.request_of(a("a1")) is None
    pool.connect_resource_manager(2.0)
    assert pool.request_of(a("a1")) == r("r1")
    pool.offer(TE1, [offer("a1")], 3.0)
    assert pool.request_of(a("a1")) == r("r1")
    pool.release(r("r1"), "done", 4.0)
    assert pool.request_of(a("a1")) is None
    assert pool.request_of(a("r1")) is None


def test_an_allocation_of_an_earlier_term_names_the_request_that_it_served(
    new_pool: NewPool,
) -> None:
    """C17: until the slot is back, and after."""
    pool = new_pool(SlotPoolSettings(), now=100.0, holdings=holding("r1", "h1"))
    register(pool, TE1)
    assert pool.request_of(a("h1")) == r("r1")
    pool.offer(TE1, [offer("h1")], 101.0)
    assert pool.request_of(a("h1")) == r("r1")
