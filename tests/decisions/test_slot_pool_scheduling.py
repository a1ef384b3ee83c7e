"""Unshared requests in bulk: at once, queued, with executors that die."""

import random

from daemon.core.effects import GrantRequest
from daemon.core.job_master.slot_pool import SlotPool
from protocol.errors import NoResourceAvailable
from protocol.ids import ResourceId
from protocol.news import PoolCounts
from tests.decisions.pool_words import (
    TE1,
    TE2,
    TE3,
    NewPool,
    failed,
    offer,
    r,
    register,
    request,
    seen,
)

SLOTS = {TE1: 2, TE2: 2, TE3: 1}


def five_slots(pool: SlotPool) -> None:
    for executor, slots in SLOTS.items():
        register(pool, executor)
        pool.offer(executor, [offer(f"{executor}-{n}", n) for n in range(slots)], 0.0)


def test_as_many_requests_as_slots_are_served_at_once(new_pool: NewPool) -> None:
    """F37, F47: the sixth is refused; two come back; the same one twice is one."""
    pool = new_pool()
    five_slots(pool)
    names = [f"r{n}" for n in range(5)]
    for name in names:
        [granted] = pool.allocate(request(name, queued=False), 1.0)
        assert isinstance(granted, GrantRequest)
    assert len({pool.slot_of(r(name)) for name in names}) == 5
    sixth = pool.allocate(request("r5", queued=False), 1.0)
    assert seen(sixth) == [failed("r5", NoResourceAvailable)]
    for name in ("r0", "r1", "r1"):
        pool.release(r(name), "done", 2.0)
    assert pool.counts() == PoolCounts(allocated=3, available=2)


def test_two_thousand_requests_over_fifty_executors_are_all_served(new_pool: NewPool) -> None:
    """F38, C42: each once, in order, never two in a slot; all slots are free at the end."""
    chance = random.Random(7)
    pool = new_pool()
    slots = 0
    for number in range(50):
        executor = ResourceId(f"te-{number}")
        register(pool, executor)
        offers = [offer(f"s{number}-{n}", n) for n in range(1 + number % 3)]
        slots += len(offers)
        pool.offer(executor, offers, 0.0)
    served: list[str] = []
    running: list[str] = []

    def book(effects: list[object]) -> None:
        granted = [effect.request_id for effect in effects if isinstance(effect, GrantRequest)]
        served.extend(granted)
        running.extend(granted)
        assert len({pool.slot_of(r(name)) for name in running}) == len(running) <= slots

    for number in range(2000):
        book(list(pool.allocate(request(f"r{number}"), 1.0)))
        while running and chance.random() < 0.4:
            name = running.pop(chance.randrange(len(running)))
            book(list(pool.release(r(name), "done", 2.0)[1]))
    while running:
        book(list(pool.release(r(running.pop()), "done", 3.0)[1]))
    assert served == [f"r{number}" for number in range(2000)]
    assert pool.counts() == PoolCounts(available=slots)


def test_slots_of_an_executor_that_dies_are_out_of_use(new_pool: NewPool) -> None:
    """F39: the others live on; when all are lost nothing is left to give."""
    pool = new_pool()
    five_slots(pool)
    for number in range(5):
        pool.allocate(request(f"r{number}"), 1.0)
    pool.lose_executor(TE2, "died", 2.0)
    alive = [number for number in range(5) if pool.slot_of(r(f"r{number}"))]
    assert len(alive) == 3
    for number in range(5):
        pool.release(r(f"r{number}"), "done", 3.0)
    assert pool.counts() == PoolCounts(available=3)
    pool.lose_executor(TE1, "died", 4.0)
    pool.lose_executor(TE3, "died", 4.0)
    refused = pool.allocate(request("r9", queued=False), 5.0)
    assert seen(refused) == [failed("r9", NoResourceAvailable)]
    assert pool.counts() == PoolCounts()
