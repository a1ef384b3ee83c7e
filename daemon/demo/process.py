"""The demo's daemon: a ``slotd`` in a process of its own, and a look at what it leaves behind."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import attrs
import psutil

import daemon
from protocol.access import find_access

EXECUTORS = 2
SLOT_PROFILE = "cpu=1,memory=256MiB,scratch=1"
_PATIENCE_S = 30.0


class DidNotStart(Exception):
    """The daemon ended before it was ready; the message is what it said."""


@attrs.define
class Slotd:
    """A running daemon; ``exit_code`` when it has ended."""

    pid: int
    address: str
    token: str = attrs.field(repr=False)
    exit_code: int | None = None


@contextmanager
def slotd(folder: Path, slots: int) -> Generator[Slotd, None, None]:
    """A daemon that keeps all its files in ``folder``, ended with TERM at the end of the block.

    Raises:
        DidNotStart: it ended before it was ready.

    """
    scratch = folder / "scratch"
    scratch.mkdir()
    process = subprocess.Popen(
        [
            *(sys.executable, "-P", "-m", "daemon", "serve", "--listen", "127.0.0.1:0"),
            *("--state-dir", str(folder / "state"), "--scratch-dirs", str(scratch)),
            *("--log-file", str(folder / "slotd.log"), "--cluster", "demo"),
            *("--executors", str(EXECUTORS), "--slots", str(slots)),
            *("--slot-profile", SLOT_PROFILE, "--start-up-time", "1 s"),
            *("--slot-idle-timeout", "2 s"),
        ],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=_environment(),
    )
    try:
        _await_ready(process)
        running = Slotd(process.pid, *find_access(folder / "state"))
        yield running
    finally:
        exit_code = _end(process)
    running.exit_code = exit_code


def _end(process: "subprocess.Popen[str]") -> int:
    """TERM, so that it ends its commands; KILL only if that takes too long."""
    if process.poll() is None:
        process.terminate()
    try:
        process.communicate(timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
    return process.returncode


def _environment() -> dict[str, str]:
    """Without a configuration of the user's, and with the code that runs here."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("SLOTD_")}
    root = str(Path(daemon.__file__).parents[1])
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, [root, kept.get("PYTHONPATH")]))}


def _await_ready(process: "subprocess.Popen[str]") -> None:
    said: list[str] = []
    for line in process.stderr or ():
        if line.startswith("listening on "):
            return
        said.append(line.strip())
    raise DidNotStart("; ".join(said) or "it said nothing")


def processes_left(folder: Path) -> list[str]:
    """Processes that are ours, or whose environment or arguments name ``folder``."""
    ours = {child.pid for child in psutil.Process().children(recursive=True)}
    found: list[str] = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            named = [*process.cmdline(), *process.environ().values()]
            if process.pid in ours or any(str(folder) in text for text in named):
                found.append(f"process {process.pid} ({process.name()})")
        except psutil.Error:
            continue  # it ended meanwhile, or is another user's
    return found


def scratch_left(folder: Path) -> list[str]:
    """Scratch directories and files of commands that are still there."""
    return [str(path) for path in (folder / "scratch").rglob("*")]
