"""Processes that a command left behind: the daemon adopts them, so that it can end and reap them.

Only own children are ever signalled by pid: their pids cannot be reused before we reap them.
"""

import contextlib
import ctypes
import functools
import os
from pathlib import Path

import attrs

_PR_SET_CHILD_SUBREAPER = 36
_FIRST_INHERITED = 3
_PIECE_BYTES = 1 << 16

_leaders: set[int] = set()
"""Main processes of running commands. Process-wide, as the list of children that it filters is."""


@functools.cache
def prepare_process() -> None:
    """Makes this process the parent of its orphaned descendants, and its descriptors its own.

    Descriptors that were inherited from whoever started the daemon must not reach commands.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208  # names, not paths
        if int(name) >= _FIRST_INHERITED:
            with contextlib.suppress(OSError):  # the descriptor of this very listing
                os.set_inheritable(int(name), False)


def add_leader(pid: int) -> None:
    """``pid`` is the main process of a command: not an orphan, and its owner reaps it."""
    _leaders.add(pid)


def remove_leader(pid: int) -> None:
    """``pid`` is reaped."""
    _leaders.discard(pid)


def orphans_of(process_group: int, marker: bytes) -> list[int]:
    """Living children that we adopted from one command; dead ones are reaped on the way.

    A child is the command's when it is in its process group, or when ``marker`` (``NAME=value``) is
    in its environment: that finds a daemon that left the group by a double fork.
    """
    found: list[int] = []
    for pid in _children():
        status = None if pid in _leaders else _status(pid)
        if status is None:
            continue
        if status.is_dead:
            _reap_adopted(pid, status)
        elif status.process_group == process_group or marker in _environment(pid):
            found.append(pid)
    return found


def reap(pid: int) -> None:
    """Takes the exit status of a dead child."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


@attrs.frozen
class _Status:
    is_dead: bool
    parent: int
    process_group: int
    session: int


def _children() -> list[int]:
    try:
        file, listing = _children_file(os.getpid()), b""
    except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN
        pids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
        return [pid for pid in pids if (status := _status(pid)) and status.parent == os.getpid()]
    while True:
        piece = os.pread(file, _PIECE_BYTES, len(listing))
        listing += piece
        if len(piece) < _PIECE_BYTES:
            return [int(pid) for pid in listing.split()]


@functools.cache
def _children_file(own: int) -> int:
    """Kept open: every command's end reads it, and opening it costs ten times the reading."""
    return os.open(f"/proc/{own}/task/{own}/children", os.O_RDONLY)


def _status(pid: int) -> _Status | None:
    try:
        line = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    fields = line.rpartition(b")")[2].split()
    return _Status(fields[0] in b"ZX", int(fields[1]), int(fields[2]), int(fields[3]))


def _reap_adopted(pid: int, status: _Status) -> None:
    """A child in our own session was started by somebody here, who waits for it."""
    if status.session != os.getsid(0):
        reap(pid)


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # ended, or it changed its user
        return []
