"""The keys that work where the person is now."""

from collections.abc import Mapping

from textual.binding import ActiveBinding

from tui.dashboard.view.phrase import Phrase, Role

_SHOWN = {
    "slash": "/",
    "question_mark": "?",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "escape": "esc",
}


def help_lines(bindings: Mapping[str, ActiveBinding]) -> list[Phrase]:
    """One line for each action: its keys, what it does."""
    keys: dict[tuple[str, str], list[str]] = {}
    for key, active in bindings.items():
        binding = active.binding
        if not binding.system and binding.description:
            what = binding.tooltip or binding.description
            keys.setdefault((binding.action, what), []).append(_SHOWN.get(key, key))
    lines: list[Phrase] = [
        [(f"{' '.join(names):>14}  ", Role.TITLE), (what, Role.PLAIN)]
        for (_, what), names in keys.items()
    ]
    return [*lines, [], [("The mouse selects, scrolls, and sorts by a column's title.", Role.DIM)]]
