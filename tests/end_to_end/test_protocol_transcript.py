"""docs/protocol.md is true: its transcript happens, and it names everything that the wire has."""

import io
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import attrs
import pytest

from protocol.errors import ERRORS_BY_CODE, PeerGone, ProtocolError
from protocol.methods import NOTIFICATIONS, REQUESTS
from protocol.news import NEWS

DOCUMENT = Path(__file__).parents[2] / "docs" / "protocol.md"
ANYTHING = "..."
PATIENCE_S = 30.0


class Daemon(Protocol):
    """What the fixture gives: where a daemon with two slots of 1 CPU and 512 MiB listens."""

    @property
    def address(self) -> str: ...
    @property
    def token(self) -> str: ...


def transcript() -> list[str]:
    blocks = re.findall(r"^```transcript\n(.*?)^```$", DOCUMENT.read_text(), re.S | re.M)
    return [line for block in blocks for line in block.splitlines()]


def matches(written: Any, seen: Any) -> bool:
    """Whether ``seen`` is what was written, where ``"..."`` stands for anything."""
    if written == ANYTHING:
        return True
    if isinstance(written, dict):
        names = written.keys() - {ANYTHING}
        return (
            isinstance(seen, dict)
            and (ANYTHING in written or seen.keys() == names)
            and all(name in seen and matches(written[name], seen[name]) for name in names)
        )
    if isinstance(written, list):
        return (
            isinstance(seen, list)
            and len(written) == len(seen)
            and all(map(matches, written, seen))
        )
    return type(written) is type(seen) and bool(written == seen)


@attrs.frozen
class Terminal:
    """`nc`, and whoever types at it."""

    daemon: Daemon
    lines: io.BufferedRWPair

    def replay(self, line: str) -> None:
        direction, text = line[:2], line[2:].replace("TOKEN", self.daemon.token)
        if direction == "> ":
            self.lines.write(text.encode() + b"\n")
            self.lines.flush()
        else:
            seen = json.loads(self.lines.readline())
            assert matches(json.loads(text), seen), f"written: {text}\nseen:    {json.dumps(seen)}"


@pytest.fixture
def terminal(daemon: Daemon) -> Iterator[Terminal]:
    host, _, port = daemon.address.rpartition(":")
    connected = socket.create_connection((host, int(port)), PATIENCE_S)
    with connected, connected.makefile("rwb") as lines:
        yield Terminal(daemon, lines)


def test_the_transcript_happens_as_it_is_written(terminal: Terminal) -> None:
    lines = transcript()
    assert len(lines) > 20
    for line in lines:
        terminal.replay(line)


@pytest.mark.parametrize(
    ("written", "seen", "same"),
    [
        ({"a": 1}, {"a": 1}, True),
        ({"a": 1}, {"a": 1.0}, False),
        ({"a": 1}, {"a": True}, False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": 1, "...": "..."}, {"a": 1, "b": 2}, True),
        ({"a": 1, "...": "..."}, {"b": 2}, False),
        ({"a": "..."}, {"a": [1]}, True),
        ({"a": "..."}, {}, False),
        ([1, "..."], [1, 2], True),
        ([1], [1, 2], False),
        ({}, [], False),
    ],
)
def test_only_dots_stand_for_anything(written: Any, seen: Any, same: bool) -> None:
    assert matches(written, seen) is same


def test_every_line_of_the_transcript_has_a_direction() -> None:
    assert {line[:2] for line in transcript()} == {"> ", "< "}


@pytest.mark.parametrize("name", [*REQUESTS, *NOTIFICATIONS, *NEWS])
def test_the_document_names_every_method_and_every_event(name: str) -> None:
    assert re.search(rf"[`\"]{re.escape(name)}[`\" ]", DOCUMENT.read_text()), name


@pytest.mark.parametrize("error", ERRORS_BY_CODE.values())
def test_the_document_names_every_error_that_can_be_on_the_wire(error: type) -> None:
    if error not in (PeerGone, ProtocolError):
        row = f"{vars(error)['code']} | `{error.__name__}`"
        assert row in DOCUMENT.read_text()


def test_the_document_names_every_parameter() -> None:
    text = DOCUMENT.read_text()
    messages: list[Any] = [*REQUESTS.values(), *NOTIFICATIONS.values()]
    for message in messages:
        for field in attrs.fields(message):
            name = "from" if field.name == "sender" else field.name
            if name != "news":
                assert re.search(rf"\b{name}\b", text), f"{message.METHOD}: {name}"
