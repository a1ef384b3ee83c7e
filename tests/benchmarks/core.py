"""The rows core-*: the SlotManager alone, with its news and effects, against the naive twin.

A grant is a request, the choice of a slot, the question to its executor and the answer. Making the
requests and the reports is not counted.
"""

import gc
import itertools
import time
import tracemalloc

import attrs

from daemon.core.effects import AskExecutorForSlot, SlotManagerEffect
from daemon.core.slot_manager import (
    ExecutorRegistration,
    SlotManager,
    SlotManagerSettings,
    SlotRequest,
)
from protocol.ids import AllocationId, InstanceId, JobId, ResourceId, SlotId
from protocol.messages.values import SlotStatus
from protocol.resources import ResourceProfile
from tests.benchmarks.suite import Goal, Metric, Row, cpu_time, short
from tests.benchmarks.twin import Entry, NaiveTwin
from tests.benchmarks.workloads import FAMILIES

SLOTS_OF_AN_EXECUTOR = 10
WITHIN_GRACE = 1e6
"""So that what fits nowhere waits."""


@attrs.frozen
class Arrival:
    """An executor that registers and reports its slots, all free."""

    registration: ExecutorRegistration
    slots: list[SlotStatus]


def arrivals(profiles: list[ResourceProfile], first: int = 0) -> list[Arrival]:
    """Executors with slots of these profiles, ten each."""
    made: list[Arrival] = []
    for begin in range(0, len(profiles), SLOTS_OF_AN_EXECUTOR):
        number = first + begin
        name, instance = ResourceId(f"te-{number}"), InstanceId(f"{number:032x}")
        registration = ExecutorRegistration(instance, name, "host", "host:1")
        mine = profiles[begin : begin + SLOTS_OF_AN_EXECUTOR]
        slots = [SlotStatus(SlotId(f"{name}_{n}"), profile) for n, profile in enumerate(mine)]
        made.append(Arrival(registration, slots))
    return made


def arrive(manager: SlotManager, arrival: Arrival) -> list[SlotManagerEffect]:
    """Let an executor register and report."""
    manager.register_executor(arrival.registration, 0.0)
    return manager.report_slots(arrival.registration.instance_id, arrival.slots, 0.0)[1]


def manager_with(profiles: list[ResourceProfile], placement: str = "first-fit") -> SlotManager:
    """A SlotManager with free slots of these profiles."""
    manager = SlotManager(SlotManagerSettings(placement, start_up_time_s=WITHIN_GRACE), 0.0)
    for arrival in arrivals(profiles):
        arrive(manager, arrival)
    return manager


def requests_of(profiles: list[ResourceProfile], first: int = 0) -> list[SlotRequest]:
    """One request for each, of a hundred jobs."""
    return [
        SlotRequest(
            AllocationId(f"{number:032x}"),
            JobId(f"{number % 100:032x}"),
            profile,
            "host:1",
            1e5 + number,
        )
        for number, profile in enumerate(profiles, first)
    ]


def grant_all(manager: SlotManager, effects: list[SlotManagerEffect], now: float) -> None:
    """Play the executors: every question is answered with a grant."""
    for effect in effects:
        if type(effect) is AskExecutorForSlot:
            manager.slot_granted(effect.slot_id, effect.instance_id, effect.allocation_id, now)


def entries(profiles: list[ResourceProfile], prefix: str = "") -> list[Entry]:
    """The same for the twin."""
    return [
        Entry(f"{prefix}{number:032x}", profile.cpu_cores, profile.memory_mb)
        for number, profile in enumerate(profiles)
    ]


# --- fill: N free slots, N requests


def fill(family: str, count: int) -> float:
    """Grants per second of CPU time."""
    manager = manager_with(FAMILIES[family](count, 1))
    wanted = requests_of(FAMILIES[family](count, 2))

    def work() -> None:
        for request in wanted:
            grant_all(manager, manager.request_slot(request, 1.0)[1], 1.0)

    spent = cpu_time(work)
    return (count - manager.counts().requests) / spent


def twin_fill(family: str, count: int) -> float:
    """The same for the twin."""
    twin = NaiveTwin()
    for slot in entries(FAMILIES[family](count, 1), "s"):
        twin.add(slot)
    wanted = entries(FAMILIES[family](count, 2))

    def work() -> None:
        for request in wanted:
            twin.request(request)

    spent = cpu_time(work)
    return len(twin.allocated) / spent


