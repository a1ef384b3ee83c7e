"""One lane: the items of one profile in their order, and one number that places it among others."""

from heapq import heapify, heappop, heappush, nlargest, nsmallest
from typing import Any, Generic, Protocol, TypeVar

from protocol.resources import ResourceProfile

SERIAL_BITS = 44
SERIALS = (1 << SERIAL_BITS) - 1
NOBODY = 1 << 200
"""The key of an empty lane: after every other."""


class Item(Protocol):
    """What can lie in a lane: ``serial`` is its place in the order among equals.

    ``lane`` belongs to the Lanes: where the item was last, so that its profile is not hashed again.
    """

    lane: "Lane[Any] | None"

    @property
    def serial(self) -> int:
        """Lower is earlier; unique."""
        ...

    @property
    def profile(self) -> ResourceProfile:
        """What the slot has or the request needs."""
        ...


T = TypeVar("T", bound=Item)


class Lane(Generic[T]):
    """The items of one profile, lowest serial first.

    A lane's key is one number, its rank followed by the serial of its first item, so that lanes are
    compared at once. Removal is lazy: the heap may hold serials that are not in ``items`` any more.
    """

    __slots__ = ("_heap", "count", "items", "position", "profile", "rank")

    def __init__(self, profile: ResourceProfile, items: dict[int, T]) -> None:
        """``items``: of all lanes, by serial; the Lanes keep them."""
        self.profile = profile
        self.items = items
        self.count = 0
        self.rank = 0
        self.position = -1
        """Its place among the lanes; -1 when it is none of them any more."""
        self._heap: list[int] = []

    def add(self, item: T) -> int:
        """An item came in; the new key."""
        self.count += 1
        heap = self._heap
        heappush(heap, item.serial)
        return self.rank | heap[0]

    def drop(self) -> int:
        """An item was taken out, of ``items`` too; the new key."""
        self.count = count = self.count - 1
        heap, items = self._heap, self.items
        if not count:
            heap.clear()
            return NOBODY
        while heap[0] not in items:
            heappop(heap)
        if len(heap) > 2 * count + 64:
            self._heap = heap = self._serials()
            heapify(heap)
        return self.rank | heap[0]

    def first(self) -> T:
        """The item that is next in order; the lane must not be empty."""
        return self.items[self.key() & SERIALS]

    def key(self) -> int:
        """Where the lane stands among the others now."""
        return self.rank | self._heap[0] if self.count else NOBODY

    def oldest(self, count: int) -> list[T]:
        """The first ``count`` items in order."""
        return [self.items[serial] for serial in nsmallest(count, self._serials())]

    def newest(self, count: int) -> list[T]:
        """The last ``count`` items, the last one first."""
        return [self.items[serial] for serial in nlargest(count, self._serials())]

    def place_of(self, item: T) -> int:
        """How many items are before this one."""
        return sum(map(item.serial.__gt__, self._serials()))

    def _serials(self) -> list[int]:
        return list({serial for serial in self._heap if serial in self.items})
