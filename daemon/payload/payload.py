"""One command in a slot: started, streamed, ended with its whole process group."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import attrs

from protocol.ids import TaskId


@attrs.frozen
class PayloadSpecification:
    """What to run and where. ``env`` is complete; ``cpus`` is None where no core is reserved."""

    task_id: TaskId
    command: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str | None
    stdin: bytes
    scratch_parent: Path
    cpus: frozenset[int] | None
    memory_mb: int | None


@attrs.frozen
class Chunk:
    """A piece of a stream (``stdout`` or ``stderr``); ``offset``: the bytes before it."""

    stream: str
    offset: int
    data: bytes


@attrs.frozen
class PayloadExit:
    """How it ended: ``exit_code`` or ``signal``; ``cause`` when we ended it or could not start it."""

    exit_code: int | None = None
    signal: int | None = None
    cause: str | None = None


class Payload:
    """A command in its own session and process group, with a scratch directory of its own."""

    def __init__(self, specification: PayloadSpecification, grace_s: float) -> None:
        raise NotImplementedError

    @property
    def enforced(self) -> list[str]:
        """Which parts of the profile the system enforces, e.g. ``["cpu_affinity"]``."""
        raise NotImplementedError

    async def run(self, on_output: Callable[[Chunk], Awaitable[None]]) -> PayloadExit:
        """Run to the end; no process of the group and no scratch file is left on any way out.

        A command that cannot be started exits with 127 (not found) or 126 (cannot run), as a shell
        does. Cancelling ``run`` kills at once.
        """
        raise NotImplementedError

    def stop(self, cause: str, grace_s: float | None = None) -> None:
        """TERM now, KILL after the grace; ``run`` returns with this cause."""
        raise NotImplementedError
