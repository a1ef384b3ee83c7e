"""One command in a slot: started, streamed, ended with its whole process group."""

import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import attrs
import structlog
import trio

from daemon.payload.process import CANNOT_RUN, CannotStartError, CommandProcess, limit, start
from daemon.payload.scratch import make_scratch, remove_if_empty, remove_tree
from daemon.payload.streams import Chunk
from protocol.ids import TaskId

__all__ = ["Chunk", "Payload", "PayloadExit", "PayloadSpecification"]

_KILL_LIMIT_S = 10.0
"""How long we wait for the kernel to end what was killed, and for scratch files to go."""

_log = structlog.get_logger()


@attrs.frozen
class PayloadSpecification:
    """What to run and where. ``env`` is complete; ``cpus`` is None where no core is reserved."""

    task_id: TaskId
    command: tuple[str, ...]
    env: Mapping[str, str] = attrs.field(repr=False)
    cwd: str | None
    stdin: bytes = attrs.field(repr=False)
    scratch_parent: Path
    cpus: frozenset[int] | None
    memory_mb: int | None


@attrs.frozen
class PayloadExit:
    """How it ended: ``exit_code`` or ``signal``; ``cause`` if we ended it or could not start it."""

    exit_code: int | None = None
    signal: int | None = None
    cause: str | None = None


class Payload:
    """A command in its own session and process group, with a scratch directory of its own."""

    def __init__(self, specification: PayloadSpecification, grace_s: float) -> None:
        self._specification = specification
        self._grace_s = grace_s
        self._cause: str | None = None
        self._until_kill = trio.CancelScope()
        self._process: CommandProcess | None = None
        self._has_exited = False
        self._enforced: list[str] = []

    @property
    def enforced(self) -> list[str]:
        """Which parts of the profile the system enforces: ``cpu_affinity``, ``data_segment``.

        Empty until the command runs.
        """
        return list(self._enforced)

    async def run(self, on_output: Callable[[Chunk], Awaitable[None]]) -> PayloadExit:
        """Run to the end; no process of the group and no scratch file is left on any way out.

        A command that cannot be started exits with 127 (not found) or 126 (cannot run), as a shell
        does. Cancelling ``run`` kills at once. ``on_output`` is awaited chunk by chunk and holds
        back the command alone; all output was handed over when ``run`` returns. What it raises ends
        the command and leaves ``run`` in an ExceptionGroup.
        """
        if self._cause is not None:
            return PayloadExit(cause=self._cause)
        try:
            scratch = make_scratch(self._specification.scratch_parent)
        except OSError as error:
            return PayloadExit(CANNOT_RUN, cause=f"cannot make a scratch directory: {error}")
        try:
            process = self._start(scratch)
            return await self._run(process, on_output)
        except CannotStartError as error:
            return PayloadExit(error.exit_code, cause=str(error))
        finally:
            if not remove_if_empty(scratch):
                await _remove(scratch)

    def stop(self, cause: str, grace_s: float | None = None) -> None:
        """TERM now, KILL after the grace; ``run`` returns with this cause.

        The first cause stays; a later call can only bring the KILL nearer.
        """
        if self._cause is None and not self._has_exited:
            self._cause = cause
        grace_s = self._grace_s if grace_s is None else grace_s
        self._kill_at(trio.current_time() + grace_s)
        if self._process is not None:
            self._process.terminate()

    def _kill_at(self, deadline: float) -> None:
        self._until_kill.deadline = min(self._until_kill.deadline, deadline)

    def _start(self, scratch: Path) -> CommandProcess:
        wanted = self._specification
        env = {**wanted.env, "SLOT_TMPDIR": str(scratch), "TMPDIR": str(scratch)}
        marker = os.fsencode(f"SLOT_TMPDIR={scratch}")
        process = start(wanted.command, env, marker, wanted.cwd, wanted.stdin)
        self._enforced = limit(process.pid, wanted.cpus, wanted.memory_mb)
        return process

    async def _run(
        self, process: CommandProcess, on_output: Callable[[Chunk], Awaitable[None]]
    ) -> PayloadExit:
        self._process = process
        is_ended = False
        try:
            async with trio.open_nursery() as nursery:
                for output in process.outputs:
                    nursery.start_soon(output.run, on_output)
                if process.stdin is not None and not process.stdin.is_done:
                    nursery.start_soon(process.stdin.run)
                is_ended = await self._until_ended(process)
                for output in process.outputs:
                    output.finish()
                if process.stdin is not None:
                    process.stdin.close()
        finally:
            if not is_ended:
                await _kill(process)
            self._process = None
            status = process.close()
        return self._exit(status)

    async def _until_ended(self, process: CommandProcess) -> bool:
        with self._until_kill:
            await process.wait_main()
            self._has_exited = True
            if process.orphans():
                self._kill_at(trio.current_time() + self._grace_s)
                process.terminate()
                await process.wait_orphans()
        if self._until_kill.cancelled_caught:
            await _kill(process)
        return True

    def _exit(self, status: int | None) -> PayloadExit:
        if status is None:
            return PayloadExit(cause=f"{self._cause}: it does not end even when killed")
        if status < 0:
            return PayloadExit(signal=-status, cause=self._cause)
        return PayloadExit(exit_code=status, cause=self._cause)


async def _kill(process: CommandProcess) -> None:
    with trio.CancelScope(shield=True, deadline=trio.current_time() + _KILL_LIMIT_S) as patience:
        await process.kill()
    if patience.cancelled_caught:
        _log.warning("processes_not_ended", pid=process.pid, orphans=process.orphans())


async def _remove(scratch: Path) -> None:
    with trio.CancelScope(shield=True, deadline=trio.current_time() + _KILL_LIMIT_S):
        try:
            await trio.to_thread.run_sync(remove_tree, scratch, abandon_on_cancel=True)
        except OSError as error:
            _log.warning("scratch_not_removed", path=str(scratch), error=str(error))
