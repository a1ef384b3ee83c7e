"""From phrases to strips of exactly the wanted width, in cells and not in characters."""

from collections.abc import Iterable

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.dashboard.view.phrase import Role
from tui.dashboard.widgets.palette import style_of


def fit(text: str, width: int, more: str, *, right: bool = False) -> str:
    """``text`` in exactly ``width`` cells; ``more`` shows that it was cut."""
    if width <= 0:
        return ""
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + more
    padding = " " * (width - length)
    return padding + text if right else text + padding


def draw(
    phrase: Iterable[tuple[str, Role]],
    width: int,
    base: Style,
    *,
    old: bool = False,
    over: Style | None = None,
) -> Strip:
    """One line of ``width`` cells; ``over`` is laid over every style."""
    segments: list[Segment] = []
    for text, role in phrase:
        style = base + style_of(role, old=old)
        segments.append(Segment(text, style if over is None else style + over))
    padding = base if over is None else base + over
    return Strip(segments).adjust_cell_length(width, padding).simplify()


def rule(left: str, right: str, width: int, rule_glyph: str, more: str) -> str:
    """A title line: ``── left ──── right ─`` in ``width`` cells."""
    lead = rule_glyph * 2
    title = f"{lead} {left} " if left else lead
    tail = f" {right} {rule_glyph}" if right else ""
    if cell_len(title) + cell_len(tail) + 2 > width:
        tail = ""
    filling = rule_glyph * max(0, width - cell_len(title) - cell_len(tail))
    return fit(title + filling + tail, width, more)
