"""One line of words; it is drawn again only when its words changed."""

from textual.strip import Strip
from textual.widget import Widget

from tui.dashboard.view.phrase import Phrase
from tui.dashboard.widgets.drawing import draw


class Line(Widget):
    """Shows a phrase; what does not fit is cut at the right."""

    DEFAULT_CSS = "Line { height: 1; width: 1fr; }"

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._phrase: Phrase = []
        self._old = False

    def show(self, phrase: Phrase, *, old: bool = False) -> None:
        """Draw ``phrase``; ``old`` greys it."""
        if (phrase, old) != (self._phrase, self._old):
            self._phrase, self._old = phrase, old
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The words in the first line; nothing below."""
        return draw(self._phrase if y == 0 else [], self.size.width, self.rich_style, old=self._old)
