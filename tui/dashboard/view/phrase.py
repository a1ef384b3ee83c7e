"""A line as pieces of text, each with the role that it plays; colours are chosen elsewhere."""

import enum

from tui.dashboard.store.store import Phase


class Role(enum.Enum):
    """Why a piece of text stands out."""

    PLAIN = "plain"
    DIM = "dim"
    STRONG = "strong"
    TITLE = "title"
    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"
    PENDING = Phase.PENDING.value
    ALLOCATED = Phase.ALLOCATED.value
    ACTIVE = Phase.ACTIVE.value
    FREE = Phase.FREE.value


Phrase = list[tuple[str, Role]]


def plain(phrase: Phrase) -> str:
    """The text alone."""
    return "".join(text for text, _ in phrase)


def role_of(phase: Phase) -> Role:
    """The role that shows a phase."""
    return Role(phase.value)
