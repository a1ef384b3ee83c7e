"""Finds the first fitting item when nearly every profile is different, so that lanes do not help.

Items lie in order of their serials in blocks of a few dozen. A block knows the best that any of its
items offers: in cores, in memory, and in both together. Most blocks are skipped after one look.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import Generic, TypeVar

from protocol.resources import ResourceProfile

T = TypeVar("T")

HALF = 16
"""Items of a block after it was split; it is split when it has twice as many."""


class Blocks(Generic[T]):
    """Items by serial, with amounts of which the larger is the better.

    ``sign`` is 1 for what offers amounts and -1 for what needs them: there, the less is the better.
    ``both`` is cores plus memory, in units that make them alike: whoever has enough of each has
    enough of both, and who has much of one only is seen through.
    """

    def __init__(
        self,
        fits: Callable[[ResourceProfile, ResourceProfile], bool],
        sign: int,
        cores_per_mb: float,
    ) -> None:
        """``fits(item's profile, profile asked about)`` has the last word."""
        self._fits = fits
        self._sign = sign
        self._cores_per_mb = cores_per_mb
        self._firsts: list[int] = []
        self._cpu: list[float] = []
        self._memory: list[float] = []
        self._both: list[float] = []
        self._blocks: list[_Block[T]] = []

    def _amounts(self, profile: ResourceProfile) -> tuple[float, float, float]:
        cpu, memory = self._sign * profile.cpu_cores, self._sign * profile.memory_mb
        return cpu, memory, cpu + memory * self._cores_per_mb

    def add(self, serial: int, profile: ResourceProfile, item: T) -> None:
        """Put an item in."""
        if not self._blocks:
            self._insert(0, _Block[T]())
        place = max(0, bisect_right(self._firsts, serial) - 1)
        block = self._blocks[place]
        block.insert(serial, self._amounts(profile), (profile, item))
        if len(block.serials) >= 2 * HALF:
            self._insert(place + 1, block.split())
            self._sum_up(place + 1)
        self._sum_up(place)

    def discard(self, serial: int) -> None:
        """Take an item out, which must be in."""
        place = bisect_right(self._firsts, serial) - 1
        block = self._blocks[place]
        block.delete(serial)
        if block.serials:
            self._sum_up(place)
        else:
            for row in (self._firsts, self._cpu, self._memory, self._both, self._blocks):
                del row[place]

    def first(self, asked: ResourceProfile) -> T | None:
        """The item with the lowest serial that fits; None when there is none."""
        cpu, memory, both = self._amounts(asked)
        most_cpu, most_memory = self._cpu, self._memory
        for place, most_of_both in enumerate(self._both):
            if most_of_both >= both and most_cpu[place] >= cpu and most_memory[place] >= memory:
                block = self._blocks[place]
                for at, offered in enumerate(block.cpu):
                    if offered >= cpu and block.memory[at] >= memory:
                        profile, item = block.items[at]
                        if self._fits(profile, asked):
                            return item
        return None

    def _insert(self, place: int, block: "_Block[T]") -> None:
        self._blocks.insert(place, block)
        self._firsts.insert(place, 0)
        for row in (self._cpu, self._memory, self._both):
            row.insert(place, 0.0)

    def _sum_up(self, place: int) -> None:
        block = self._blocks[place]
        self._firsts[place] = block.serials[0]
        self._cpu[place] = max(block.cpu)
        self._memory[place] = max(block.memory)
        self._both[place] = max(block.both)


class _Block(Generic[T]):
    """Parallel lists, in order of the serials."""

    __slots__ = ("both", "cpu", "items", "memory", "serials")

    def __init__(self) -> None:
        self.serials: list[int] = []
        self.cpu: list[float] = []
        self.memory: list[float] = []
        self.both: list[float] = []
        self.items: list[tuple[ResourceProfile, T]] = []

    def insert(
        self, serial: int, amounts: tuple[float, float, float], item: tuple[ResourceProfile, T]
    ) -> None:
        at = bisect_left(self.serials, serial)
        self.serials.insert(at, serial)
        for row, amount in zip((self.cpu, self.memory, self.both), amounts, strict=True):
            row.insert(at, amount)
        self.items.insert(at, item)

    def delete(self, serial: int) -> None:
        at = bisect_left(self.serials, serial)
        del self.serials[at], self.cpu[at], self.memory[at], self.both[at], self.items[at]

    def split(self) -> "_Block[T]":
        """Give the second half away."""
        other = _Block[T]()
        other.serials, self.serials = self.serials[HALF:], self.serials[:HALF]
        other.cpu, self.cpu = self.cpu[HALF:], self.cpu[:HALF]
        other.memory, self.memory = self.memory[HALF:], self.memory[:HALF]
        other.both, self.both = self.both[HALF:], self.both[:HALF]
        other.items, self.items = self.items[HALF:], self.items[:HALF]
        return other
