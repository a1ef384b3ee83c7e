"""The rows of a table in their order, as the filter leaves them, and the cursor among them."""

from collections.abc import Hashable
from typing import Any

import attrs

from tui.dashboard.view.table import Column, Look, Table

REORDER_S = 1.0
"""The order changes at most this often, unless rows came or went."""
QUICK_ROWS = 2_000
"""Up to so many rows are put in order at once whenever rows came or went."""


@attrs.define
class Listing:
    """The cursor is a key: it stays on its row wherever that goes. Times are monotonic seconds."""

    table: Table
    keys: list[Hashable] = attrs.field(factory=list[Hashable])
    filter: str = ""
    sort: Column | None = None
    """What is sorted by; None for the table's own order."""
    reverse: bool = False
    cursor: int = 0
    cursor_key: Hashable = None
    chosen: bool = False
    """Whether a person chose the cursor's row; until then it is the first one."""
    following: bool = attrs.field(
        default=attrs.Factory(lambda self: self.table.tail, takes_self=True)
    )
    """Whether the newest row stays in sight (of a tail)."""
    _ordered_at: float = float("-inf")
    _due: bool = False

    def changed(self, look: Look, now: float, *, came_or_went: bool) -> bool:
        """Rows changed: order them again, at once or later. Whether they stand elsewhere now."""
        self._due = self._due or came_or_went or not self._is_steady()
        quick = came_or_went and len(self.table.rows(look.store)) <= QUICK_ROWS
        return (quick and self._due and self.order(look, now)) or self.catch_up(look, now)

    def catch_up(self, look: Look, now: float) -> bool:
        """Make an order that is due. Whether rows stand elsewhere now."""
        is_time = self._due and now - self._ordered_at >= REORDER_S
        return is_time and self.order(look, now)

    def order(self, look: Look, now: float) -> bool:
        """Order the rows now; the cursor stays on its key, or goes to its neighbour. True."""
        self._ordered_at, self._due = now, False
        self.keys = self._ordered(look)
        self._keep_cursor()
        return True

    def _ordered(self, look: Look) -> list[Hashable]:
        if self.table.tail and self._is_steady() and not self.reverse:
            return list(self.table.rows(look.store))  # they came in their order
        order = self.table.order if self.sort is None else self.sort.order
        wanted = self.filter.casefold()
        rows = self.table.rows(look.store).items()
        found = [item for item in rows if not wanted or wanted in self.table.text(look, item[1])]
        found.sort(key=lambda item: order(look, item[1]), reverse=self.reverse)
        return [key for key, _ in found]

    def sort_by(self, column: Column | None) -> None:
        """Sort by ``column``, by the same again in reverse; the order is made by the caller."""
        self.reverse = not self.reverse if column is self.sort else False
        self.sort = column

    def sort_by_next(self, columns: list[Column]) -> None:
        """Sort by the next of ``columns``; after the last one in the table's own order."""
        choices = [None, *columns]
        place = choices.index(self.sort) if self.sort in choices else 0
        self.sort_by(choices[(place + 1) % len(choices)])

    def go(self, index: int) -> None:
        """Put the cursor on a row; the first one follows what is first, a tail's last the last."""
        self._put(min(index, len(self.keys) - 1))
        self.chosen = self.cursor > 0
        self.following = self.table.tail and self.cursor >= len(self.keys) - 1

    def move(self, by: int) -> None:
        """Move the cursor by rows."""
        self.go((len(self.keys) - 1 if self.following else self.cursor) + by)

    def stop_following(self, index: int) -> None:
        """A tail is looked at, not followed: put the cursor there."""
        self.following, self.chosen = False, True
        self._put(min(index, len(self.keys) - 1))

    def row(self, look: Look) -> Any:
        """What the cursor is on; None for nothing."""
        return self.table.rows(look.store).get(self.cursor_key)

    def _is_steady(self) -> bool:
        """Whether the order stays as it is as long as no row comes or goes."""
        return self.table.steady and self.sort is None and not self.filter

    def _keep_cursor(self) -> None:
        if not self.chosen:
            self._put(0)
            return
        try:
            self.cursor = self.keys.index(self.cursor_key)
        except ValueError:
            self._put(min(self.cursor, len(self.keys) - 1))

    def _put(self, index: int) -> None:
        self.cursor = max(0, index)
        self.cursor_key = self.keys[self.cursor] if self.keys else None
