"""The row pack: how many requests a policy serves, of those that could have been served."""

import heapq
from functools import partial

from daemon.core.effects import AskExecutorForSlot
from protocol.resources import ResourceProfile
from tests.benchmarks.clusters import manager_with, requests_of
from tests.benchmarks.suite import Goal, Metric, Row, short
from tests.benchmarks.workloads import FAMILIES


def optimum(slots: list[ResourceProfile], requests: list[ResourceProfile]) -> int:
    """The most requests that these slots can serve, knowing all of them before (exact).

    In order of memory each slot takes, of the requests that it has memory for, the one with the
    most cores that it can bear.
    """
    open_requests: list[float] = []
    waiting = sorted(requests, key=lambda profile: profile.memory_mb)
    served = 0
    position = 0
    for slot in sorted(slots, key=lambda profile: profile.memory_mb):
        while position < len(waiting) and waiting[position].memory_mb <= slot.memory_mb:
            heapq.heappush(open_requests, -waiting[position].cpu_cores)
            position += 1
        too_large: list[float] = []
        while open_requests and -open_requests[0] > slot.cpu_cores:
            too_large.append(heapq.heappop(open_requests))
        if open_requests:
            heapq.heappop(open_requests)
            served += 1
        for cores in too_large:
            heapq.heappush(open_requests, cores)
    return served


def served(placement: str, family: str, count: int) -> float:
    """The part of the optimum that a policy serves, the mean of five seeds."""
    total = 0.0
    for seed in range(5):
        slots, wanted = FAMILIES[family](count, 10 + seed), FAMILIES[family](count, 20 + seed)
        manager = manager_with(slots, placement)
        given = sum(
            isinstance(effect, AskExecutorForSlot)
            for request in requests_of(wanted)
            for effect in manager.request_slot(request, 1.0)[1]
        )
        total += given / optimum(slots, wanted)
    return total / 5


def rows(quick: bool) -> list[Row]:
    """Best fit against first fit; the figures do not vary, so two pairs are enough."""
    count = 100 if quick else 1000
    goals = {"nest": 0.995, "cloud": 0.99, "uniq": 0.97}
    return [
        Row(
            "pack",
            f"best-fit, {short(count)} slots, {family}",
            (Metric("served of optimum", Goal(at_least=0.9 if quick else goal)),),
            partial(served, "best-fit", family, count),
            partial(served, "first-fit", family, count),
            "first-fit",
            pairs=2,
        )
        for family, goal in goals.items()
    ]
