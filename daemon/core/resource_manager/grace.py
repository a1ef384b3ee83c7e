"""When a request that nothing can serve is given up, and until when it may wait (D37, G22)."""

import math

from daemon.core.deadlines import Deadlines
from daemon.core.resource_manager.explain import never
from daemon.core.resource_manager.ledger import Ledger
from protocol.resources import ResourceProfile


class Grace:
    """The start-up grace of the term, and one of the same length for every profile that departs.

    Executors need time to register after a change of leader, and one that is lost may come back:
    until then its profile counts as one that exists. A negative length never ends. ``end`` is that
    of the term's; ``doubtful``: whether there may be a request that nothing could ever serve.
    """

    def __init__(self, ledger: Ledger, length_s: float, now: float) -> None:
        self._ledger = ledger
        self._length_s = length_s if length_s >= 0 else math.inf
        self.end = now + self._length_s
        self._departed: Deadlines[ResourceProfile] = Deadlines()
        self.doubtful = True

    def depart(self, profiles: list[ResourceProfile], now: float) -> None:
        """Open slots of these profiles went away."""
        for profile in profiles:
            self._ledger.kinds.depart(profile)
            self._departed.set(profile, now + self._length_s)

    def doubt(self) -> None:
        """A request waits again, or less is possible than before: ``settle`` looks again."""
        self.doubtful = True

    def ends_in_s(self, now: float) -> float | None:
        """When the term's grace ends; None if it is over or never is."""
        return self.end - now if now < self.end < math.inf else None

    @property
    def next_deadline(self) -> float:
        """When a grace ends; ``math.inf`` when none runs."""
        return min(self._departed.next, self.end if self.doubtful else math.inf)

    def expire(self, now: float) -> None:
        """Forget the profiles whose executors did not come back."""
        for profile in self._departed.pop_due(now):
            self._ledger.kinds.forget(profile)
            self.doubtful = True

    def settle(self, budget: int) -> None:
        """Fail the waiting requests that nothing could ever serve, at most ``budget`` of them.

        Called after ``end`` while ``doubtful``. What is left is due at once: ``next_deadline`` is
        in the past then.
        """
        ledger = self._ledger
        for lane in list(ledger.waiting.filled()):
            if ledger.kinds.could_serve(lane.profile):
                continue
            error = never(ledger.kinds, lane.profile)
            for pending in lane.oldest(budget):
                ledger.fail(pending, error)
                budget -= 1
            if not budget:
                return
        self.doubtful = False
