"""Who was heard of when, and who is lost: one monitor per role, the same on both ends."""

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class HeartbeatMonitor(Generic[K]):
    """Targets with deadlines; times are monotonic seconds (section K)."""

    def __init__(self, interval_s: float, timeout_s: float) -> None:
        """Raises ValueError unless 0 < interval <= timeout (K10)."""
        raise NotImplementedError

    def monitor(self, target: K, now: float) -> None:
        """Watch a target; one that is watched already keeps its deadline (K07)."""
        raise NotImplementedError

    def unmonitor(self, target: K) -> None:
        """Stop watching; unknown targets are ignored (K05)."""
        raise NotImplementedError

    def beat(self, target: K, now: float) -> bool:
        """A sign of life: re-arm the deadline (K02). False, and nothing changes, if unknown (K08)."""
        raise NotImplementedError

    def last_beat(self, target: K) -> float | None:
        """When it was last heard of; None if it is not watched or was not heard of yet (K06)."""
        raise NotImplementedError

    def due_to_send(self, now: float) -> list[K]:
        """The targets that should be sent a beat now; each is due again one interval later."""
        raise NotImplementedError

    def expire(self, now: float) -> list[K]:
        """Remove and return the targets whose time is over (K03)."""
        raise NotImplementedError

    @property
    def next_deadline(self) -> float:
        """When ``expire`` or ``due_to_send`` has something to do; ``math.inf`` when never."""
        raise NotImplementedError
