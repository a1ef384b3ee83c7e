"""News that waits while the picture stands still; bounded."""

from collections.abc import Sequence

import attrs

from tui.dashboard.link.news import EventsCame, LinkNews, SnapshotTaken

MOST_EVENTS = 50_000


@attrs.define
class Backlog:
    """Holds what changes the picture, in order; a snapshot replaces all before it."""

    changes: int = 0
    """How many events happened since the picture stands still."""
    overflowed: bool = False
    """There was too much: what is held leads nowhere, a new snapshot must be taken."""
    _held: list[LinkNews] = attrs.field(factory=list[LinkNews])
    _events_held: int = 0

    def hold(self, news: EventsCame | SnapshotTaken) -> None:
        """Keep ``news`` for later."""
        if isinstance(news, SnapshotTaken):
            self._held, self._events_held = [news], 0
            self.overflowed = False
            return
        self.changes += len(news.events)
        self._events_held += len(news.events)
        if self._events_held > MOST_EVENTS:
            self._held, self._events_held = [], 0
            self.overflowed = True
        elif not self.overflowed:
            self._held.append(news)

    def release(self) -> Sequence[LinkNews]:
        """All that was held, in order; nothing when it overflowed."""
        held, self._held, self._events_held, self.changes = self._held, [], 0, 0
        return held
