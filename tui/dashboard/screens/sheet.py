"""A sheet of lines over the page; any of the usual keys closes it."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.dashboard.view.phrase import Phrase
from tui.dashboard.widgets.palette import style_of


class Sheet(ModalScreen[None]):
    """Shows what ``lines`` gives; ``renew`` asks again.

    ``title`` is our own words, never the cluster's.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss", "close", id="sheet.close"),
    ]
    AUTO_FOCUS = "VerticalScroll"

    def __init__(self, title: str, lines: Callable[[], Sequence[Phrase]]) -> None:
        super().__init__()
        self._title = title
        self._lines = lines
        self._shown = Text()

    def compose(self) -> ComposeResult:
        """A frame around lines."""
        with VerticalScroll(id="sheet") as frame:
            frame.border_title = self._title
            frame.border_subtitle = "arrows scroll, escape closes"
            yield Static(id="sheet-text", markup=False)

    def on_mount(self) -> None:
        """Show the lines for the first time."""
        self.renew()

    def renew(self) -> None:
        """Show the lines as they are now."""
        text = Text("\n").join(map(_line, self._lines()))
        if text != self._shown:
            self._shown = text
            self.query_one("#sheet-text", Static).update(text)


def _line(phrase: Phrase) -> Text:
    return Text.assemble(*((text, style_of(role, old=False)) for text, role in phrase))
