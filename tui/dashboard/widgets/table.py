"""A table of any length: it draws the rows that are seen; the cursor is a key, not a position."""

import contextlib
from collections.abc import Generator, Hashable, Mapping
from typing import Any, ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.strip import Strip

from tui.dashboard.store.changes import Changes
from tui.dashboard.view import words
from tui.dashboard.view.columns import MARGIN, columns_for
from tui.dashboard.view.listing import Listing
from tui.dashboard.view.phrase import Phrase, Role
from tui.dashboard.view.table import Cell, Column, Table
from tui.dashboard.widgets.board import Board
from tui.dashboard.widgets.drawing import draw, fit
from tui.dashboard.widgets.palette import CURSOR, CURSOR_ELSEWHERE
from tui.dashboard.widgets.pane import Pane, Picture

_GONE: tuple[Cell, ...] = ()
_CURSORS: tuple[Style | None, ...] = (None, CURSOR_ELSEWHERE, CURSOR)
_HERE = 2
"""The place in _CURSORS of a cursor in the pane that has the focus."""


class TablePane(Pane):
    """Shows a Table of the store, with a cursor, sorting and a filter by substring."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "sort", "sort", show=False, id="table.sort"),
        Binding("S", "reverse", "reverse", show=False, id="table.reverse"),
        Binding("escape", "clear_filter", "clear filter", show=False, id="table.clear-filter"),
    ]
    head = 2

    def __init__(self, board: Board, table: Table, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(board, id=id)
        self.table = table
        self.listing = Listing(table)
        self._moved = False
        """Whether rows stand elsewhere than they were drawn."""
        self._laid_out: tuple[int, list[tuple[Column, int]]] = (-1, [])
        if table.tail:
            self.head = 1

    # What the pane asks for.

    def body_lines(self) -> int:
        """One per row; one for the words that stand for none."""
        return max(1, len(self.listing.keys))

    def title(self) -> tuple[str, str]:
        """Name, numbers and filter; at the right what is sorted by."""
        if not self.board.store.known:
            return f"{self.table.name} {words.UNKNOWN_FACT}", ""
        total = len(self._rows())
        shown = words.count(len(self.listing.keys))
        number = f"{shown} of {words.count(total)}" if self.listing.filter else words.count(total)
        facts = [f"{self.table.name} {number}"]
        facts += [fact for fact in (self.table.summary(self.board.look()),) if fact]
        facts += [f"filter: {self.listing.filter}"] if self.listing.filter else []
        return "   ".join(facts), self._right_title()

    def head_phrase(self, y: int) -> Phrase:
        """The titles of the columns."""
        phrase: Phrase = [(" " * MARGIN, Role.DIM)]
        for column, width in self._columns():
            text = fit(column.title, width, "", right=column.right)
            phrase.append((f"{text} ", Role.STRONG if column is self.listing.sort else Role.DIM))
        return phrase

    def body_picture(self, index: int) -> Picture:
        """The row's cells, and whether the cursor is on it."""
        if not self.listing.keys:
            return (self._words_for_none(),)
        row = self._rows().get(self.listing.keys[index])
        look = self.board.look()
        cells = _GONE if row is None else self._cells(look, row)
        cursor = (
            (1 + self.has_focus)
            if index == self.listing.cursor and not self.listing.following
            else 0
        )
        return (cells, cursor)

    def draw_body(self, picture: Picture, base: Style, *, old: bool) -> Strip:
        """The row, each cell in the width of its column."""
        width, more = self.width, self.board.glyphs.more
        if len(picture) == 1:
            return draw([(fit(f"  {picture[0]}", width, more), Role.DIM)], width, base, old=old)
        cells: tuple[Cell, ...] = picture[0]
        cursor: int = picture[1]
        phrase: Phrase = [(cell.text[:1], cell.role) for cell in cells[:1]]
        phrase.append((">" if cursor == _HERE else " ", Role.STRONG))
        for cell, (column, room) in zip(cells[1:], self._columns(), strict=False):
            text = fit(cell.text, room, more, right=column.right)
            phrase.append((f"{text} ", cell.role))
        return draw(phrase, width, base, old=old, over=_CURSORS[cursor])

    def flush(self, changes: Changes) -> None:
        """Order rows when it is due; draw those that were touched."""
        self.rearrange(changes)
        touched = changes.touched[self.table.kind]
        around = any(map(changes.concerns, self.table.depends))
        if self._moved or around or changes.everything or changes.link:
            self._repaint_all()
        elif touched:
            seen = enumerate(self.visible_keys(), start=self.top)
            self.repaint_lines([index for index, key in seen if key in touched])

    def concerned(self, changes: Changes) -> bool:
        """Whether rows, or what their cells name, changed."""
        return changes.concerns(self.table.kind) or any(map(changes.concerns, self.table.depends))

    def rearrange(self, changes: Changes) -> None:
        """Order the rows again, at once or when it is due."""
        if changes.everything or self.concerned(changes):
            came_or_went = changes.everything or self.table.kind in changes.membership
            with self._in_sight():
                self._moved |= self.listing.changed(
                    self.board.look(), self.board.clock(), came_or_went=came_or_went
                )

    def tick(self) -> None:
        """A second has passed: ages grow, and an order that is due is made."""
        with self._in_sight():
            self._moved |= self.listing.catch_up(self.board.look(), self.board.clock())
        if self._moved or self.table.ticks:
            self._repaint_all()

    def follow_cursor(self) -> None:
        """Scroll so that the cursor is seen."""
        if self.listing.following:
            self.top = max(0, len(self.listing.keys) - self.room)
        elif self.room:
            cursor = self.listing.cursor
            self.top = max(min(self.top, cursor), cursor - self.room + 1)

    # What a person does.

    def set_filter(self, text: str) -> None:
        """Show the rows one of whose cells contains ``text``, in any case."""
        self.listing.filter = text
        self._order_now()

    def action_clear_filter(self) -> None:
        """Show all rows again."""
        self.set_filter("")

    def action_move(self, by: int) -> None:
        """Move the cursor by rows."""
        self.listing.move(by)
        self._show_cursor()

    def action_page(self, by: int) -> None:
        """Move the cursor by what is seen."""
        self.action_move(by * max(1, self.room - 1))

    def action_first(self) -> None:
        """To the first row."""
        self.listing.go(0)
        self._show_cursor()

    def action_last(self) -> None:
        """To the last row; a tail follows again."""
        self.listing.go(len(self.listing.keys) - 1)
        self._show_cursor()

    def action_sort(self) -> None:
        """Sort by the next column; after the last, in the table's own order again."""
        self.listing.sort_by_next([column for column, _ in self._columns()])
        self._order_now()

    def action_reverse(self) -> None:
        """Turn the order round."""
        self.listing.reverse = not self.listing.reverse
        self._order_now()

    def on_click(self, event: events.Click) -> None:
        """A row takes the cursor; a column's title sorts."""
        index = self.top + event.y - self.head
        if event.y >= self.head and index < len(self.listing.keys):
            self.listing.go(index)
            self._show_cursor()
        elif 0 < event.y < self.head:
            column = self._column_at(event.x)
            if column is not None:
                self.listing.sort_by(column)
                self._order_now()

    def scroll_lines(self, by: int) -> None:
        """Move what is seen; a tail stops following when it is left, and follows at its end."""
        super().scroll_lines(by)
        if self.table.tail:
            at_end = self.top >= len(self.listing.keys) - self.room
            if at_end:
                self.listing.go(len(self.listing.keys) - 1)
            else:
                self.listing.stop_following(self.top + self.room - 1)
            self.repaint()

    @property
    def cursor_row(self) -> Any:
        """What the cursor is on; None for nothing."""
        return self.listing.row(self.board.look())

    def visible_keys(self) -> list[Hashable]:
        """The keys of the rows that are seen."""
        return self.listing.keys[self.top : self.top + self.room]

    # How.

    def _rows(self) -> Mapping[Any, Any]:
        return self.table.rows(self.board.store)

    def _columns(self) -> list[tuple[Column, int]]:
        if self._laid_out[0] != self.width:
            self._laid_out = (self.width, columns_for(self.table, self.width))
        return self._laid_out[1]

    def _cells(self, look: Any, row: Any) -> tuple[Cell, ...]:
        cells = (column.cell(look, row) for column, _ in self._columns())
        return (self.table.severity(look, row), *cells)

    def _column_at(self, x: int) -> Column | None:
        edge = MARGIN
        for column, width in self._columns():
            edge += width + 1
            if x < edge:
                return column
        return None

    def _words_for_none(self) -> str:
        if not self.board.store.known:
            return "Nothing is known yet."
        if self.listing.filter:
            total = words.count(len(self._rows()))
            return f'0 of {total} match "{self.listing.filter}": escape shows all'
        return self.table.empty

    def _right_title(self) -> str:
        listing, glyphs = self.listing, self.board.glyphs
        if listing.sort is None and not listing.reverse:
            return ""
        by = "own order" if listing.sort is None else listing.sort.title
        return f"by {by} {glyphs.falling if listing.reverse else glyphs.rising}"

    @contextlib.contextmanager
    def _in_sight(self) -> Generator[None]:
        """Keep the cursor's row on its line of the screen while the order changes."""
        listing = self.listing
        keys, line = listing.keys, listing.cursor - self.top
        yield
        if keys is listing.keys:
            return
        if not listing.chosen:
            self.top = 0
        elif self.top and 0 <= line < self.room:
            self.top = max(0, listing.cursor - line)
        elif self.has_focus:
            self.follow_cursor()
        if listing.following:
            self.follow_cursor()

    def _order_now(self) -> None:
        self.listing.order(self.board.look(), self.board.clock())
        self._show_cursor()

    def _show_cursor(self) -> None:
        self.follow_cursor()
        self._repaint_all()

    def _repaint_all(self) -> None:
        self._moved = False
        self.repaint()
