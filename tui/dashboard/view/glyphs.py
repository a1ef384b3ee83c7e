"""Which characters stand for what: one set for Unicode terminals, one in ASCII."""

import attrs

from tui.dashboard.link.news import LinkState
from tui.dashboard.store.store import Phase


@attrs.frozen
class Glyphs:
    """A set of characters, each one cell wide."""

    name: str
    phase: dict[Phase, str]
    link: dict[LinkState, str]
    used: str
    """From an empty executor to a full one."""
    draining: str
    leads: str
    paused: str
    rule: str
    wall: str
    falling: str
    rising: str
    more: str
    """Stands for what was cut off."""

    def phase_key(self) -> list[tuple[str, Phase]]:
        """Each phase with its character, in the order of the counts."""
        return [(self.phase[phase], phase) for phase in Phase]


UNICODE = Glyphs(
    "unicode",
    {Phase.PENDING: "?", Phase.ALLOCATED: "▒", Phase.ACTIVE: "█", Phase.FREE: "·"},
    {
        LinkState.CONNECTING: "◌",
        LinkState.SYNCING: "◌",
        LinkState.LIVE: "●",
        LinkState.STALE: "◐",
        LinkState.RECONNECTING: "○",
        LinkState.DENIED: "✗",
        LinkState.VERSION: "✗",
    },
    used="·▁▂▃▄▅▆▇█",
    draining="D",
    leads="★",
    paused="‖",
    rule="─",
    wall="│",
    falling="▼",
    rising="▲",
    more="…",
)

ASCII = Glyphs(
    "ascii",
    {Phase.PENDING: "?", Phase.ALLOCATED: "o", Phase.ACTIVE: "#", Phase.FREE: "."},
    {
        LinkState.CONNECTING: "~",
        LinkState.SYNCING: "~",
        LinkState.LIVE: "*",
        LinkState.STALE: "?",
        LinkState.RECONNECTING: "o",
        LinkState.DENIED: "x",
        LinkState.VERSION: "x",
    },
    used=".12345678",
    draining="D",
    leads="*",
    paused="|",
    rule="-",
    wall="|",
    falling="v",
    rising="^",
    more="~",
)


def choose(wanted: str | None, encoding: str, language: str) -> Glyphs:
    """The set that was asked for, else the one that suits the terminal's locale.

    Block characters are two cells wide in some East Asian terminals, so those get ASCII.
    """
    if wanted is not None:
        return ASCII if wanted == "ascii" else UNICODE
    utf8 = encoding.lower().replace("-", "") == "utf8"
    return ASCII if not utf8 or language[:2] in {"ja", "ko", "zh"} else UNICODE
