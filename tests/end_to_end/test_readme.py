"""The README's tour is typed, line by line, and shows what it says that it shows.

What differs every time (ids, durations, ports, the width of columns) may differ; words may not.
"""

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import attrs
import pytest

import daemon as package

README = Path(__file__).parents[2] / "README.md"
PATIENCE_S = 30.0
LOOKING = re.compile(r"slotctl (ls|status|explain)\b(?!.*cancel)")
"""Commands that change nothing: a person is slower than a test, so they are typed again."""

VARIES = (
    (r"(?m)^\[\d+\].*\n?", ""),  # what a shell says about its jobs, when it likes
    (r"(?m)^slotctl: cancelled\n?", ""),  # what a job in the background says when it is ended
    (r"\b[0-9a-f]{8,32}\b", "ID"),
    (r"\b\d+(\.\d+)?s\b|\b\d+m\d\ds\b", "DURATION"),
    (r"127\.0\.0\.1:\d+", "ADDRESS"),
    (r"\s+", " "),
)

NC = """
import socket, sys, threading
peer = socket.create_connection((sys.argv[-2], int(sys.argv[-1])))
def send():
    for line in sys.stdin.buffer:
        peer.sendall(line)
    peer.shutdown(socket.SHUT_WR)
threading.Thread(target=send, daemon=True).start()
while data := peer.recv(65536):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
"""
"""Stands in for nc where there is none."""

JQ = """
import json, re, sys
path = re.findall(r"\\.(\\w+)|\\[(\\d*)\\]", sys.argv[2])
text = open(sys.argv[3]).read() if len(sys.argv) > 3 else sys.stdin.read()
decoder = json.JSONDecoder()
while text := text.strip():
    value, end = decoder.raw_decode(text)
    text = text[end:]
    values = [value]
    for name, index in path:
        if name:
            values = [v.get(name) if isinstance(v, dict) else None for v in values]
        elif index:
            values = [v[int(index)] for v in values]
        else:
            values = [one for v in values for one in v or []]
    for value in values:
        print(value if isinstance(value, str) else json.dumps(value))
"""
"""Stands in for ``jq -r PATH [FILE]`` where there is none."""


@attrs.frozen
class Step:
    """A line that is typed, and what it shows."""

    command: str
    shown: str


def steps(text: str) -> list[Step]:
    """The commands in the ``console`` blocks of a document, in order."""
    found: list[Step] = []
    for block in re.findall(r"(?ms)^```console\n(.*?)^```$", text):
        for part in re.split(r"(?m)^\$ ", block)[1:]:
            command, _, shown = part.partition("\n")
            found.append(Step(command, shown))
    return found


def alike(text: str) -> str:
    """The text without what differs every time."""
    for pattern, instead in VARIES:
        text = re.sub(pattern, instead, text)
    return text.strip()


class Shell:
    """A shell in which somebody types, in a home of their own."""

    def __init__(self, home: Path) -> None:
        programs = home / "bin"
        programs.mkdir(exist_ok=True)
        python, root = shlex.quote(sys.executable), Path(package.__file__).parents[1]
        for name, module in (("slotd", "daemon"), ("slotctl", "tui.ctl")):
            self._program(programs / name, f'exec {python} -P -m {module} "$@"')
        for name, code in (("nc", NC), ("jq", JQ)):
            if shutil.which(name) is None:
                self._program(programs / name, f'exec {python} -c {shlex.quote(code)} "$@"')
        self._process = subprocess.Popen(
            ["bash", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=home,
            start_new_session=True,
            env={
                "HOME": str(home),
                "PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin",
                "PYTHONPATH": str(root),
            },
        )

    @staticmethod
    def _program(path: Path, line: str) -> None:
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)

    def type(self, command: str) -> str:
        """What a command shows, with what its elders in the background say meanwhile."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{{ {command}\n}} < /dev/null\necho '<done>'\n")
        self._process.stdin.flush()
        shown: list[str] = []
        too_long = threading.Timer(PATIENCE_S, self.end)
        too_long.start()
        for line in iter(self._process.stdout.readline, "<done>\n"):
            assert line, f"{command}: it hangs, after {shown}"
            shown.append(line)
        too_long.cancel()
        return "".join(shown)

    def end(self) -> None:
        """With everything that was started here and is still there."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End it, and wait for that."""
        self.end()
        self._process.communicate(timeout=PATIENCE_S)


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[tuple[Shell, Shell]]:
    one, another = Shell(tmp_path), Shell(tmp_path)
    yield one, another
    another.close()
    one.close()


