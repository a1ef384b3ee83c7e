"""Which explanations to ask for next: those that are looked at, few a second."""

from collections.abc import Iterable

import attrs

from protocol.ids import AllocationId
from protocol.snapshot import RequestState, RequestView
from tui.dashboard.store.store import Store

ASKED_AT_ONCE = 2
"""So many each time; the caller comes once a second."""
FRESH_S = 10.0
"""An explanation in a table is asked for again when it is this old."""
FRESH_IN_FOCUS_S = 0.9
"""The same for the one that a person reads."""


@attrs.define
class Asking:
    """Remembers when what was asked for, so that no answer is awaited twice."""

    _asked_at: dict[AllocationId, float] = attrs.field(factory=dict[AllocationId, float])

    def next(
        self,
        store: Store,
        read: AllocationId | None,
        seen: Iterable[AllocationId],
        now: float,
    ) -> list[RequestView]:
        """The requests to ask about now: the one that is ``read``, then those that are ``seen``.

        Those that were never asked about come first. ``now`` is monotonic seconds.
        """
        requests = store.cluster.requests
        self._asked_at = {k: at for k, at in self._asked_at.items() if k in requests}
        chosen: list[RequestView] = []
        if read is not None and self._waited(read, now) >= FRESH_IN_FOCUS_S:
            chosen += [requests[read]] if read in requests else []
        waiting = [
            key
            for key in seen
            if key in requests
            and requests[key].state is RequestState.PENDING
            and key != read
            and self._waited(key, now) >= FRESH_S
        ]
        waiting.sort(key=lambda key: -self._waited(key, now))
        chosen += [requests[key] for key in waiting][: ASKED_AT_ONCE - len(chosen)]
        for request in chosen:
            self._asked_at[request.allocation_id] = now
        return chosen

    def _waited(self, key: AllocationId, now: float) -> float:
        return now - self._asked_at.get(key, float("-inf"))
