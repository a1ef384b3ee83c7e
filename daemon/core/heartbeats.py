"""Who was heard of when, and who is lost: one monitor per role, the same on both ends."""

import math
from collections.abc import Hashable
from typing import Generic, TypeVar

from daemon.core.deadlines import Deadlines

K = TypeVar("K", bound=Hashable)


class HeartbeatMonitor(Generic[K]):
    """Targets with deadlines; times are monotonic seconds (section K).

    The end that only answers beats waits for ``next_loss`` and never asks what is due to be sent.
    """

    def __init__(self, interval_s: float, timeout_s: float) -> None:
        """Raises ValueError unless 0 < interval <= timeout (K10)."""
        if not (math.isfinite(interval_s) and interval_s > 0):
            raise ValueError(f"interval_s: expected a finite number > 0, got {interval_s!r}")
        if not (math.isfinite(timeout_s) and timeout_s >= interval_s):
            raise ValueError(
                f"timeout_s: expected a finite number >= interval_s ({interval_s!r}), "
                f"got {timeout_s!r}"
            )
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._last_beats: dict[K, float | None] = {}
        self._lost = Deadlines[K]()
        self._to_send = Deadlines[K]()

    def monitor(self, target: K, now: float) -> None:
        """Watch a target, the first beat to it due at once.

        One that is watched already keeps its deadline (K07): unmonitor first when a peer returns.
        """
        if target in self._last_beats:
            return
        self._last_beats[target] = None
        self._lost.set(target, now + self._timeout_s)
        self._to_send.set(target, now)

    def unmonitor(self, target: K) -> None:
        """Stop watching; unknown targets are ignored (K05)."""
        self._last_beats.pop(target, None)
        self._lost.discard(target)
        self._to_send.discard(target)

    def beat(self, target: K, now: float) -> bool:
        """A sign of life: re-arm the deadline (K02). False for unknown targets (K08)."""
        if target not in self._last_beats:
            return False
        self._last_beats[target] = now
        self._lost.set(target, now + self._timeout_s)
        return True

    def last_beat(self, target: K) -> float | None:
        """When it was last heard of; None if it is not watched or was not heard of yet (K06)."""
        return self._last_beats.get(target)

    def due_to_send(self, now: float) -> list[K]:
        """The targets that should be sent a beat now; each is due again one interval later."""
        due = self._to_send.pop_due(now)
        for target in due:
            self._to_send.set(target, now + self._interval_s)
        return due

    def expire(self, now: float) -> list[K]:
        """Remove and return the targets whose time is over (K03)."""
        lost = self._lost.pop_due(now)
        for target in lost:
            self.unmonitor(target)
        return lost

    @property
    def next_loss(self) -> float:
        """When ``expire`` has something to do: all that a side that sends no beats waits for."""
        return self._lost.next

    @property
    def next_deadline(self) -> float:
        """When ``expire`` or ``due_to_send`` has something to do; ``math.inf`` when never."""
        return min(self._lost.next, self._to_send.next)
