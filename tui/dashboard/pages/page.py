"""A page: panes over the store that are brought up to date only while they are looked at."""

from collections.abc import Iterator

from textual.containers import Container

from protocol.ids import AllocationId
from tui.dashboard.store.changes import Changes
from tui.dashboard.view.tables.pending import PENDING
from tui.dashboard.widgets.board import Board
from tui.dashboard.widgets.pane import Pane
from tui.dashboard.widgets.slot_map import SlotMap
from tui.dashboard.widgets.table import TablePane


class Page(Container):
    """Holds panes; the app flushes the page that is shown, and all of it when it comes back."""

    def __init__(self, board: Board, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.board = board

    def panes(self) -> Iterator[Pane]:
        """The panes that are shown, in the order of the screen."""
        return (pane for pane in self.query(Pane) if pane.display)

    def flush(self, changes: Changes) -> None:
        """Show what changed."""
        for pane in self.panes():
            pane.flush(changes)

    def tick(self) -> None:
        """A second has passed."""
        for pane in self.panes():
            if isinstance(pane, TablePane | SlotMap):
                pane.tick()

    def main_pane(self) -> Pane | None:
        """The pane that has the focus, else the first one."""
        panes = list(self.panes())
        return next((pane for pane in panes if pane.has_focus), panes[0] if panes else None)

    def table_to_filter(self) -> TablePane | None:
        """The table that has the focus, else the first one."""
        tables = [pane for pane in self.panes() if isinstance(pane, TablePane)]
        return next((table for table in tables if table.has_focus), tables[0] if tables else None)

    def pending(self) -> TablePane | None:
        """The table of pending requests, if this page shows one."""
        tables = (pane for pane in self.panes() if isinstance(pane, TablePane))
        return next((table for table in tables if table.table is PENDING), None)

    def waiting_in_sight(self) -> list[AllocationId]:
        """The requests whose rows are seen."""
        pending = self.pending()
        keys = [] if pending is None else pending.visible_keys()
        return [AllocationId(str(key)) for key in keys]
