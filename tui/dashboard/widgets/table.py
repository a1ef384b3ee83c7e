"""A table of any length: it draws the rows that are seen; the cursor is a key, not a position."""

from collections.abc import Hashable, Mapping
from typing import Any, ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.strip import Strip

from tui.dashboard.store.changes import Changes
from tui.dashboard.view import words
from tui.dashboard.view.phrase import Phrase, Role
from tui.dashboard.view.table import Cell, Column, Table
from tui.dashboard.widgets.board import Board
from tui.dashboard.widgets.drawing import draw, fit
from tui.dashboard.widgets.palette import CURSOR, CURSOR_ELSEWHERE
from tui.dashboard.widgets.pane import Pane, Picture

REORDER_S = 1.0
"""The order changes at most this often, unless rows came or went."""
QUICK_ROWS = 2_000
"""Up to so many rows are put in order at once whenever rows came or went."""
MARGIN = 2
"""The cells before the first column: how bad it is, and the cursor."""
_GONE: tuple[Cell, ...] = ()
_CURSORS: tuple[Style | None, ...] = (None, CURSOR_ELSEWHERE, CURSOR)
_HERE = 2
"""The place in _CURSORS of a cursor in the pane that has the focus."""


def columns_for(table: Table, width: int) -> list[tuple[Column, int]]:
    """The columns that fit into ``width`` cells with their widths; ``keep`` says which go first."""
    columns = list(table.columns)
    while len(columns) > 1 and MARGIN + sum(column.width + 1 for column in columns) > width:
        columns.remove(min(columns, key=lambda column: column.keep))
    left = max(0, width - MARGIN - sum(column.width + 1 for column in columns))
    widths: list[int] = []
    for column in columns:
        more = min(left, max(0, column.wish - column.width))
        left -= more
        widths.append(column.width + more)
    return [
        (column, room + (left if column.grows else 0))
        for column, room in zip(columns, widths, strict=True)
    ]