def serve(shell: Shell, command: str, home: Path) -> tuple[int, str]:
    """Start the daemon of the tour on a port of its own; its process and its address."""
    options = "--listen 127.0.0.1:0 --start-up-time '200 ms'"
    shell.type(f": > listening; {command} {options} 2>> listening &")
    pid = int(shell.type("echo $!"))
    text = until(lambda: (home / "listening").read_text(), lambda said: "\n" in said)
    assert alike(text.splitlines()[0]) == "listening on ADDRESS"
    return pid, text.split()[2]


def look(shell: Shell, command: str) -> str:
    """What a command shows now."""
    return alike(shell.type(command))


def until(look: Callable[[], str], is_it: Callable[[str], bool]) -> str:
    """What is seen when it is what was awaited, or in the end."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_it(seen := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return seen


def test_the_tour_shows_what_it_says(terminals: tuple[Shell, Shell], tmp_path: Path) -> None:
    """Run, watch, explain, script, drill: as a newcomer types it."""
    one, another = terminals
    first, *rest = steps(README.read_text())
    assert first.command.startswith("slotd ")
    assert alike(first.shown) == "listening on ADDRESS"
    pid, address = serve(one, first.command, tmp_path)
    port = address.rpartition(":")[2]
    assert len(rest) > 12
    for step in rest:
        command = step.command.replace("127.0.0.1 6123", f"127.0.0.1 {port}")
        expected = alike(step.shown)
        shown = alike(another.type(command))
        if LOOKING.match(command):
            shown = until(partial(look, another, command), expected.__eq__)
        assert shown == expected, command
    assert one.type(f"kill -{int(signal.SIGTERM)} {pid}; wait {pid}; echo $?") == "0\n"


def test_words_must_be_alike_and_ids_need_not() -> None:
    assert alike("[1] 4711\nte-1_0  FREE  9s\n") == alike("te-1_0 FREE 0.2s")
    assert alike("place 1 in 4m57s") == "place 1 in DURATION"
    assert alike("place 1") != alike("place 2")
    assert alike("task e8e1e0614a53200d435cc89e9517f1ef") == "task ID"


def test_a_block_is_commands_and_what_they_show() -> None:
    text = "```console\n$ one a\nx\n\ny\n$ two\n```\nprose\n```sh\n$ no\n```\n"
    assert steps(text) == [Step("one a", "x\n\ny\n"), Step("two", "")]


@pytest.mark.parametrize(
    ("path", "value", "printed"),
    [
        (".token", '{"token":"x"}', "x\n"),
        (".[0].id", '[{"id":7}]', "7\n"),
        (".[].id", '[{"id":"a"},{"id":"b"}]', "a\nb\n"),
        (
            ".result.slots[]?.state",
            '{"result":{}}\n{"result":{"slots":[{"state":"FREE"}]}}',
            "FREE\n",
        ),
    ],
)
def test_the_stand_in_for_jq_does_what_jq_does(path: str, value: str, printed: str) -> None:
    programs = [[sys.executable, "-c", JQ], *([["jq"]] if shutil.which("jq") else [])]
    for program in programs:
        done = subprocess.run(
            [*program, "-r", path], input=value, capture_output=True, text=True, check=True
        )
        assert done.stdout == printed
