"""The app: news goes into the store, and at most ``fps`` times a second the page is brought up."""

import time
from collections.abc import Callable, Sequence
from typing import ClassVar, cast

from textual import events
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.timer import Timer

from protocol.ids import AllocationId
from protocol.snapshot import RequestView
from tui.dashboard.keys import EVERYWHERE, PAGES, SHOWN
from tui.dashboard.link.link import Link
from tui.dashboard.link.news import EventsCame, LinkNews, SnapshotTaken
from tui.dashboard.pages.book import make_page
from tui.dashboard.pages.page import Page
from tui.dashboard.screens.help import help_lines
from tui.dashboard.screens.sheet import Sheet
from tui.dashboard.store.asking import Asking
from tui.dashboard.store.backlog import Backlog
from tui.dashboard.store.changes import Changes
from tui.dashboard.store.store import Store
from tui.dashboard.view.bar import Pause
from tui.dashboard.view.explanation import explanation_lines
from tui.dashboard.view.glyphs import ASCII, UNICODE, Glyphs
from tui.dashboard.view.phrase import Phrase, Role
from tui.dashboard.widgets.board import Board
from tui.dashboard.widgets.filter_line import FilterLine
from tui.dashboard.widgets.key_line import KeyLine
from tui.dashboard.widgets.line import Line
from tui.dashboard.widgets.top import Top

LEAST_WIDTH, LEAST_HEIGHT = 60, 15
SLOWEST_S = 1.0
"""However slow drawing is, and even when nobody looks, it is drawn this often."""
SHARE = 4.0
"""Drawing may take one part in so many of the time."""


