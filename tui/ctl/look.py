"""Commands that only look: `ls`, `status`, `explain`."""

import sys
from collections.abc import Iterator
from typing import Any

from protocol.clean import clean_deep
from protocol.connection import NotificationFrame
from tui.ctl.find import reach
from tui.ctl.link import Link
from tui.ctl.output import Output
from tui.ctl.phrases import explained, summary
from tui.ctl.resolve import explain as ask_why
from tui.ctl.resolve import resolve
from tui.ctl.tables import listing

SETTLE_S = 0.2
"""Changes that come within this time of each other are drawn once."""


def ls(values: dict[str, Any]) -> int:
    """List one kind of thing, once or (-w) after every change."""
    output, kind = Output(values), values["what"]
    link, _ = reach(values)
    with link:
        for snapshot in _snapshots(link, follow=bool(values.get("watch"))):
            if output.json:
                output.value(snapshot[kind])
                continue
            lines = listing(kind, clean_deep(snapshot))
            output.lines(_redrawn(lines) if values.get("watch") else lines)
    return 0


def _snapshots(link: Link, *, follow: bool) -> Iterator[dict[str, Any]]:
    if follow:
        link.call("events.subscribe", {})
    yield link.call("cluster.snapshot", {})
    while follow:
        while not isinstance(link.receive(), NotificationFrame):
            """Wait for a change."""
        while link.receive(SETTLE_S) is not None:
            """Let it settle."""
        yield link.call("cluster.snapshot", {})


def _redrawn(lines: list[str]) -> list[str]:
    """On a terminal in place of what was there; else below it, after a blank line."""
    return ["\x1b[H\x1b[2J" + lines[0], *lines[1:]] if sys.stdout.isatty() else [*lines, ""]


def status(values: dict[str, Any]) -> int:
    """Who leads, what there is, who waits: a few lines."""
    link, welcome = reach(values)
    with link:
        snapshot = link.call("cluster.snapshot", {})
    facts = summary(welcome, snapshot)
    lines = [f"{name:<10} {text}" for name, text in clean_deep(facts["text"]).items()]
    Output(values).answer(facts["value"], lines)
    return 0


def explain(values: dict[str, Any]) -> int:
    """Why a request is where it is."""
    link, _ = reach(values)
    with link:
        thing = resolve(link, values["id"], ("request",))
        explanation = ask_why(link, thing)
    lines = explained(clean_deep(explanation))
    Output(values).answer({"job_id": thing.job_id, **explanation}, lines)
    return 0
