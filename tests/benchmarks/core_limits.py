"""The rows core-pause and core-memory: the longest event, and the bytes of a slot and a request."""

import gc
import time
import tracemalloc

from tests.benchmarks.clusters import busy, huge, manager_with, requests_of
from tests.benchmarks.suite import Goal, Metric, Row, short
from tests.benchmarks.workloads import FAMILIES


def pause(slots: int, waiting: int, cycles: int) -> tuple[float, float]:
    """The 99.9th percentile and the longest of single events, ms of CPU time; gc.freeze before."""
    world = busy(FAMILIES["nest"](slots, 1))
    for request in requests_of(FAMILIES["nest"](waiting, 2)):
        world.request(request)
    arriving = requests_of(FAMILIES["nest"](cycles, 3), waiting)
    gc.collect()
    gc.freeze()
    taken: list[float] = []
    clock = time.process_time
    for number, request in enumerate(arriving):
        begin = clock()
        world.release(number)
        between = clock()
        world.request(request)
        taken += (between - begin, clock() - between)
    gc.unfreeze()
    taken.sort()
    return taken[int(len(taken) * 0.999)] * 1e3, taken[-1] * 1e3


def memory(count: int) -> tuple[float, float]:
    """Bytes of a free slot with its part of an executor, and of a waiting request."""
    gc.collect()
    tracemalloc.start()
    try:
        manager = manager_with(FAMILIES["nest"](count, 1))
        gc.collect()
        slots = tracemalloc.get_traced_memory()[0]
        for request in requests_of(huge(count)):
            manager.request_slot(request, 1.0)
        gc.collect()
        total = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    return slots / count, (total - slots) / count


def rows(quick: bool) -> list[Row]:
    """The rows; ``quick`` with sizes that only show that they run."""
    some = 100 if quick else 10_000
    many = 100 if quick else 100_000
    return [
        Row(
            "core-pause",
            f"{short(many)} slots, {short(many)} waiting, nest, gc.freeze()",
            (
                Metric("ms", Goal(at_most=1.0), "p99.9"),
                Metric("ms", Goal(at_most=5.0), "max"),
            ),
            lambda: pause(many, many, some),
        ),
        Row(
            "core-memory",
            f"{short(some)} slots, {short(some)} waiting",
            (
                Metric("bytes", Goal(at_most=1000.0), "slot"),
                Metric("bytes", Goal(at_most=1500.0), "request"),
            ),
            lambda: memory(some),
        ),
    ]
