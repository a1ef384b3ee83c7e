"""What every widget is given: the store to read, the glyphs, and the moment that is shown."""

from collections.abc import Callable

import attrs

from tui.dashboard.store.store import Store
from tui.dashboard.view.glyphs import Glyphs
from tui.dashboard.view.table import Look


@attrs.define
class Board:
    """Read by the widgets, written by the app alone. ``clock`` gives monotonic seconds."""

    store: Store
    glyphs: Glyphs
    clock: Callable[[], float]
    paused_at: float | None = None
    """The daemon's time since when the picture stands still."""

    def at(self) -> float:
        """The daemon's time at the moment that is shown."""
        if self.paused_at is not None:
            return self.paused_at
        return self.store.daemon_time(self.clock())

    def look(self) -> Look:
        """How tables look at the store now."""
        return Look(self.store, self.at(), self.glyphs.more)

    @property
    def old(self) -> bool:
        """Whether the picture may no longer be true."""
        return not self.store.status.is_current
