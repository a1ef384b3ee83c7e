"""What a table is: where its rows come from, how they become cells, and their order."""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from tui.dashboard.store.changes import Kind
from tui.dashboard.store.store import Store
from tui.dashboard.view.phrase import Role


@attrs.frozen
class Cell:
    """One cell: its text and the role that it plays."""

    text: str
    role: Role = Role.PLAIN


@attrs.frozen
class Look:
    """From where a table looks at the store: the daemon's time and the set of characters."""

    store: Store
    at: float
    more: str


@attrs.frozen
class Column:
    """A column of at least ``width`` cells, and of ``wish`` cells where there is room.

    ``keep`` says how long it stays: the lowest goes first when it is narrow. The column with
    ``grows`` has its wish before the others, and takes the width that is left. ``cell`` and
    ``order`` take the look and the row's view; ``order`` gives what is sorted by.
    """

    title: str
    width: int
    cell: Callable[[Look, Any], Cell]
    order: Callable[[Look, Any], Any]
    keep: int = 5
    right: bool = False
    grows: bool = False
    wish: int = 0


@attrs.frozen
class Table:
    """A list of entities of one kind.

    ``rows`` gives the views by key; ``order`` the order until the person chooses another one;
    ``ticks`` whether cells change as time passes; ``depends`` kinds whose change changes any row.
    ``severity`` is shown before the first column.
    """

    name: str
    kind: Kind
    rows: Callable[[Store], Mapping[Any, Any]]
    columns: tuple[Column, ...]
    order: Callable[[Look, Any], Any]
    empty: str
    severity: Callable[[Look, Any], Cell] = lambda look, view: Cell(" ")
    summary: Callable[[Look], str] = lambda look: ""
    depends: frozenset[Kind] = frozenset()
    ticks: bool = True
    steady: bool = False
    """Whether ``order`` depends on nothing that changes while a row is there."""
    tail: bool = False
    """Newest last, and the newest is what is shown."""

    def text(self, look: Look, view: Any) -> str:
        """What the filter searches: all cells of a row."""
        return " ".join(column.cell(look, view).text for column in self.columns).casefold()
