"""Absolute deadlines by key: every timeout of a core that outlives one await is a row in here."""

import heapq
import math
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Deadlines(Generic[K]):
    """A heap of (time, key) with lazy removal; times are monotonic seconds.

    Setting a key again replaces its deadline, so nothing stale ever fires (D21, E19, E36).
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, K]] = []
        self._live: dict[K, tuple[float, int]] = {}
        self._serial = 0

    def set(self, key: K, at: float) -> None:
        """Let ``key`` fall due at ``at``; ``math.inf`` is never, NaN is an error."""
        assert not math.isnan(at), f"{key!r}: the deadline is not a number"
        self._serial += 1
        self._live[key] = (at, self._serial)
        heapq.heappush(self._heap, (at, self._serial, key))
        if len(self._heap) > 64 and len(self._heap) > 4 * len(self._live):
            self._compact()

    def discard(self, key: K) -> None:
        """Forget ``key``; it may be unknown."""
        self._live.pop(key, None)

    def get(self, key: K) -> float | None:
        """When ``key`` falls due; None if it does not."""
        row = self._live.get(key)
        return row[0] if row else None

    @property
    def next(self) -> float:
        """When the earliest key falls due; ``math.inf`` when none does."""
        while self._heap:
            at, serial, key = self._heap[0]
            if self._live.get(key) == (at, serial):
                return at
            heapq.heappop(self._heap)
        return math.inf

    def pop_due(self, now: float, limit: float = math.inf) -> list[K]:
        """Remove and return the keys that are due at ``now``, earliest first, at most ``limit``."""
        due: list[K] = []
        while len(due) < limit and self.next <= now:
            _, _, key = heapq.heappop(self._heap)
            del self._live[key]
            due.append(key)
        return due

    def _compact(self) -> None:
        self._heap = [(at, serial, key) for key, (at, serial) in self._live.items()]
        heapq.heapify(self._heap)

    def __iter__(self) -> Iterator[K]:
        return iter(self._live)

    def __contains__(self, key: K) -> bool:
        return key in self._live

    def __len__(self) -> int:
        return len(self._live)
