"""Which colour plays which role; the only file that knows colours of lines we draw ourselves."""

from rich.style import Style

from tui.dashboard.view.phrase import Role

_FADED = "#6b7683"

_FRESH: dict[Role, Style] = {
    Role.PLAIN: Style(),
    Role.DIM: Style(color="#8a95a1"),
    Role.STRONG: Style(bold=True),
    Role.TITLE: Style(color="#8fd3ff", bold=True),
    Role.GOOD: Style(color="#5fc48d"),
    Role.WARNING: Style(color="#f0e442", bold=True),
    Role.BAD: Style(color="#ff7a1a", bold=True),
    Role.PENDING: Style(color="#f0e442", bold=True),
    Role.ALLOCATED: Style(color="#8fd3ff"),
    Role.ACTIVE: Style(color="#2f8fd8"),
    Role.FREE: Style(color=_FADED),
}
_OLD = dict.fromkeys(Role, Style(color=_FADED))
"""How a picture looks that may no longer be true."""

CURSOR = Style(bgcolor="#27537a", bold=True)
CURSOR_ELSEWHERE = Style(bgcolor="#2a3440")
"""The cursor of a pane that has not the focus."""
CELL_CURSOR = Style(color="#ffffff", bgcolor="#b0208f", bold=True)
"""The cursor on the map: a full block hides its background, so the foreground tells too."""


def style_of(role: Role, *, old: bool) -> Style:
    """The style of a role, without background; ``old`` when the picture is not current."""
    return (_OLD if old else _FRESH)[role]