class TablePane(Pane):
    """Shows a Table of the store, with a cursor, sorting and a filter by substring."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "sort(1)", "sort", show=False, id="table.sort"),
        Binding("S", "reverse", "reverse", show=False, id="table.reverse"),
        Binding("escape", "clear_filter", "clear filter", show=False, id="table.clear-filter"),
    ]
    head = 2

    def __init__(self, board: Board, table: Table, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(board, id=id)
        self.table = table
        self.keys: list[Hashable] = []
        """The keys of the rows that the filter leaves, in their order."""
        self.filter = ""
        self.cursor = 0
        self.cursor_key: Hashable = None
        self.chosen = False
        """Whether a person chose the cursor's row; until then it is on the first one."""
        self.following = table.tail
        """Whether the newest row stays in sight (a tail's rows come at the end)."""
        self._sort: Column | None = None
        self._reverse = False
        self._ordered_at = float("-inf")
        self._due = False
        if table.tail:
            self.head = 1

    # What the pane asks for.

    def body_lines(self) -> int:
        """One per row; one for the words that stand for none."""
        return max(1, len(self.keys))

    def title(self) -> tuple[str, str]:
        """Name, numbers and filter; at the right what is sorted by."""
        if not self.board.store.known:
            return f"{self.table.name} {words.UNKNOWN_FACT}", ""
        total = len(self._rows())
        shown = words.count(len(self.keys))
        number = f"{shown} of {words.count(total)}" if self.filter else words.count(total)
        facts = [f"{self.table.name} {number}"]
        facts += [fact for fact in (self.table.summary(self.board.look()),) if fact]
        facts += [f"filter: {self.filter}"] if self.filter else []
        return "   ".join(facts), self._right_title()

    def head_phrase(self, y: int) -> Phrase:
        """The titles of the columns."""
        phrase: Phrase = [(" " * MARGIN, Role.DIM)]
        for column, width in self._columns():
            text = fit(column.title, width, "", right=column.right)
            phrase.append((f"{text} ", Role.STRONG if column is self._sort else Role.DIM))
        return phrase

    def body_picture(self, index: int) -> Picture:
        """The row's cells, and whether the cursor is on it."""
        if not self.keys:
            return (self._words_for_none(),)
        row = self._rows().get(self.keys[index])
        look = self.board.look()
        cells = _GONE if row is None else self._cells(look, row)
        cursor = (1 + self.has_focus) if index == self.cursor and not self._tailing() else 0
        return (cells, cursor)

    def draw_body(self, picture: Picture, base: Style) -> Strip:
        """The row, each cell in the width of its column."""
        width, old, more = self.size.width, self.board.old, self.board.glyphs.more
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

    def concerned(self, changes: Changes) -> bool:
        """Whether rows, or what their cells name, changed."""
        return changes.concerns(self.table.kind) or any(map(changes.concerns, self.table.depends))

    def rearrange(self, changes: Changes) -> None:
        """Order the rows again, at once or when it is due."""
        came_or_went = changes.everything or self.table.kind in changes.membership
        self._due = True
        waited = self.board.clock() - self._ordered_at >= REORDER_S
        if waited or (came_or_went and len(self._rows()) <= QUICK_ROWS):
            self._order()

    def tick(self) -> None:
        """A second has passed: ages grow, and an order that is due is made."""
        if self._due and self.board.clock() - self._ordered_at >= REORDER_S:
            self._order()
        if self.table.ticks:
            self.repaint()

    def follow_cursor(self) -> None:
        """Scroll so that the cursor is seen."""
        if self._tailing():
            self.top = max(0, len(self.keys) - self.room)
        elif self.room:
            self.top = max(min(self.top, self.cursor), self.cursor - self.room + 1)

    # What a person does.

    def set_filter(self, text: str) -> None:
        """Show the rows one of whose cells contains ``text``, in any case."""
        self.filter = text
        self._order()
        self.follow_cursor()
        self.repaint()

    def action_clear_filter(self) -> None:
        """Show all rows again."""
        self.set_filter("")

    def action_move(self, by: int) -> None:
        """Move the cursor by rows."""
        self._go(self.cursor + by if not self._tailing() else len(self.keys) - 1 + min(by, 0))

    def action_page(self, by: int) -> None:
        """Move the cursor by what is seen."""
        self.action_move(by * max(1, self.room - 1))

    def action_first(self) -> None:
        """To the first row."""
        self._go(0)

    def action_last(self) -> None:
        """To the last row; a tail follows again."""
        self._go(len(self.keys) - 1)

    def action_sort(self, step: int) -> None:
        """Sort by the next column; after the last, in the table's own order again."""
        choices = [None, *(column for column, _ in self._columns())]
        place = choices.index(self._sort) if self._sort in choices else 0
        self.sort_by(choices[(place + step) % len(choices)])

    def action_reverse(self) -> None:
        """Turn the order round."""
        self._reverse = not self._reverse
        self._reordered()

    def sort_by(self, column: Column | None) -> None:
        """Sort by ``column``, by the same again in reverse; None: the table's own order."""
        self._reverse = not self._reverse if column is self._sort else False
        self._sort = column
        self._reordered()

    def on_click(self, event: events.Click) -> None:
        """A row takes the cursor; a column's title sorts."""
        if event.y >= self.head:
            index = self.top + event.y - self.head
            if index < len(self.keys):
                self._go(index)
        elif event.y == self.head - 1 and event.y > 0:
            column = self._column_at(event.x)
            if column is not None:
                self.sort_by(column)

    def scroll_lines(self, by: int) -> None:
        """Move what is seen; a tail stops following when it is left, and follows at its end."""
        super().scroll_lines(by)
        if self.table.tail:
            self.following = self.top >= len(self.keys) - self.room
            if not self.following and by < 0:
                self.chosen = True
                self._put_cursor(min(self.top + self.room, len(self.keys)) - 1)
            self.repaint()

    @property
    def cursor_row(self) -> Any:
        """What the cursor is on; None for nothing."""
        return self._rows().get(self.cursor_key)

    def visible_keys(self) -> list[Hashable]:
        """The keys of the rows that are seen."""
        return self.keys[self.top : self.top + self.room]

    # How.

    def _rows(self) -> Mapping[Any, Any]:
        return self.table.rows(self.board.store)

    def _columns(self) -> list[tuple[Column, int]]:
        return columns_for(self.table, self.size.width)

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
        if self.filter:
            total = words.count(len(self._rows()))
            return f'0 of {total} match "{self.filter}": escape shows all'
        return self.table.empty

    def _right_title(self) -> str:
        if self._sort is None and not self._reverse:
            return ""
        glyphs = self.board.glyphs
        by = "own order" if self._sort is None else self._sort.title
        return f"by {by} {glyphs.falling if self._reverse else glyphs.rising}"

    def _tailing(self) -> bool:
        return self.table.tail and self.following

    def _order(self) -> None:
        look, rows = self.board.look(), self._rows()
        self._ordered_at, self._due = self.board.clock(), False
        order = self.table.order if self._sort is None else self._sort.order
        wanted = self.filter.casefold()
        found = [
            item for item in rows.items() if not wanted or wanted in self.table.text(look, item[1])
        ]
        keyed = sorted(found, key=lambda item: order(look, item[1]), reverse=self._reverse)
        self.keys = [key for key, _ in keyed]
        self._keep_cursor()

    def _keep_cursor(self) -> None:
        if not self.chosen:
            self._put_cursor(0)
            self.top = 0
        else:
            self._keep_chosen(self.cursor - self.top)
        if self._tailing():
            self.follow_cursor()

    def _keep_chosen(self, on_screen: int) -> None:
        try:
            self.cursor = self.keys.index(self.cursor_key)
        except ValueError:
            self._put_cursor(min(self.cursor, len(self.keys) - 1))
        if self.top and 0 <= on_screen < self.room:
            self.top = max(0, self.cursor - on_screen)  # the row stays where it is seen
        elif self.has_focus:
            self.follow_cursor()

    def _put_cursor(self, index: int) -> None:
        self.cursor = max(0, index)
        self.cursor_key = self.keys[self.cursor] if self.keys else None

    def _go(self, index: int) -> None:
        index = max(0, min(index, len(self.keys) - 1))
        if self.table.tail:
            self.following = index == len(self.keys) - 1
        self._put_cursor(index)
        self.chosen = index > 0
        self.follow_cursor()
        self.repaint()

    def _reordered(self) -> None:
        self._order()
        self.follow_cursor()
        self.repaint()
