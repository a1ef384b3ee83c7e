"""The three lines at the top of every page."""

from textual.app import ComposeResult
from textual.containers import Container

from tui.dashboard.view.bar import Pause, counts_line, leaders_line, link_line
from tui.dashboard.widgets.board import Board
from tui.dashboard.widgets.line import Line


class Top(Container):
    """The link, the leaders, the counts."""

    DEFAULT_CSS = "Top { height: 3; layout: vertical; }"

    def __init__(self, board: Board) -> None:
        super().__init__(id="top")
        self._board = board

    def compose(self) -> ComposeResult:
        """Three lines."""
        yield Line(id="link")
        yield Line(id="leaders")
        yield Line(id="counts")

    def show(self, rate: float, pause: Pause | None) -> None:
        """Say how it is now; ``rate`` in changes a second."""
        board, width = self._board, self.size.width
        store, glyphs, now = board.store, board.glyphs, board.clock()
        line = link_line(store, now, width, glyphs, rate, pause)
        self.query_one("#link", Line).show(line)
        leaders = leaders_line(store, board.at(), width, glyphs)
        self.query_one("#leaders", Line).show(leaders, old=board.old)
        counts = counts_line(store, width, glyphs)
        self.query_one("#counts", Line).show(counts, old=board.old)
