"""Absolute deadlines by key: every timeout of a core that outlives one await is a row in here."""

import heapq
import math
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

BUCKETS_PER_SECOND = 64


class Deadlines(Generic[K]):
    """Keys with the times at which they fall due; times are monotonic seconds.

    Setting a key again replaces its deadline, so nothing stale ever fires (D21, E19, E36). Keys lie
    in buckets of a fraction of a second: no change touches more than one bucket, so that a hundred
    thousand deadlines make nobody pause.
    """

    def __init__(self) -> None:
        self._live: dict[K, tuple[float, int]] = {}
        self._buckets: dict[int, dict[K, tuple[float, int]]] = {}
        self._heap: list[int] = []
        """The numbers of the buckets; some may be gone, or twice in it."""
        self._first: tuple[float, int] | None = None
        """The earliest row of the first bucket, if nothing has changed there."""
        self._serial = 0

    def set(self, key: K, at: float) -> None:
        """Let ``key`` fall due at ``at``; ``math.inf`` is never, NaN is an error."""
        assert not math.isnan(at), f"{key!r}: the deadline is not a number"
        if key in self._live:
            self.discard(key)
        self._serial += 1
        row = self._live[key] = (at, self._serial)
        if at == math.inf:
            return
        number = int(at * BUCKETS_PER_SECOND)
        bucket = self._buckets.get(number)
        if bucket is None:
            self._buckets[number] = {key: row}
            heapq.heappush(self._heap, number)
            if len(self._heap) > 64 and len(self._heap) > 4 * len(self._buckets):
                self._heap = list(self._buckets)
                heapq.heapify(self._heap)
        else:
            bucket[key] = row
        if self._first is not None and row < self._first:
            self._first = row

    def discard(self, key: K) -> None:
        """Forget ``key``; it may be unknown."""
        row = self._live.pop(key, None)
        if row is None or row[0] == math.inf:
            return
        number = int(row[0] * BUCKETS_PER_SECOND)
        bucket = self._buckets[number]
        del bucket[key]
        if not bucket:
            del self._buckets[number]
        if row == self._first:
            self._first = None

    def get(self, key: K) -> float | None:
        """When ``key`` falls due; None if it does not."""
        row = self._live.get(key)
        return row[0] if row else None

    @property
    def next(self) -> float:
        """When the earliest key falls due; ``math.inf`` when none does."""
        if self._first is None:
            bucket = self._first_bucket()
            if bucket is None:
                return math.inf
            self._first = min(bucket.values())
        return self._first[0]

    def pop_due(self, now: float, limit: float = math.inf) -> list[K]:
        """Remove and return the keys that are due at ``now``, earliest first, at most ``limit``."""
        due: list[K] = []
        while len(due) < limit and self.next <= now:
            bucket = self._first_bucket()
            assert bucket is not None
            for key, (at, _) in sorted(bucket.items(), key=_row):
                if at > now or len(due) >= limit:
                    break
                self.discard(key)
                due.append(key)
        return due

    def _first_bucket(self) -> dict[K, tuple[float, int]] | None:
        while self._heap:
            bucket = self._buckets.get(self._heap[0])
            if bucket is not None:
                return bucket
            heapq.heappop(self._heap)
        return None

    def __iter__(self) -> Iterator[K]:
        return iter(self._live)

    def __contains__(self, key: K) -> bool:
        return key in self._live

    def __len__(self) -> int:
        return len(self._live)


def _row(item: tuple[K, tuple[float, int]]) -> tuple[float, int]:
    return item[1]