# --- drain: B requests wait, slots arrive


def drain(family: str, waiting: int, slots: int) -> float:
    """Grants per second of CPU time."""
    manager = manager_with([])
    for request in requests_of(FAMILIES[family](waiting, 1)):
        manager.request_slot(request, 1.0)
    arriving = arrivals(FAMILIES[family](slots, 2))

    def work() -> None:
        for arrival in arriving:
            grant_all(manager, arrive(manager, arrival), 1.0)

    spent = cpu_time(work)
    return (waiting - manager.counts().requests) / spent


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


# --- churn and blocked: slots are freed and serve whoever is next


class Busy:
    """A SlotManager whose slots are all in use, and who has which."""

    def __init__(self, manager: SlotManager) -> None:
        self.manager = manager
        self.slots: list[tuple[SlotId, InstanceId]] = []
        self.holders: dict[SlotId, AllocationId] = {}

    def request(self, request: SlotRequest) -> None:
        """One more request."""
        self.take(self.manager.request_slot(request, 2.0)[1])

    def release(self, number: int) -> None:
        """Free a slot that is in use, going round."""
        slot_id, instance_id = self.slots[number % len(self.slots)]
        holder = self.holders.pop(slot_id, None)
        if holder is not None:
            self.take(self.manager.slot_available(slot_id, instance_id, holder, 2.0))

    def take(self, effects: list[SlotManagerEffect]) -> None:
        """Grant what is asked for."""
        for effect in effects:
            if type(effect) is AskExecutorForSlot:
                slot_id, allocation_id = effect.slot_id, effect.allocation_id
                self.holders[slot_id] = allocation_id
                self.manager.slot_granted(slot_id, effect.instance_id, allocation_id, 2.0)


def busy(profiles: list[ResourceProfile]) -> Busy:
    """A SlotManager with slots of these profiles, each used by a request of its own profile."""
    busy = Busy(manager_with([]))
    for number, arrival in enumerate(arrivals(profiles)):
        wanted = [slot.profile for slot in arrival.slots]
        for request in requests_of(wanted, 10_000_000 + number * SLOTS_OF_AN_EXECUTOR):
            busy.request(request)
        for effect in (effects := arrive(busy.manager, arrival)):
            if type(effect) is AskExecutorForSlot:
                busy.slots.append((effect.slot_id, effect.instance_id))
        busy.take(effects)
    assert len(busy.holders) == len(profiles)
    return busy


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


def twin_busy(profiles: list[ResourceProfile]) -> tuple[NaiveTwin, list[str]]:
    """The twin with all slots in use; the slots' holders."""
    twin = NaiveTwin()
    slots = entries(profiles, "s")
    for request, slot in zip(entries(profiles, "h"), slots, strict=True):
        twin.allocated[request.key] = (request, slot)
    return twin, list(twin.allocated)


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


def huge(count: int) -> list[ResourceProfile]:
    """Requests that fit nowhere, in 50 profiles."""
    return [ResourceProfile(1e6 + number % 50, 1 << 40) for number in range(count)]


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


# --- pause and memory


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


# --- the rows

GRANTS = "grants per CPU s"


def rows(quick: bool) -> list[Row]:
    """The core's rows; ``quick`` with sizes that only show that they run."""
    sizes = [100] if quick else [100, 1_000, 10_000, 100_000]
    some = 100 if quick else 10_000
    many = 100 if quick else 100_000
    return [
        *(
            _fill(family, size)
            for family, size in itertools.product(("one", "nest", "uniq"), sizes)
        ),
        *(_drain(family, some) for family in ("one", "anti")),
        *(_churn(family, some) for family in ("one", "anti")),
        *(_blocked(size) for size in sizes[1:] or sizes),
        *(_miss(size) for size in sizes[1:] or sizes),
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


FILL_GOALS = {
    ("nest", 10_000): Goal(at_least=100_000, ratio_at_least=1.0),
    ("uniq", 10_000): Goal(ratio_at_least=2.0),
}


def _fill(family: str, size: int) -> Row:
    goal = FILL_GOALS.get((family, size), Goal(at_least=100_000))
    return Row(
        "core-fill",
        f"{short(size)} slots, {family}",
        (Metric(GRANTS, goal),),
        lambda: fill(family, size),
        (lambda: twin_fill(family, size)) if size <= 10_000 else None,
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
