"""What happens when a role crashes: it starts again, a few times; then the crash goes on."""

from collections import deque
from collections.abc import Awaitable, Callable

import structlog
import trio

log = structlog.get_logger()


class FatalError(Exception):
    """Not worth a restart: ends the daemon (B11, E29)."""


async def supervise(
    name: str,
    run: Callable[[], Awaitable[None]],
    *,
    max_restarts: int = 3,
    window_s: float = 60.0,
) -> None:
    """Run ``run`` until it returns; restart it when it crashes.

    Raises:
        Exception: what it crashed with, once it did more than ``max_restarts`` times in
            ``window_s`` seconds, or with a FatalError at once.
    """
    crashes: deque[float] = deque()
    while True:
        try:
            return await _run_alone(name, run)
        except Exception as crash:
            now = trio.current_time()
            crashes.append(now)
            while crashes[0] < now - window_s:
                crashes.popleft()
            if len(crashes) > max_restarts or is_fatal(crash):
                raise
            log.exception("role_crashed", role=name, restart=len(crashes))


async def contain(
    name: str, run: Callable[[], Awaitable[None]], give_up: Callable[[str], None]
) -> None:
    """Run ``run``; a crash is reported to ``give_up`` and goes no further."""
    try:
        await _run_alone(name, run)
    except Exception as crash:
        log.exception("role_gave_up", role=name)
        give_up(f"{name} crashed: {crash!r}")


async def _run_alone(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run; a crash that meets our own cancellation is logged and the cancellation goes on."""
    try:
        await run()
    except BaseExceptionGroup as group:
        cancelled, crashes = group.split(trio.Cancelled)
        if cancelled is None or crashes is None:
            raise
        log.warning("role_crashed_at_the_end", role=name, exc_info=crashes)
        raise cancelled from None


def is_fatal(crash: BaseException) -> bool:
    """Whether a FatalError is in there."""
    if isinstance(crash, BaseExceptionGroup):
        return any(is_fatal(inner) for inner in crash.exceptions)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType, reportUnknownMemberType]  # BaseExceptionGroup is generic
    return isinstance(crash, FatalError)
