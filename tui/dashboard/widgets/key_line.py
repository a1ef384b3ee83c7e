"""The line at the bottom: the keys worth knowing; a click on one is a press of it."""

from collections.abc import Awaitable, Callable

from textual import events
from textual.strip import Strip
from textual.widget import Widget

from tui.dashboard.view.phrase import Phrase, Role
from tui.dashboard.widgets.drawing import draw

Shown = tuple[str, str, str]
"""The key as it is shown, what it does, and the action of the app."""


class KeyLine(Widget):
    """Shows keys and never changes, so that it costs nothing (Textual's Footer is made anew)."""

    DEFAULT_CSS = "KeyLine { height: 1; width: 1fr; }"

    def __init__(self, keys: list[Shown], act: Callable[[str], Awaitable[object]]) -> None:
        super().__init__(id="keys")
        self._keys = keys
        self._act = act

    def render_line(self, y: int) -> Strip:
        """The keys, as many as fit."""
        phrase: Phrase = [(" ", Role.PLAIN)]
        for key, what, _ in self._keys:
            phrase += [(key, Role.TITLE), (f" {what}  ", Role.PLAIN)]
        return draw(phrase, self.size.width, self.rich_style)

    async def on_click(self, event: events.Click) -> None:
        """Do what the key under the pointer does."""
        edge = 1
        for key, what, action in self._keys:
            edge += len(key) + len(what) + 3
            if event.x < edge:
                await self._act(action)
                return
