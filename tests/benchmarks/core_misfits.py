"""The rows core-blocked and core-miss: how much it costs to look past what does not fit."""

from tests.benchmarks.clusters import busy, entries, huge, manager_with, requests_of, twin_busy
from tests.benchmarks.suite import Goal, Metric, Row, cpu_time, short
from tests.benchmarks.twin import NaiveTwin
from tests.benchmarks.workloads import FAMILIES


def blocked(waiting: int, cycles: int) -> float:
    """Cycles per second: a slot is freed past requests that do not fit, then one takes it."""
    world = busy(FAMILIES["one"](100, 1))
    for request in requests_of(huge(waiting)):
        world.request(request)
    arriving = requests_of(FAMILIES["one"](cycles, 3), waiting)

    def work() -> None:
        for number, request in enumerate(arriving):
            world.release(number)
            world.request(request)

    return cycles / cpu_time(work)


def twin_blocked(waiting: int, cycles: int) -> float:
    """The same for the twin."""
    twin, holders = twin_busy(FAMILIES["one"](100, 1))
    for request in entries(huge(waiting), "p"):
        twin.pending[request.key] = request
    arriving = entries(FAMILIES["one"](cycles, 3), "n")

    def work() -> None:
        for number, request in enumerate(arriving):
            twin.release(holders[number % 100])
            twin.request(request)
            holders[number % 100] = request.key

    return cycles / cpu_time(work)


# --- miss: N free slots, nothing fits


def miss(slots: int, count: int) -> float:
    """Requests per second of CPU time that find nothing and wait."""
    manager = manager_with(FAMILIES["anti"](slots, 1))
    wanted = requests_of(huge(count))

    def work() -> None:
        for request in wanted:
            manager.request_slot(request, 1.0)

    spent = cpu_time(work)
    assert manager.counts().requests == count
    return count / spent


def twin_miss(slots: int, count: int) -> float:
    """The same for the twin."""
    twin = NaiveTwin()
    for slot in entries(FAMILIES["anti"](slots, 1), "s"):
        twin.add(slot)
    wanted = entries(huge(count))

    def work() -> None:
        for request in wanted:
            twin.request(request)

    return count / cpu_time(work)


def rows(quick: bool) -> list[Row]:
    """The rows; ``quick`` with sizes that only show that they run."""
    sizes = [100] if quick else [1_000, 10_000, 100_000]
    return [*(_blocked(size) for size in sizes), *(_miss(size) for size in sizes)]


def _blocked(waiting: int) -> Row:
    goal = Goal(ratio_at_least=15.0) if waiting == 10_000 else Goal()
    cycles = max(10, min(2_000, 2_000_000 // waiting))
    return Row(
        "core-blocked",
        f"{short(waiting)} that fit nowhere",
        (Metric("cycles per CPU s", goal),),
        lambda: blocked(waiting, 2_000),
        lambda: twin_blocked(waiting, cycles),
        "twin",
    )


def _miss(slots: int) -> Row:
    goal = Goal(ratio_at_least=20.0) if slots == 10_000 else Goal()
    return Row(
        "core-miss",
        f"{short(slots)} free, nothing fits",
        (Metric("requests per CPU s", goal),),
        lambda: miss(slots, 2_000),
        lambda: twin_miss(slots, max(10, min(2_000, 2_000_000 // slots))),
        "twin",
    )
