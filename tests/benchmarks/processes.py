"""The processes that rows need: started when first asked for, ended together, each by its pid.

Everything that they write is in temporary directories.
"""

import atexit
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import attrs

_open = ExitStack()
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_ROOT = Path(__file__).parents[2]


@attrs.frozen
class Daemon:
    """A running slotd and where to find it."""

    process: "subprocess.Popen[str]"
    state_dir: Path
    address: str
    token: str


def environment() -> dict[str, str]:
    """This process's, without what would configure a slotd."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("SLOTD_", "SLOT_", "TS_"))}


def launch(state_dir: Path, *flags: str) -> Daemon:
    """Start slotd and wait until it listens; it logs as by default, to a file."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "daemon", "serve", "--listen", "127.0.0.1:0"),
            *("--state-dir", str(state_dir), "--log-file", str(state_dir) + ".log", *flags),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        cwd=_ROOT,
    )
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if line.startswith("listening on "):
            access = json.loads((state_dir / "access.json").read_text())
            return Daemon(process, state_dir, access["address"], access["token"])
    raise RuntimeError(f"slotd did not start: exit code {process.wait(10)}\n{said}")


def end(process: "subprocess.Popen[str]") -> None:
    """TERM, then KILL; reaped and closed."""
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def directory() -> Path:
    """A directory that is removed at the end of the run, after the processes that use it ended.

    A TemporaryDirectory would remove itself earlier: when the interpreter ends, it comes first.
    """
    made = tempfile.mkdtemp(prefix="slotd-bench-")
    _open.callback(shutil.rmtree, made)
    return Path(made)


def at_end(callback: Callable[[], object]) -> None:
    """Call this at the end of the run, before what was started earlier ends."""
    _open.callback(callback)


@functools.cache
def daemon(*flags: str) -> Daemon:
    """A slotd with these flags; the rows that name the same flags share it."""
    running = launch(directory() / "state", *flags)
    _open.callback(end, running.process)
    return running


@functools.cache
def module(name: str, *arguments: str) -> "tuple[subprocess.Popen[str], str]":
    """A module of this folder as a process, and the line that it says when it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"tests.benchmarks.{name}", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=_ROOT,
    )
    _open.callback(end, process)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


@atexit.register
def end_all() -> None:
    """The run is over."""
    daemon.cache_clear()
    module.cache_clear()
    _open.close()


def cpu_s(pid: int) -> float:
    """Seconds of CPU time that a process has used, in steps of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def rss_mib(pid: int) -> float:
    """MiB of memory that a process has."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def percentile(taken: list[float], part: float) -> float:
    """The value below which ``part`` of them are."""
    ordered = sorted(taken)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
