"""Pages with one pane that fills them: the map, or a list."""

from textual.app import ComposeResult

from tui.dashboard.pages.page import Page
from tui.dashboard.view.table import Table
from tui.dashboard.widgets.board import Board
from tui.dashboard.widgets.slot_map import SlotMap
from tui.dashboard.widgets.table import TablePane


class MapPage(Page):
    """The map of slots, full size."""

    def compose(self) -> ComposeResult:
        """The map."""
        yield SlotMap(self.board, id=f"{self.id}-map")


class ListPage(Page):
    """One table, full size."""

    def __init__(self, board: Board, table: Table, *, id: str) -> None:  # noqa: A002 - Textual's
        super().__init__(board, id=id)
        self.table = table

    def compose(self) -> ComposeResult:
        """The table."""
        yield TablePane(self.board, self.table, id=f"{self.id}-table")
