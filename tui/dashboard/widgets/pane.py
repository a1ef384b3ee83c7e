"""What table and map share: lines drawn on demand, each drawn again only when it changed."""

from collections.abc import Iterable
from typing import Any, ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui.dashboard.store.changes import Changes
from tui.dashboard.view.phrase import Phrase, Role
from tui.dashboard.widgets.board import Board
from tui.dashboard.widgets.drawing import draw, rule

Picture = tuple[Any, ...]
"""All that a line shows, as one value to compare."""


class Pane(Widget, can_focus=True):
    """A title line, ``head - 1`` fixed lines, and lines that scroll.

    A subclass gives ``body_lines`` and ``picture``; a line's picture is a value that says all that
    it shows, so that equal pictures need no drawing.
    """

    DEFAULT_CSS = "Pane { height: 1fr; width: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False, id="pane.up"),
        Binding("down,j", "move(1)", "down", show=False, id="pane.down"),
        Binding("pageup", "page(-1)", "page up", show=False, id="pane.page-up"),
        Binding("pagedown", "page(1)", "page down", show=False, id="pane.page-down"),
        Binding("home,g", "first", "first", show=False, id="pane.first"),
        Binding("end,G", "last", "last", show=False, id="pane.last"),
    ]
    head = 1

    def __init__(self, board: Board, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.board = board
        self.top = 0
        """The first body line that is shown."""
        self.lines_drawn = 0
        self.width = 0
        self.height = 0
        """The size, noted when it changes: Textual computes it anew at each look."""
        self._drawn: dict[int, tuple[Picture | None, Strip]] = {}
        self._next: dict[int, Picture | None] = {}
        """Pictures that are to be drawn at the next occasion."""
        self._base: Style | None = None

    # What a subclass says.

    def body_lines(self) -> int:
        """How many lines there are to scroll through."""
        raise NotImplementedError

    def title(self) -> tuple[str, str]:
        """The left and the right part of the title."""
        raise NotImplementedError

    def head_phrase(self, y: int) -> Phrase:
        """Fixed line ``y`` (from 1)."""
        raise NotImplementedError

    def body_picture(self, index: int) -> Picture:
        """All that body line ``index`` shows."""
        raise NotImplementedError

    def draw_body(self, picture: Picture, base: Style, *, old: bool) -> Strip:
        """The strip of a body line's picture; grey when it is ``old``."""
        raise NotImplementedError

    def rearrange(self, changes: Changes) -> None:
        """Bring the order of lines up to date with the store."""
        raise NotImplementedError

    def concerned(self, changes: Changes) -> bool:
        """Whether any of ``changes`` can show here."""
        raise NotImplementedError

    def follow_cursor(self) -> None:
        """Scroll so that the cursor is seen."""
        raise NotImplementedError

    # What it does for them.

    @property
    def room(self) -> int:
        """How many body lines are seen at once."""
        return max(0, self.height - self.head)

    def flush(self, changes: Changes) -> None:
        """Show what changed."""
        if changes.link or changes.everything or self.concerned(changes):
            self.rearrange(changes)
            self.repaint()

    def repaint(self) -> None:
        """Draw the lines whose picture changed; one region each."""
        self.top = max(0, min(self.top, self.body_lines() - self.room))
        self._repaint(range(self.height))

    def repaint_lines(self, indexes: Iterable[int]) -> None:
        """Draw the title and these body lines, if they are seen and their picture changed."""
        ys = (index - self.top + self.head for index in indexes)
        self._repaint([0, *(y for y in ys if self.head <= y < self.height)])

    def repaint_title(self) -> None:
        """Draw the title if its words changed."""
        self._repaint([0])

    def scroll_lines(self, by: int) -> None:
        """Move what is seen ``by`` lines down."""
        self.top += by
        self.repaint()

    def render_line(self, y: int) -> Strip:
        """Line ``y`` of what is seen."""
        picture = self._next.pop(y) if y in self._next else self._picture(y)
        known = self._drawn.get(y)
        if known is not None and known[0] == picture:
            return known[1]
        self.lines_drawn += 1
        strip = self._draw(y, picture)
        self._drawn[y] = (picture, strip)
        return strip

    def notify_style_update(self) -> None:
        """Forget what was drawn: colours may have changed."""
        self._forget()
        super().notify_style_update()

    def on_resize(self, event: events.Resize) -> None:
        """Forget what was drawn: widths have changed."""
        self.width, self.height = self.size
        self._forget()
        self.rearrange(Changes.all())
        self.follow_cursor()
        self.repaint()

    def on_focus(self, event: events.Focus) -> None:
        """Show the cursor here."""
        self.repaint()

    def on_blur(self, event: events.Blur) -> None:
        """Show that the cursor is elsewhere."""
        self.repaint()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll without moving the cursor."""
        event.stop()
        self.scroll_lines(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll without moving the cursor."""
        event.stop()
        self.scroll_lines(-3)

    def _forget(self) -> None:
        self._drawn.clear()
        self._next.clear()
        self._base = None

    def _repaint(self, ys: Iterable[int]) -> None:
        if not (self.width and self.height and self.is_attached):
            return
        changed: list[Region] = []
        for y in ys:
            picture = self._picture(y)
            if y not in self._drawn or picture != self._drawn[y][0]:
                self._next[y] = picture
                changed.append(Region(0, y, self.width, 1))
            else:
                self._next.pop(y, None)
        if changed:
            self.refresh(*changed)

    def _picture(self, y: int) -> Picture | None:
        old = self.board.old
        if y == 0:
            return (self.title(), old, self.has_focus)
        if y < self.head:
            return (tuple(self.head_phrase(y)), old)
        index = self.top + y - self.head
        return (self.body_picture(index), old) if index < self.body_lines() else None

    def _draw(self, y: int, picture: Picture | None) -> Strip:
        """The strip of a picture; of nothing else, so that equal pictures look equal."""
        if self._base is None:
            self._base = self.rich_style
        base, width, glyphs = self._base, self.width, self.board.glyphs
        if picture is None:
            return draw([], width, base)
        if y == 0:
            left, right = picture[0]
            text = rule(left, right, width, glyphs.rule, glyphs.more)
            return draw([(text, Role.TITLE if picture[2] else Role.DIM)], width, base)
        if y < self.head:
            return draw(picture[0], width, base, old=picture[1])
        return self.draw_body(picture[0], base, old=picture[1])
