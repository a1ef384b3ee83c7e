"""Finds the first item whose profile fits another profile, in the number of distinct profiles.

Free slots and waiting requests lie in lanes, one lane per profile, each in its own order. A bit
mask says which lanes are not empty; for every profile that was asked about, another says which fit.
Both sides of the matching are this one structure, with ``fits`` turned round. When there are very
many profiles, lanes in order of serials are searched in blocks instead.
"""

from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Any, Generic, TypeVar

import attrs

from daemon.core.resource_manager.blocks import Blocks
from daemon.core.resource_manager.lane import NOBODY, SERIALS, Item, Lane
from protocol.resources import ResourceProfile

T = TypeVar("T", bound=Item)


@attrs.define
class _View:
    """Which lanes fit one profile: as a mask, and as a function that picks their keys."""

    mask: int = 0
    keys_of: Callable[[list[int]], Any] = itemgetter(0, 0)
    lanes_seen: int = 0


class Lanes(Generic[T]):
    """Lanes by profile; empty ones are dropped when they are many, so that nothing leaks."""

    SPARE = 128
    """Lanes that may be there, empty ones included, before empty ones are dropped."""
    VIEWS = 1024
    """Profiles asked about that are remembered."""
    FEW = 16
    """With no more lanes than this that are not empty, a new profile is compared with each."""
    MANY = 64
    """With more lanes than this that are not empty, blocks are searched."""

    def __init__(
        self,
        fits: Callable[[ResourceProfile, ResourceProfile], bool],
        lane_type: type[Lane[T]],
        sign: int,
        rerank: "Callable[[list[Lane[T]]], bool] | None" = None,
    ) -> None:
        """``fits(lane's profile, profile asked about)``; ``rerank`` sets the ranks of the lanes.

        ``sign``: see Blocks. ``rerank`` is called with every lane when there is a new one, which is
        the last; it tells whether it changed the rank of another.
        """
        self._fits = fits
        self._lane_type = lane_type
        self._sign = sign
        self._rerank = rerank
        self._by_serial = lane_type is Lane and rerank is None
        self._blocks: Blocks[T] | None = None
        self._live_lanes = 0
        self._items: dict[int, T] = {}
        self._by_profile: dict[ResourceProfile, Lane[T]] = {}
        self._lanes: list[Lane[T]] = []
        self._keys: list[int] = []
        self._filled = 0
        self._views: dict[ResourceProfile, _View | None] = {}
        """None for a profile that was asked about once."""
        self._room = self.SPARE

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
        if self._blocks is not None:
            self._blocks.add(item.serial, item.profile, item)
        if lane.count == 1:
            self._filled |= 1 << lane.position
            self._live_lanes += 1
            if self._live_lanes > self.MANY and self._blocks is None and self._by_serial:
                self._blocks = self._in_blocks()

    def discard(self, item: T) -> bool:
        """Take an item out; False if it was not in."""
        if self._items.pop(item.serial, None) is None:
            return False
        lane = item.lane
        assert lane is not None
        self._keys[lane.position] = lane.drop()
        if self._blocks is not None:
            self._blocks.discard(item.serial)
        if not lane.count:
            self._filled ^= 1 << lane.position
            self._live_lanes -= 1
            if self._live_lanes < self.MANY // 2:
                self._blocks = None
        return True

    def first(self, asked: ResourceProfile) -> T | None:
        """The first item in order whose profile fits ``asked``; None when there is none."""
        if self._blocks is not None:
            return self._blocks.first(asked)
        view = self._views.get(asked)
        if view is None or view.lanes_seen != len(self._lanes):
            if self._live_lanes <= self.FEW and asked not in self._views:
                return self._scan(asked)
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

    def _in_blocks(self) -> Blocks[T]:
        cores = sum(item.profile.cpu_cores for item in self._items.values())
        memory = sum(item.profile.memory_mb for item in self._items.values())
        blocks: Blocks[T] = Blocks(self._fits, self._sign, cores / memory if memory else 0.0)
        for serial in sorted(self._items):
            blocks.add(serial, self._items[serial].profile, self._items[serial])
        return blocks

    def _scan(self, asked: ResourceProfile) -> T | None:
        """Look at the few lanes that are not empty: the profile may never be asked about again."""
        if len(self._views) >= self.VIEWS:
            self._views.clear()
        self._views[asked] = None
        best, live = NOBODY, self._filled
        while live:
            position = live.bit_length() - 1
            live ^= 1 << position
            if self._keys[position] < best and self._fits(self._lanes[position].profile, asked):
                best = self._keys[position]
        return self._items[best & SERIALS] if best != NOBODY else None

    def _lane_of(self, profile: ResourceProfile) -> Lane[T]:
        lane = self._by_profile.get(profile)
        if lane is not None:
            return lane
        if len(self._lanes) >= self._room:
            self._drop_empty_lanes()
        lane = self._lane_type(profile, self._items)
        lane.position = len(self._lanes)
        self._lanes.append(lane)
        self._by_profile[profile] = lane
        self._keys.append(NOBODY)
        if self._rerank is not None and self._rerank(self._lanes):
            self._keys = [each.key() for each in self._lanes]
        return lane

    def _drop_empty_lanes(self) -> None:
        kept = list(self.filled())
        for lane in self._lanes:
            lane.position = -1
        for position, lane in enumerate(kept):
            lane.position = position
        self._lanes = kept
        self._by_profile = {lane.profile: lane for lane in kept}
        self._keys = [lane.key() for lane in kept]
        self._filled = (1 << len(kept)) - 1
        self._views.clear()
        self._room = max(self.SPARE, 2 * len(kept))

    def _view(self, asked: ResourceProfile) -> _View:
        view = self._views.get(asked)
        if view is None:
            if len(self._views) >= self.VIEWS:
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
