"""`slotctl events`: what happened, and with -f what happens."""

import time
from collections.abc import Iterator
from typing import Any

from protocol.connection import NotificationFrame
from tui.ctl.exits import USAGE, Failure
from tui.ctl.find import reach
from tui.ctl.link import Link
from tui.ctl.output import Output, remark
from tui.ctl.phrases import amounts

HEAD = ("seq", "at", "type")


def events(values: dict[str, Any]) -> int:
    """Print the events that the daemon still has, or those after --since; -f goes on."""
    output = Output(values)
    types = frozenset(values.get("type", []))
    link, _ = reach(values)
    with link:
        for event in _stream(link, values.get("since"), follow=bool(values.get("follow"))):
            if "type" not in event:
                _lost(output, event)
            elif types and event["type"] not in types:
                continue
            elif output.json:
                output.value(event)
            else:
                output.lines([line(event)])
    return 0


def _stream(link: Link, since: int | None, *, follow: bool) -> Iterator[dict[str, Any]]:
    """Events, and gaps as ``{from_seq, to_seq}``; without ``follow`` up to the newest of now."""
    newest: int = link.call("cluster.snapshot", {})["seq"]
    seen = since if since is not None else (newest if follow else 0)
    if seen > newest:
        raise Failure(f"--since {seen}: the newest event has the number {newest}", USAGE)
    if seen == newest and not follow:
        return
    link.call("events.subscribe", {"from_seq": seen + 1})
    while follow or seen < newest:
        match link.receive():
            case NotificationFrame(method="event", params=event):
                seen = event["seq"]
                if follow or seen <= newest:
                    yield event
            case NotificationFrame(method="events.lost", params=gap):
                seen = gap["to_seq"]
                yield gap
            case _:
                """Not ours."""


def _lost(output: Output, gap: dict[str, Any]) -> None:
    if output.json:
        output.value({"lost": gap})
    else:
        remark(f"events {gap['from_seq']} to {gap['to_seq']} are no longer there")


def line(event: dict[str, Any]) -> str:
    """An event as one line of text: number, local time, type, and its facts as ``name=value``."""
    from protocol.clean import clean, clean_deep

    at = event["at"]
    clock = time.strftime("%H:%M:%S", time.localtime(at)) + f".{int(at * 1000) % 1000:03d}"
    facts = " ".join(
        f"{key}={clean(_word(key, value))}"
        for key, value in clean_deep(event).items()
        if key not in HEAD and value is not None
    )
    return f"{event['seq']:>6} {clock} {clean(event['type']):<20} {facts}".rstrip()


def _word(key: str, value: Any) -> str:
    import json

    if key == "profile":
        value = amounts(value)
    if isinstance(value, str):
        return f'"{value}"' if " " in value else value
    return json.dumps(value)
