"""Finds the first item whose profile fits another profile, in the number of distinct profiles.

Free slots and waiting requests lie in lanes, one lane per profile, each in its own order. A bit
mask says which lanes are not empty; for every profile that was asked about, another says which fit.
Both sides of the matching are this one structure, with ``fits`` turned round.
"""

import math
from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush, nlargest, nsmallest
from operator import itemgetter
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import attrs

from protocol.resources import ResourceProfile


class Item(Protocol):
    """What can lie in a lane: ``serial`` is its place in the order among equals."""

    @property
    def serial(self) -> int:
        """Lower is earlier; unique."""
        ...

    @property
    def profile(self) -> ResourceProfile:
        """What the slot has or the request needs."""
        ...


T = TypeVar("T", bound=Item)

Key: TypeAlias = tuple[float, int, Any]
"""The order between lanes: rank, then serial; the lane itself is last and never compared."""


class Lane(Generic[T]):
    """The items of one profile, lowest serial first. Removal is lazy: the heap may hold ghosts.

    ``rank`` comes before the serial when lanes are compared: lower is better.
    """

    __slots__ = ("_heap", "_none", "items", "position", "profile", "rank")

    def __init__(self, profile: ResourceProfile, position: int) -> None:
        self.profile = profile
        self.rank = 0.0
        self.items: dict[int, T] = {}
        self._heap: list[int] = []
        self.move(position)

    def move(self, position: int) -> None:
        """Take a place among the lanes; no two have the same."""
        self.position = position
        self._none: Key = (math.inf, position, self)

    def add(self, item: T) -> None:
        """Put an item in; it must not be in."""
        serial = item.serial
        self.items[serial] = item
        heappush(self._heap, serial)

    def discard(self, item: T) -> bool:
        """Take an item out; False if it was not in."""
        if self.items.pop(item.serial, None) is None:
            return False
        heap, items = self._heap, self.items
        while heap and heap[0] not in items:
            heappop(heap)
        if len(heap) > 64 and len(heap) > 2 * len(items):
            self._heap = list(items)
            heapify(self._heap)
        return True

    def first(self) -> T:
        """The item that is next in order; the lane must not be empty."""
        return self.items[self._heap[0]]

    def oldest(self, count: int) -> list[T]:
        """The first ``count`` items in order."""
        return [self.items[serial] for serial in nsmallest(count, self.items)]

    def newest(self, count: int) -> list[T]:
        """The last ``count`` items, the last one first."""
        return [self.items[serial] for serial in nlargest(count, self.items)]

    def place_of(self, item: T) -> int:
        """How many items are before this one."""
        return sum(map(item.serial.__gt__, self.items))

    def key(self) -> Key:
        """Where the lane stands among the others now."""
        return (self.rank, self._heap[0], self) if self.items else self._none


@attrs.define
class _View(Generic[T]):
    """Which lanes fit one profile: as a mask, and as a function that picks their keys."""

    mask: int
    keys_of: Callable[[list[Key]], Any]
    lanes_seen: int


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
        self._by_profile: dict[ResourceProfile, Lane[T]] = {}
        self._lanes: list[Lane[T]] = []
        self._keys: list[Key] = []
        self._filled = 0
        self._views: dict[ResourceProfile, _View[T]] = {}
        self._room = self.LIMIT
        self.size = 0

    def add(self, item: T) -> None:
        """Put an item in; it must not be in."""
        lane = self._by_profile.get(item.profile)
        if lane is None:
            lane = self._new_lane(item.profile)
        lane.add(item)
        self.size += 1
        self._keys[lane.position] = lane.key()
        self._filled |= 1 << lane.position

    def discard(self, item: T) -> bool:
        """Take an item out; False if it was not in."""
        lane = self._by_profile.get(item.profile)
        if lane is None or not lane.discard(item):
            return False
        self.size -= 1
        self._keys[lane.position] = lane.key()
        if not lane.items:
            self._filled &= ~(1 << lane.position)
        return True

    def first(self, asked: ResourceProfile) -> T | None:
        """The first item in order whose profile fits ``asked``; None when there is none."""
        view = self._views.get(asked)
        if view is None or view.lanes_seen != len(self._lanes):
            view = self._view(asked)
        if not view.mask & self._filled:
            return None
        lane: Lane[T] = min(view.keys_of(self._keys))[2]
        return lane.first()

    def refresh(self, lane: Lane[T]) -> None:
        """The order within a lane has changed."""
        self._keys[lane.position] = lane.key()

    def lane(self, profile: ResourceProfile) -> Lane[T] | None:
        """The lane of exactly this profile, if there is one."""
        return self._by_profile.get(profile)

    def filled(self) -> Iterator[Lane[T]]:
        """The lanes that are not empty."""
        return (lane for lane in self._lanes if lane.items)

    def fitting(self, asked: ResourceProfile) -> Iterator[Lane[T]]:
        """The lanes that are not empty and fit ``asked``."""
        return (lane for lane in self.filled() if self._fits(lane.profile, asked))

    def _new_lane(self, profile: ResourceProfile) -> Lane[T]:
        if len(self._lanes) >= self._room:
            self._drop_empty_lanes()
        lane = self._lane_type(profile, len(self._lanes))
        self._lanes.append(lane)
        self._by_profile[profile] = lane
        self._keys.append(lane.key())
        if self._rerank is not None and self._rerank(self._lanes):
            self._keys = [each.key() for each in self._lanes]
        return lane

    def _drop_empty_lanes(self) -> None:
        kept = list(self.filled())
        self._lanes = kept
        self._by_profile = {lane.profile: lane for lane in kept}
        for position, lane in enumerate(kept):
            lane.move(position)
        self._keys = [lane.key() for lane in kept]
        self._filled = (1 << len(kept)) - 1
        self._views.clear()
        self._room = max(self.LIMIT, 2 * len(kept))

    def _view(self, asked: ResourceProfile) -> _View[T]:
        view = self._views.get(asked)
        if view is None:
            if len(self._views) >= self.LIMIT:
                self._views.clear()
            view = self._views[asked] = _View(0, itemgetter(0, 0), 0)
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
