"""One command's processes: started in a session of their own, signalled, awaited, reaped.

The main process is reaped last: as long as it is not, its process group's number is ours.
"""

import contextlib
import functools
import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import attrs
import trio

from daemon.payload.orphans import (
    add_leader,
    orphans_of,
    prepare_process,
    reap,
    remove_leader,
)
from daemon.payload.streams import InputFeed, OutputPump

NOT_FOUND = 127
CANNOT_RUN = 126


class CannotStartError(Exception):
    """The command was not started; ``exit_code`` is what a shell would report."""

    def __init__(self, exit_code: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@attrs.define(eq=False)
class CommandProcess:
    """A running command with its process group and its pipes."""

    _popen: "subprocess.Popen[bytes]"
    _pidfd: int
    _marker: bytes
    outputs: tuple[OutputPump, OutputPump]
    stdin: InputFeed | None

    @property
    def pid(self) -> int:
        """The main process, and the number of its process group and session."""
        return self._popen.pid

    def terminate(self) -> None:
        """TERM to the group and to what left it; CONT, so that a stopped process can obey."""
        for number in (signal.SIGTERM, signal.SIGCONT):
            self._signal(number, self.orphans())

    def orphans(self) -> list[int]:
        """Living processes of this command that lost their parent."""
        return orphans_of(self.pid, self._marker)

    async def wait_main(self) -> None:
        """Until the main process has ended."""
        await trio.lowlevel.wait_readable(self._pidfd)

    async def wait_orphans(self) -> None:
        """Until everything else has ended too; the main process must have ended."""
        while orphans := self.orphans():
            for pid in orphans:
                await _wait_and_reap(pid)

    async def kill(self) -> None:
        """KILL to everything, again and again until nothing is left."""
        self._signal(signal.SIGKILL, [])
        await self.wait_main()
        while orphans := self.orphans():
            self._signal(signal.SIGKILL, orphans)
            for pid in orphans:
                await _wait_and_reap(pid)

    def close(self) -> int | None:
        """Reaps the main process: its exit code, minus its signal, or None if it is alive still."""
        self._signal(signal.SIGKILL, [])  # free here, and nothing of the group outlives the reaping
        os.close(self._pidfd)
        if self.stdin is not None:
            self.stdin.close()
        status = self._popen.poll()
        if status is not None:
            remove_leader(self.pid)
        return status

    def _signal(self, number: signal.Signals, orphans: list[int]) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
        for pid in orphans:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)


def start(
    command: tuple[str, ...], env: Mapping[str, str], marker: bytes, cwd: str | None, stdin: bytes
) -> CommandProcess:
    """Starts a command with pipes for its output.

    The start blocks until the new process runs (half a millisecond): posix_spawn would cost the
    daemon 0.1 ms less but cannot change the directory, a thread would cost it more.

    Raises:
        CannotStartError: with 127 for a command that is not found, 126 for everything else.

    """
    if not command:
        raise CannotStartError(CANNOT_RUN, "command: expected at least one word, got none")
    prepare_process()
    try:
        with contextlib.ExitStack() as childs_ends, contextlib.ExitStack() as our_ends:
            feed, stdin_fd = _open_stdin(stdin, childs_ends, our_ends)
            out, stdout_fd = _pipe(childs_ends, our_ends)
            err, stderr_fd = _pipe(childs_ends, our_ends)
            popen = subprocess.Popen(
                command,
                executable=_find(command[0], env),
                stdin=stdin_fd,
                stdout=stdout_fd,
                stderr=stderr_fd,
                cwd=cwd,
                env=env,
                start_new_session=True,
                close_fds=False,
            )
            pidfd = _pidfd_of(popen)
            our_ends.pop_all()
    except (OSError, ValueError) as error:
        raise _cannot_start(command, cwd, error) from error
    add_leader(popen.pid)
    outputs = OutputPump("stdout", out), OutputPump("stderr", err)
    return CommandProcess(popen, pidfd, marker, outputs, feed)


def limit(pid: int, cpus: frozenset[int] | None, memory_mb: int | None) -> list[str]:
    """Binds a process that was just started; which limits the system accepted.

    The data segment is what a process allocates for itself: unlike the address space, it does not
    count what a Java or Go program only reserves. Children inherit both limits.
    """
    enforced: list[str] = []
    if cpus:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(pid, cpus)
            enforced.append("cpu_affinity")
    if memory_mb:
        limit_bytes = memory_mb << 20
        with contextlib.suppress(OSError, ValueError):
            resource.prlimit(pid, resource.RLIMIT_DATA, (limit_bytes, limit_bytes))
            enforced.append("data_segment")
    return enforced


def _find(name: str, env: Mapping[str, str]) -> str | None:
    """The file of a command by its name; None leaves the search, and its error, to the system.

    The system searches by trying to run, with the daemon waiting: 0.1 ms for a usual PATH.
    """
    found = None if "/" in name else shutil.which(name, path=env.get("PATH"))
    return found if found and found.startswith("/") else None


@functools.cache
def _nothing() -> int:
    return os.open(os.devnull, os.O_RDONLY)


def _open_stdin(
    data: bytes, childs_ends: contextlib.ExitStack, our_ends: contextlib.ExitStack
) -> tuple[InputFeed | None, int]:
    if not data:
        return None, _nothing()
    read_end, write_end = os.pipe()
    childs_ends.callback(os.close, read_end)
    feed = InputFeed(write_end, data)
    our_ends.callback(feed.close)
    return feed, read_end


def _pipe(childs_ends: contextlib.ExitStack, our_ends: contextlib.ExitStack) -> tuple[int, int]:
    read_end, write_end = os.pipe()
    our_ends.callback(os.close, read_end)
    childs_ends.callback(os.close, write_end)
    return read_end, write_end


def _pidfd_of(popen: "subprocess.Popen[bytes]") -> int:
    try:
        return os.pidfd_open(popen.pid)
    except OSError:  # no descriptor left: what cannot be watched must not run
        popen.kill()
        popen.wait()
        raise


def _cannot_start(
    command: tuple[str, ...], cwd: str | None, error: OSError | ValueError
) -> CannotStartError:
    if cwd is not None and not Path(cwd).is_dir():
        return CannotStartError(CANNOT_RUN, f"cwd: {cwd!r} is not a directory on this host")
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    code = NOT_FOUND if isinstance(error, FileNotFoundError) else CANNOT_RUN
    return CannotStartError(code, f"cannot start {command[0]!r}: {reason}")


async def _wait_and_reap(pid: int) -> None:
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        await trio.lowlevel.wait_readable(pidfd)
    finally:
        os.close(pidfd)
    reap(pid)
