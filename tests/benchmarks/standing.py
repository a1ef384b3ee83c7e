"""The rows start and idle: what slotd takes before and between requests."""

import sys
import time
from collections.abc import Sequence

from tests.benchmarks.conversation import Conversation
from tests.benchmarks.others import wall_ms
from tests.benchmarks.processes import cpu_s, daemon, directory, end, launch, module, rss_mib
from tests.benchmarks.suite import Goal, Metric, Row


def start() -> Sequence[float]:
    """Milliseconds from starting the process until its first grant; of CPU time."""
    begin = time.perf_counter()
    started = launch(directory() / "state", "--slots", "2")
    try:
        with Conversation(started) as line:
            line.ask("slot.allocate", job_id=line.open_job())
            taken = time.perf_counter() - begin
            spent = cpu_s(started.process.pid)
    finally:
        end(started.process)
    return taken * 1e3, spent * 1e3


def import_trio() -> float:
    """Milliseconds of ``python -c "import trio"``."""
    return wall_ms([sys.executable, "-c", "import trio"], 1)


def idle(seconds: float) -> Sequence[float]:
    """MiB in memory; percent of a core in ``seconds``."""
    return _standing(daemon("--executors", "10", "--slots", "1").process.pid, seconds)


def bare(seconds: float) -> Sequence[float]:
    """The same for a Trio process that waits."""
    return _standing(module("bare")[0].pid, seconds)


def _standing(pid: int, seconds: float) -> Sequence[float]:
    before = cpu_s(pid)
    time.sleep(seconds)
    return rss_mib(pid), (cpu_s(pid) - before) / seconds * 100


def rows(quick: bool) -> list[Row]:
    """One start, one longer look at an idle daemon: the heartbeats of 10 s are in it."""
    seconds = 0.1 if quick else 10.0
    return [
        Row(
            "start",
            "until the first grant, all roles",
            (
                Metric("ms", Goal(at_most=500.0), "wall"),
                Metric("ms CPU", Goal(), "cost"),
            ),
            start,
            import_trio,
            'python -c "import trio"',
            pinned=False,
        ),
        Row(
            "idle",
            f"all roles, 10 executors, {seconds:g} s",
            (
                Metric("MiB", Goal(at_most=50.0), "RSS"),
                Metric("% CPU", Goal(at_most=0.5), "load"),
            ),
            lambda: idle(seconds),
            lambda: bare(0.1),
            "bare Trio process",
            pairs=3,
            pinned=False,
        ),
    ]
