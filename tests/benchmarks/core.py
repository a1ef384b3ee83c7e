"""The rows core-fill, core-drain and core-churn: the SlotManager with its news, against the twin.

A grant is a request, the choice of a slot, the question to its executor and the answer. Making the
requests and the reports is not counted.
"""

import itertools

from daemon.core.resource_manager.slot_manager import SlotRequest
from tests.benchmarks.clusters import (
    Busy,
    arrivals,
    arrive,
    busy,
    entries,
    manager_with,
    requests_of,
    twin_busy,
)
from tests.benchmarks.suite import Goal, Metric, Row, cpu_time, short
from tests.benchmarks.twin import Entry, NaiveTwin
from tests.benchmarks.workloads import FAMILIES

ENOUGH = 5_000
"""Grants in a window; fewer say little about a steady state."""


# --- fill: N free slots, N requests


def fill(family: str, count: int, rounds: int) -> float:
    """Grants per second of CPU time; a small cluster is filled, emptied and filled again."""
    manager = manager_with(FAMILIES[family](count, 1))
    spent, grants = 0.0, 0
    for round_ in range(rounds):
        world = Busy(manager)
        wanted = requests_of(FAMILIES[family](count, 2), round_ * count)

        def work(wanted: list[SlotRequest] = wanted, world: Busy = world) -> None:
            for request in wanted:
                world.request(request)

        spent += cpu_time(work)
        grants += len(world.holders)
        world.empty(wanted)
    return grants / spent


def twin_fill(family: str, count: int, rounds: int) -> float:
    """The same for the twin."""
    twin = NaiveTwin()
    for slot in entries(FAMILIES[family](count, 1), "s"):
        twin.add(slot)
    spent, grants = 0.0, 0
    for _ in range(rounds):
        wanted = entries(FAMILIES[family](count, 2))

        def work(wanted: list[Entry] = wanted) -> None:
            for request in wanted:
                twin.request(request)

        spent += cpu_time(work)
        grants += len(twin.allocated)
        twin.pending.clear()
        for key in list(twin.allocated):
            twin.release(key)
    return grants / spent


# --- drain: B requests wait, slots arrive


def drain(family: str, waiting: int, slots: int) -> float:
    """Grants per second of CPU time."""
    world = Busy(manager_with([]))
    for request in requests_of(FAMILIES[family](waiting, 1)):
        world.request(request)
    arriving = arrivals(FAMILIES[family](slots, 2))

    def work() -> None:
        for arrival in arriving:
            world.take(arrive(world.manager, arrival))

    spent = cpu_time(work)
    return len(world.holders) / spent


def twin_drain(family: str, waiting: int, slots: int) -> float:
    """The same for the twin."""
    twin = NaiveTwin()
    for request in entries(FAMILIES[family](waiting, 1)):
        twin.request(request)
    arriving = entries(FAMILIES[family](slots, 2), "s")

    def work() -> None:
        for slot in arriving:
            twin.add(slot)

    spent = cpu_time(work)
    return len(twin.allocated) / spent


# --- churn: N busy, B wait; a slot is freed, serves the next, one more request comes


def churn(family: str, slots: int, waiting: int, cycles: int) -> float:
    """Cycles per second of CPU time: freed, given to the oldest that fits; one more request."""
    world = busy(FAMILIES[family](slots, 1))
    for request in requests_of(FAMILIES[family](waiting, 2)):
        world.request(request)
    arriving = requests_of(FAMILIES[family](cycles, 3), waiting)

    def work() -> None:
        for number, request in enumerate(arriving):
            world.release(number)
            world.request(request)

    return cycles / cpu_time(work)


def twin_churn(family: str, slots: int, waiting: int, cycles: int) -> float:
    """The same for the twin."""
    twin, holders = twin_busy(FAMILIES[family](slots, 1))
    for request in entries(FAMILIES[family](waiting, 2)):
        twin.pending[request.key] = request
    arriving = entries(FAMILIES[family](cycles, 3), "n")

    def work() -> None:
        for number, request in enumerate(arriving):
            place = number % slots
            if holders[place] in twin.allocated:
                served = twin.release(holders[place])
                if served is not None:
                    holders[place] = served.key
            twin.request(request)

    return cycles / cpu_time(work)


# --- the rows

GRANTS = "grants per CPU s"


def rows(quick: bool) -> list[Row]:
    """The rows; ``quick`` with sizes that only show that they run."""
    sizes = [100] if quick else [100, 1_000, 10_000, 100_000]
    some = 100 if quick else 10_000
    families = ("one", "nest", "uniq")
    return [
        *(_fill(family, size, quick) for family, size in itertools.product(families, sizes)),
        *(_drain(family, some) for family in ("one", "anti")),
        *(_churn(family, some) for family in ("one", "anti")),
    ]


FILL_GOALS = {
    ("nest", 10_000): Goal(at_least=100_000, ratio_at_least=1.0),
    ("uniq", 10_000): Goal(ratio_at_least=2.0),
}


def _fill(family: str, size: int, quick: bool) -> Row:
    goal = FILL_GOALS.get((family, size), Goal(at_least=100_000))
    rounds = 1 if quick else max(1, ENOUGH // size)
    return Row(
        "core-fill",
        f"{short(size)} slots, {family}",
        (Metric(GRANTS, goal),),
        lambda: fill(family, size, rounds),
        (lambda: twin_fill(family, size, rounds)) if size <= 10_000 else None,
        "twin",
    )


def _drain(family: str, waiting: int) -> Row:
    return Row(
        "core-drain",
        f"{short(waiting)} waiting, {short(waiting)} slots arrive, {family}",
        (Metric(GRANTS, Goal(at_least=100_000)),),
        lambda: drain(family, waiting, waiting),
        lambda: twin_drain(family, waiting, waiting),
        "twin",
    )


def _churn(family: str, size: int) -> Row:
    goal = Goal(at_least=60_000, ratio_at_least=1.0 if family == "anti" else None)
    return Row(
        "core-churn",
        f"{short(size)} busy, {short(size)} waiting, {family}",
        (Metric("cycles per CPU s", goal),),
        lambda: churn(family, size, size, size),
        lambda: twin_churn(family, size, size, size),
        "twin",
    )
