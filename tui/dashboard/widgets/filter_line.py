"""The line in which a filter is typed; it filters one table while it is typed."""

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.widgets import Input

from tui.dashboard.widgets.table import TablePane


class FilterLine(Input):
    """Closed until ``open_for``; enter keeps the filter, escape drops it."""

    DEFAULT_CSS = """
    FilterLine { display: none; height: 1; border: none; padding: 0 1; }
    FilterLine.-open { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "drop", "show all rows", show=False, id="filter.drop"),
    ]

    def __init__(self) -> None:
        super().__init__(placeholder="show only rows that contain ...", id="filter", compact=True)
        self._table: TablePane | None = None

    def open_for(self, table: TablePane) -> None:
        """Take keys, and filter ``table``."""
        self._table = None
        self.value = table.listing.filter
        self._table = table
        self.add_class("-open")
        self.focus()

    def watch_value(self, value: str) -> None:
        """Filter while it is typed."""
        if self._table is not None:
            self._table.set_filter(value)

    def action_drop(self) -> None:
        """Show all rows, and close."""
        self.value = ""
        self._close()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the filter, and close."""
        event.stop()
        self._close()

    def on_blur(self, event: events.Blur) -> None:
        """The person went elsewhere: the filter stays."""
        self.remove_class("-open")

    def _close(self) -> None:
        self.remove_class("-open")
        if self._table is not None:
            self._table.focus()
