"""The keys that work everywhere."""

from textual.binding import Binding

PAGES = ("overview", "map", "slots", "pending", "jobs", "executors", "events")
"""The pages under the keys 1, 2, 3 and so on."""


def _page(number: int, name: str) -> Binding:
    tooltip = f"page: {name}"
    return Binding(str(number), f"page('{name}')", name, tooltip=tooltip, id=f"page.{name}")


def _shown(key: str, action: str, tooltip: str, display: str | None = None) -> Binding:
    return Binding(key, action, action, key_display=display, tooltip=tooltip, id=f"app.{action}")


def _hidden(key: str, action: str, tooltip: str, *, priority: bool = False) -> Binding:
    return Binding(
        key, action, tooltip, show=False, tooltip=tooltip, priority=priority, id=f"app.{key}"
    )


EVERYWHERE = [
    *(_page(number, name) for number, name in enumerate(PAGES, start=1)),
    _shown("slash", "filter", "show only the rows that contain a text", "/"),
    _shown("e", "explain", "why the selected request waits"),
    _shown("p", "pause", "let the picture stand still, or go on"),
    _shown("question_mark", "help", "all keys", "?"),
    _shown("q", "quit", "leave"),
    _hidden("ctrl+c", "quit", "leave", priority=True),
    _hidden("ctrl+q", "quit", "leave", priority=True),
    _hidden("R", "reconnect", "dial now instead of waiting"),
    _hidden("tab", "app.focus_next", "the next pane"),
    _hidden("shift+tab", "app.focus_previous", "the pane before"),
]

SHOWN = [
    (f"1-{len(PAGES)}", "pages", "next_page"),
    ("/", "filter", "filter"),
    ("e", "explain", "explain"),
    ("p", "pause", "pause"),
    ("?", "help", "help"),
    ("q", "quit", "quit"),
    ("tab", "pane", "focus_next"),
    ("s", "sort", "sort"),
]
"""What the line at the bottom shows, and what a click on it does; the last go first."""
