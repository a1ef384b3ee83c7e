"""The row pool-cycle: request, offer and release in a bare SlotPool, per second of CPU time.

Every request is asked of a ResourceManager, answered by an offer of its own and released; a batch
of them is open at once. Making the pool, the requests and the offers is not counted.
"""

import itertools
import time

from daemon.core.job_master.slot_pool import PoolRequest, SlotPool, SlotPoolSettings
from protocol.ids import AllocationId, JobId, RequestId, ResourceId
from protocol.messages.values import SlotOffer
from protocol.resources import ResourceProfile
from tests.benchmarks.suite import Goal, Metric, Row

SLOTS_OF_AN_EXECUTOR = 10


def rows(quick: bool) -> list[Row]:
    """One and fifty profiles, and ten times as many requests open at once."""
    cycles = 500 if quick else 10_000
    shapes = [(100, 1)] if quick else [(1_000, 1), (1_000, 50), (10_000, 1)]
    return [_row(cycles, batch, profiles) for batch, profiles in shapes]


def _row(cycles: int, batch: int, profiles: int) -> Row:
    return Row(
        "pool-cycle",
        f"{batch} requests open at once, {profiles} profiles",
        (Metric("cycles/CPU s", Goal(at_least=60_000)),),
        lambda: pool_cycle(cycles, batch, profiles),
    )


def nested_profiles(count: int) -> list[ResourceProfile]:
    """Profiles of which each satisfies all before it."""
    return [ResourceProfile(1 + number, 512 * (1 + number)) for number in range(count)]


def pool_cycle(cycles: int = 10_000, batch: int = 1_000, profiles: int = 1) -> float:
    """Cycles per second of CPU time, with ``batch`` requests open at once."""
    spent = 0.0
    batches = max(1, cycles // batch)
    for _ in range(batches):
        spent += _run(batch, nested_profiles(profiles))
    return batches * batch / spent


def _run(batch: int, profiles: list[ResourceProfile]) -> float:
    ids = (AllocationId(f"{number:032x}") for number in itertools.count())
    pool = SlotPool(JobId("0" * 32), SlotPoolSettings(), lambda: next(ids), 0.0)
    pool.connect_resource_manager(0.0)
    executors = [ResourceId(f"te-{n}") for n in range(1 + batch // SLOTS_OF_AN_EXECUTOR)]
    for executor in executors:
        pool.register_executor(executor, "localhost")
    requests = [
        PoolRequest(RequestId(f"{n:032x}"), profiles[n % len(profiles)], True, 300.0)
        for n in range(batch)
    ]
    offers = [
        (
            executors[n // SLOTS_OF_AN_EXECUTOR],
            [SlotOffer(AllocationId(f"{n:032x}"), n % SLOTS_OF_AN_EXECUTOR, request.profile)],
        )
        for n, request in enumerate(requests)
    ]
    begin = time.process_time()
    for request in requests:
        pool.allocate(request, 1.0)
    for executor, slots in offers:
        pool.offer(executor, slots, 2.0)
    for request in requests:
        pool.release(request.request_id, "done", 3.0)
    spent = time.process_time() - begin
    assert pool.counts().available == batch, "a cycle was not what it should be"
    return spent
