"""Finds the first item whose profile fits another profile, in the number of distinct profiles.

Free slots and waiting requests lie in lanes, one lane per profile, each in its own order. A bit
mask says which lanes are not empty; for every profile that was asked about, another says which fit.
Both sides of the matching are this one structure, with ``fits`` turned round.
"""

from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush, nlargest, nsmallest
from operator import itemgetter
from typing import Any, Generic, Protocol, TypeVar

import attrs

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

    __slots__ = ("_heap", "bit", "count", "items", "position", "profile", "rank")

    def __init__(self, profile: ResourceProfile, items: dict[int, T]) -> None:
        """``items``: of all lanes, by serial; the Lanes keep them."""
        self.profile = profile
        self.items = items
        self.count = 0
        self.rank = 0
        self.position = -1
        self.bit = 0
        self._heap: list[int] = []

    def move(self, position: int) -> None:
        """Take a place among the lanes; -1: it is none of them any more."""
        self.position = position
        self.bit = 1 << position if position >= 0 else 0

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


@attrs.define
class _View:
    """Which lanes fit one profile: as a mask, and as a function that picks their keys."""

    mask: int = 0
    keys_of: Callable[[list[int]], Any] = itemgetter(0, 0)
    lanes_seen: int = 0


class Lanes(Generic[T]):
    """Lanes by profile; empty ones are dropped when they are many, so that nothing leaks."""

    LIMIT = 1024
    """Empty lanes and views that are kept for later, each."""

    def __init__(
        self,
        fits: Callable[[ResourceProfile, ResourceProfile], bool],
        lane_type: type[Lane[T]],
        rerank: "Callable[[list[Lane[T]]], bool] | None" = None,
    ) -> None:
        """``fits(lane's profile, profile asked about)``; ``rerank`` sets the ranks of the lanes.

        ``rerank`` is called with every lane when there is a new one, which is the last; it tells
        whether it changed the rank of another.
        """
        self._fits = fits
        self._lane_type = lane_type
        self._rerank = rerank
        self._items: dict[int, T] = {}
        self._by_profile: dict[ResourceProfile, Lane[T]] = {}
        self._lanes: list[Lane[T]] = []
        self._keys: list[int] = []
        self._filled = 0
        self._views: dict[ResourceProfile, _View] = {}
        self._room = self.LIMIT

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, item: T) -> bool:
        return item.serial in self._items

    def add(self, item: T) -> None:
        """Put an item in; it must not be in."""
        lane = item.lane
        if lane is None or lane.position < 0:
            lane = item.lane = self._lane_of(item.profile)
        self._items[item.serial] = item
        self._keys[lane.position] = lane.add(item)
        if lane.count == 1:
            self._filled |= lane.bit

    def discard(self, item: T) -> bool:
        """Take an item out; False if it was not in."""
        if self._items.pop(item.serial, None) is None:
            return False
        lane = item.lane
        assert lane is not None
        self._keys[lane.position] = lane.drop()
        if not lane.count:
            self._filled ^= lane.bit
        return True

    def first(self, asked: ResourceProfile) -> T | None:
        """The first item in order whose profile fits ``asked``; None when there is none."""
        view = self._views.get(asked)
        if view is None or view.lanes_seen != len(self._lanes):
            view = self._view(asked)
        live = view.mask & self._filled
        if not live:
            return None
        if live & (live - 1):
            key: int = min(view.keys_of(self._keys))
        else:
            key = self._keys[live.bit_length() - 1]
        return self._items[key & SERIALS]

    def take(self, asked: ResourceProfile) -> T | None:
        """Take the first item out whose profile fits ``asked``; None when there is none."""
        item = self.first(asked)
        if item is not None:
            self.discard(item)
        return item

    def refresh(self, lane: Lane[T]) -> None:
        """The order within a lane has changed."""
        self._keys[lane.position] = lane.key()

    def lane(self, profile: ResourceProfile) -> Lane[T] | None:
        """The lane of exactly this profile, if there is one."""
        return self._by_profile.get(profile)

    def filled(self) -> Iterator[Lane[T]]:
        """The lanes that are not empty."""
        return (lane for lane in self._lanes if lane.count)

    def fitting(self, asked: ResourceProfile) -> Iterator[Lane[T]]:
        """The lanes that are not empty and fit ``asked``."""
        return (lane for lane in self.filled() if self._fits(lane.profile, asked))

    def _lane_of(self, profile: ResourceProfile) -> Lane[T]:
        lane = self._by_profile.get(profile)
        if lane is not None:
            return lane
        if len(self._lanes) >= self._room:
            self._drop_empty_lanes()
        lane = self._lane_type(profile, self._items)
        lane.move(len(self._lanes))
        self._lanes.append(lane)
        self._by_profile[profile] = lane
        self._keys.append(NOBODY)
        if self._rerank is not None and self._rerank(self._lanes):
            self._keys = [each.key() for each in self._lanes]
        return lane

    def _drop_empty_lanes(self) -> None:
        kept = list(self.filled())
        for lane in self._lanes:
            lane.move(-1)
        for position, lane in enumerate(kept):
            lane.move(position)
        self._lanes = kept
        self._by_profile = {lane.profile: lane for lane in kept}
        self._keys = [lane.key() for lane in kept]
        self._filled = (1 << len(kept)) - 1
        self._views.clear()
        self._room = max(self.LIMIT, 2 * len(kept))

    def _view(self, asked: ResourceProfile) -> _View:
        view = self._views.get(asked)
        if view is None:
            if len(self._views) >= self.LIMIT:
                self._views.clear()
            view = self._views[asked] = _View()
        old = view.mask
        for position in range(view.lanes_seen, len(self._lanes)):
            if self._fits(self._lanes[position].profile, asked):
                view.mask |= 1 << position
        view.lanes_seen = len(self._lanes)
        if view.mask != old:
            positions = [i for i in range(len(self._lanes)) if view.mask >> i & 1]
            # The first one twice: itemgetter of a single index would not return a tuple.
            view.keys_of = itemgetter(*positions, positions[0])
        return view
