"""Which free slot serves a request: one row of a table per policy (A20, D28, D46)."""

from collections.abc import Callable
from heapq import heapify, heappop, heappush

import attrs

from daemon.core.resource_manager.inventory import Executor, Slot
from daemon.core.resource_manager.lane import NOBODY, SERIAL_BITS, Lane
from daemon.core.resource_manager.matching import Lanes
from protocol.resources import ResourceProfile

FULL = 1 << 20
"""The rank of an executor that is used up, among ranks that begin at 0."""


class _ByUtilisation(Lane[Slot]):
    """The free slots of one profile, by how much their executor is used, then by registration.

    An entry of an executor whose utilisation has changed since is stale; ``restate`` adds the new.
    """

    __slots__ = ("_entries", "_of_executor")

    def __init__(self, profile: ResourceProfile, items: dict[int, Slot]) -> None:
        super().__init__(profile, items)
        self._entries: list[tuple[int, int, int]] = []
        self._of_executor: dict[int, tuple[Executor, list[int]]] = {}

    def add(self, item: Slot) -> int:
        self.count += 1
        executor = item.executor
        row = self._of_executor.setdefault(executor.serial, (executor, []))
        heappush(row[1], item.serial)
        if len(row[1]) > 64 and len(row[1]) > 2 * len(executor.slots):
            row[1][:] = sorted({serial for serial in row[1] if serial in self.items})
        self.restate(executor)
        return self.key()

    def drop(self) -> int:
        self.count -= 1
        return self.key()

    def restate(self, executor: Executor) -> bool:
        """Note an executor's utilisation; False if it has no slot here."""
        if executor.serial not in self._of_executor:
            return False
        heappush(self._entries, self._entry(executor))
        if len(self._entries) > 64 and len(self._entries) > 4 * len(self._of_executor):
            self._entries = [self._entry(each) for each, _ in self._of_executor.values()]
            heapify(self._entries)
        return True

    def _entry(self, executor: Executor) -> tuple[int, int, int]:
        return (self._rank(executor.utilisation), executor.serial, executor.version)

    def _rank(self, utilisation: float) -> int:
        return int(utilisation * FULL)

    def key(self) -> int:
        if not self.count:
            self._entries.clear()
            self._of_executor.clear()
            return NOBODY
        while True:
            rank, serial, version = self._entries[0]
            row = self._of_executor.get(serial)
            if row is not None and row[0].version == version:
                heap = row[1]
                while heap and heap[0] not in self.items:
                    heappop(heap)
                if heap:
                    return rank << SERIAL_BITS | heap[0]
                del self._of_executor[serial]
            heappop(self._entries)

    def _serials(self) -> list[int]:
        rows = (heap for _, heap in self._of_executor.values())
        return list({serial for heap in rows for serial in heap if serial in self.items})


class _MostUsedFirst(_ByUtilisation):
    __slots__ = ()

    def _rank(self, utilisation: float) -> int:
        return FULL - int(utilisation * FULL)


def _restate(free: Lanes[Slot], executor: Executor) -> None:
    for profile in executor.kinds:
        lane = free.lane(profile)
        if isinstance(lane, _ByUtilisation) and lane.restate(executor):
            free.refresh(lane)


class _BySize:
    """Ranks lanes by the sum of their amounts, each as a part of the largest amount of its kind."""

    def __init__(self) -> None:
        self._largest: dict[str, float] = {}

    def __call__(self, lanes: list[Lane[Slot]]) -> bool:
        largest = self._largest
        new = lanes[-1]
        grown = [(name, a) for name, a in new.profile.amounts() if a > largest.get(name, 0.0)]
        largest.update(grown)
        for lane in lanes if grown else [new]:
            parts = (amount / largest[name] for name, amount in lane.profile.amounts() if amount)
            lane.rank = int(sum(parts) * FULL) << SERIAL_BITS
        return bool(grown)


@attrs.frozen
class Placement:
    """How free slots are kept.

    ``lane`` orders the slots of one profile; ``ranks`` makes what ranks the profiles (for Lanes it
    is ``rerank``); ``restate`` is called when an executor's utilisation has changed.
    """

    lane: type[Lane[Slot]]
    ranks: Callable[[], Callable[[list[Lane[Slot]]], bool]] | None = None
    restate: Callable[[Lanes[Slot], Executor], None] | None = None


PLACEMENTS: dict[str, Placement] = {
    "first-fit": Placement(Lane),
    "best-fit": Placement(Lane, _BySize),
    "spread": Placement(_ByUtilisation, restate=_restate),
    "pack": Placement(_MostUsedFirst, restate=_restate),
}
"""By the name in the configuration. Equals are taken in order of registration."""


def placement_called(name: str) -> Placement:
    """The policy of this name. Raises ValueError that lists the names that exist."""
    try:
        return PLACEMENTS[name]
    except KeyError:
        known = ", ".join(PLACEMENTS)
        raise ValueError(f"placement: expected one of {known}, got {name!r}") from None
