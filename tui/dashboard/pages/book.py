"""Which page stands under which name; the only place that knows them all."""

from tui.dashboard.pages.overview import Overview
from tui.dashboard.pages.page import Page
from tui.dashboard.pages.single import ListPage, MapPage
from tui.dashboard.view.tables.events import EVENTS
from tui.dashboard.view.tables.executors import EXECUTORS
from tui.dashboard.view.tables.jobs import JOBS
from tui.dashboard.view.tables.pending import PENDING
from tui.dashboard.view.tables.slots import SLOTS
from tui.dashboard.widgets.board import Board

LISTS = {
    "slots": SLOTS,
    "pending": PENDING,
    "jobs": JOBS,
    "executors": EXECUTORS,
    "events": EVENTS,
}


def make_page(name: str, board: Board) -> Page:
    """The page of this name, which is one of ``keys.PAGES``."""
    if name == "overview":
        return Overview(board, id=name)
    if name == "map":
        return MapPage(board, id=name)
    return ListPage(board, LISTS[name], id=name)
