"""The anchors of the rows of commands: other ways to run the same command, in the same run."""

import functools
import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Sequence

import trio

from tests.benchmarks.processes import at_end, directory, environment
from tests.benchmarks.suite import Goal

TRUE = ["/bin/true"]
TSP = shutil.which("tsp")
PARALLEL = shutil.which("parallel")

RIVALS: list[tuple[list[str], Goal]] = []
"""Commands that do what ``slotctl run -- true`` does, as far as they are installed."""
if PARALLEL is not None:
    RIVALS.append(([PARALLEL, "-j2", "--will-cite", "true", ":::", ""], Goal(ratio_at_most=1.0)))


def run_process(count: int) -> list[float]:
    """Seconds that each of ``trio.run_process`` takes, one after the other."""

    async def main() -> list[float]:
        taken: list[float] = []
        for _ in range(count):
            begin = time.perf_counter()
            await trio.run_process(TRUE)
            taken.append(time.perf_counter() - begin)
        return taken

    return trio.run(main)


def run_process_at_once(count: int) -> float:
    """Milliseconds until so many, started together, have ended."""

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(count):
                nursery.start_soon(trio.run_process, TRUE)

    begin = time.perf_counter()
    trio.run(main)
    return (time.perf_counter() - begin) * 1e3


def lean_loop(at_once: int, count: int) -> Sequence[float]:
    """The leanest way found, in Trio: commands per second, microseconds of own CPU for each."""
    todo = iter(range(count))

    async def work() -> None:
        for _ in todo:
            pid = os.posix_spawn(TRUE[0], TRUE, os.environ)  # noqa: ASYNC221  that is the point
            watched = os.pidfd_open(pid)
            await trio.lowlevel.wait_readable(watched)
            os.waitpid(pid, 0)  # noqa: ASYNC222  it has ended
            os.close(watched)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(at_once):
                nursery.start_soon(work)

    cpu, begin = time.process_time(), time.perf_counter()
    trio.run(main)
    taken, spent = time.perf_counter() - begin, time.process_time() - cpu
    return count / taken, spent / count * 1e6


@functools.cache
def _spooler() -> dict[str, str]:
    """The environment of a task-spooler of our own; its server ends with the run."""
    at = environment() | {"TS_SOCKET": str(directory() / "socket")}
    at_end(functools.partial(_end_spooler, at))
    return at


def _end_spooler(at: dict[str, str]) -> None:
    _spooler.cache_clear()
    subprocess.run([TSP or "tsp", "-K"], env=at, check=False)  # it never says 0


def _tsp(*words: str) -> str:
    done = subprocess.run(
        [TSP or "tsp", *words], env=_spooler(), check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def tsp(count: int) -> list[float]:
    """Seconds from submitting a command to a task-spooler until its exit status is known."""
    taken: list[float] = []
    _tsp("-w", _tsp("-n", *TRUE))
    for _ in range(count):
        begin = time.perf_counter()
        _tsp("-w", _tsp("-n", *TRUE))
        taken.append(time.perf_counter() - begin)
    return taken


def wall_ms(command: Sequence[str], count: int) -> float:
    """Milliseconds that a shell command takes, the median."""
    taken: list[float] = []
    for _ in range(count):
        begin = time.perf_counter()
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, env=environment())
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken) * 1e3