class SlotTop(App[None]):
    """slottop. ``connect`` makes the link, given what takes its news; without it, nothing comes."""

    CSS_PATH = "dashboard.tcss"
    TITLE = "slottop"
    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = None
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 - as Textual has it
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012 - as Textual has it
    BINDINGS: ClassVar[list[BindingType]] = [*EVERYWHERE]

    def __init__(
        self,
        connect: Callable[[Callable[[Sequence[LinkNews]], None]], Link] | None = None,
        *,
        glyphs: Glyphs = UNICODE,
        fps: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        ticking: bool = True,
    ) -> None:
        super().__init__()
        self.animation_level = "none"
        self.store = Store()
        self.board = Board(self.store, glyphs, clock)
        self.link = None if connect is None else connect(self.ingest)
        self.flushes = 0
        self.page_name = PAGES[0]
        self._clock = clock
        self._frame_s = 1.0 / fps
        self._ticking = ticking
        self._asking = Asking()
        self._backlog: Backlog | None = None
        self._timer: Timer | None = None
        self._flushed_at = float("-inf")
        self._took = 0.0
        self._looked_at = True
        self._rate = 0.0
        self._rated = (clock(), 0)
        self._read: AllocationId | None = None
        """The request whose explanation is open."""

    def compose(self) -> ComposeResult:
        """The top lines, the page, the filter's input, the keys."""
        yield Top(self.board)
        yield Container(id="body")
        yield FilterLine()
        yield Line(id="tiny")
        yield KeyLine(SHOWN, self.run_action)

    async def on_mount(self) -> None:
        """Show the first page, then listen."""
        self.screen.set_class(self.board.glyphs is ASCII, "-ascii")
        await self.action_page(self.page_name)
        if self._ticking:
            self.set_interval(1.0, self.tick)
        if self.link is not None:
            self.run_worker(self.link.run(), group="link", exclusive=True)

    # From news to picture.

    def ingest(self, news: Sequence[LinkNews]) -> None:
        """Take news in; the picture follows with the next flush."""
        for piece in news:
            if self._backlog is not None and isinstance(piece, EventsCame | SnapshotTaken):
                self._backlog.hold(piece)
            else:
                self.store.apply(piece)
        self.request_flush()

    def request_flush(self) -> None:
        """Draw soon, but not more often than the frames allow."""
        if self._timer is None and self.is_running:
            frame = max(self._frame_s, SHARE * self._took)
            frame = min(frame, SLOWEST_S) if self._looked_at else SLOWEST_S
            wait = frame - (time.monotonic() - self._flushed_at)
            self._timer = self.set_timer(max(0.001, wait), self.flush)

    def flush(self) -> None:
        """Bring top lines and page up to date with the store."""
        self._timer = None
        began = time.monotonic()
        self._flushed_at = began
        changes = self.store.take_changes()
        self.flushes += 1
        self._show_top()
        if self._backlog is None or changes.link:
            self.page.flush(changes)
        self._renew_sheet()
        self._took = time.monotonic() - began

    def tick(self) -> None:
        """A second has passed: ages grow, countdowns fall, explanations are asked for."""
        now = self._clock()
        since, seen = self._rated
        total = self.store.events_seen
        if now > since:
            self._rate, self._rated = (total - seen) / (now - since), (now, total)
        self._show_top()
        if self._backlog is None:
            if not self.board.old:
                self.page.tick()
            self._ask()
        self._renew_sheet()

    @property
    def page(self) -> Page:
        """The page that is shown."""
        return self.screen_stack[0].query_one(f"#{self.page_name}", Page)

    def _show_top(self) -> None:
        pause = None
        if self._backlog is not None and self.board.paused_at is not None:
            pause = Pause(self.board.paused_at, self._backlog.changes)
        self.screen_stack[0].query_one(Top).show(self._rate, pause)

    def _ask(self) -> None:
        if self.link is None or self.board.old:
            return
        seen = self.page.waiting_in_sight()
        for request in self._asking.next(self.store, self._read, seen, self._clock()):
            self.link.explain(request.job_id, request.allocation_id)

    def _renew_sheet(self) -> None:
        if isinstance(self.screen, Sheet):
            self.screen.renew()

    # What a person does.

    async def action_page(self, name: str) -> None:
        """Show a page; it is made when it is wanted for the first time."""
        body = self.screen_stack[0].query_one("#body")
        if not body.query(f"#{name}"):
            await body.mount(make_page(name, self.board))
        self.page_name = name
        for page in body.query(Page):
            page.set_class(page.id == name, "-shown")
        self.page.flush(Changes.all())  # so that the next key finds rows and a cursor
        self._focus_page()
        self.call_after_refresh(self._page_is_shown)

    async def action_next_page(self) -> None:
        """Show the next page; after the last, the first."""
        await self.action_page(PAGES[(PAGES.index(self.page_name) + 1) % len(PAGES)])

    def action_sort(self) -> None:
        """Sort the table that has the focus, or the first one, by its next column."""
        table = self.page.table_to_filter()
        if table is not None:
            table.action_sort()

    def _page_is_shown(self) -> None:
        self._show_top()
        self.page.flush(Changes.all())
        self._focus_page()

    def _focus_page(self) -> None:
        """Give a pane of this page the focus, also while a sheet is open over it."""
        pane = self.page.main_pane()
        if pane is not None:
            self.screen_stack[0].set_focus(pane)

    def action_pause(self) -> None:
        """Let the picture stand still, or go on with the newest."""
        if self._backlog is None:
            self._backlog = Backlog()
            self.board.paused_at = self.board.at()
        else:
            backlog, self._backlog = self._backlog, None
            self.board.paused_at = None
            for piece in backlog.release():
                self.store.apply(piece)
            if backlog.overflowed and self.link is not None:
                self.link.resync("too much happened during the pause")
            self.store.changes.everything = True
        self.request_flush()

    def action_reconnect(self) -> None:
        """Dial now."""
        if self.link is not None:
            self.link.retry_now()

    def action_explain(self) -> None:
        """Open the explanation of the selected request."""
        pending = self.page.pending()
        row = None if pending is None else cast("RequestView | None", pending.cursor_row)
        if row is not None:
            self._read = row.allocation_id
            self._ask()
        self._open("why it waits", self._explanation)

    def _explanation(self) -> list[Phrase]:
        if self._read is None:
            return [[("No pending request is selected here; page 4 lists them.", Role.PLAIN)]]
        return explanation_lines(self.board.look(), self._read, self._clock())

    def action_help(self) -> None:
        """Open the list of keys."""
        lines = help_lines(self.screen.active_bindings)
        self._open("keys", lambda: lines)

    def _open(self, title: str, lines: Callable[[], Sequence[Phrase]]) -> None:
        if not isinstance(self.screen, Sheet):
            sheet = Sheet(title, lines)
            sheet.set_class(self.board.glyphs is ASCII, "-ascii")
            self.push_screen(sheet, self._sheet_closed)

    def _sheet_closed(self, _: None) -> None:
        self._read = None

    def action_filter(self) -> None:
        """Open the line in which a filter is typed."""
        table = self.page.table_to_filter()
        if table is not None:
            self.query_one(FilterLine).open_for(table)

    # What the terminal does.

    def on_resize(self, event: events.Resize) -> None:
        """A terminal too small gets a word instead of a broken picture."""
        width, height = event.size
        tiny = width < LEAST_WIDTH or height < LEAST_HEIGHT
        self.screen_stack[0].set_class(tiny, "-tiny")
        words = f"{LEAST_WIDTH}x{LEAST_HEIGHT} needed, have {width}x{height}"
        self.query_one("#tiny", Line).show([(words, Role.STRONG)])
        self.call_after_refresh(self._resized)

    def _resized(self) -> None:
        self._show_top()
        if self.focused is None and not isinstance(self.screen, Sheet):
            self._focus_page()  # what had the focus may have been hidden

    def on_app_blur(self, event: events.AppBlur) -> None:
        """Nobody looks: draw less often."""
        self._looked_at = False

    def on_app_focus(self, event: events.AppFocus) -> None:
        """Somebody looks again."""
        self._looked_at = True
        self.request_flush()
