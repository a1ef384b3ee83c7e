"""Page 1: who has what, what waits and what happens, on one screen."""

from textual.app import ComposeResult
from textual.containers import Container

from tui.dashboard.pages.page import Page
from tui.dashboard.view.tables.events import EVENTS
from tui.dashboard.view.tables.executors import EXECUTORS
from tui.dashboard.view.tables.jobs import JOBS
from tui.dashboard.view.tables.pending import PENDING
from tui.dashboard.view.tables.slots import SLOTS
from tui.dashboard.widgets.slot_map import SlotMap
from tui.dashboard.widgets.table import TablePane


class Overview(Page):
    """One column in a small terminal (map, pending, events), two and the rest in a larger one."""

    def compose(self) -> ComposeResult:
        """Left what there is, right what is wanted, below what happens."""
        board = self.board
        with Container(classes="columns"):
            with Container(classes="column left"):
                yield SlotMap(board, id="overview-map")
                yield TablePane(board, SLOTS, id="overview-slots")
            with Container(classes="column right"):
                yield TablePane(board, PENDING, id="overview-pending")
                yield TablePane(board, JOBS, id="overview-jobs")
                yield TablePane(board, EXECUTORS, id="overview-executors")
        yield TablePane(board, EVENTS, id="overview-events")
