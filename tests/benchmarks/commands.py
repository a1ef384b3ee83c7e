"""The rows run-* and job-up: commands through slotd, against other ways to run the same command.

Scratch directories are in memory, unless a row says otherwise: the anchors touch no disk, and what
removing a directory costs is the file system's (a millisecond where freed blocks are discarded).
"""

import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import attrs

from tests.benchmarks import others
from tests.benchmarks.conversation import Conversation, fresh_id
from tests.benchmarks.others import TRUE
from tests.benchmarks.processes import Daemon, cpu_s, daemon, percentile
from tests.benchmarks.runner import Runner
from tests.benchmarks.suite import Goal, Metric, Row, short

READY = ["/bin/sh", "-c", "echo; exec sleep 60"]
"""What it says proves that it runs."""


def two_slots() -> Daemon:
    """A usual slotd: a core and memory for each slot, both enforced."""
    return daemon("--slots", "2", "--slot-profile", "cpu=1,memory=256MiB", *_IN_MEMORY)


def many_slots() -> Daemon:
    """A slotd with more slots than cores: only memory is enforced."""
    return daemon("--slots", "128", "--slot-profile", "cpu=0.01,memory=64MiB", *_IN_MEMORY)


def on_disk() -> Daemon:
    """The same with scratch directories where the system has them."""
    return daemon("--slots", "128", "--slot-profile", "cpu=0.01,memory=64MiB")


_SHM = Path("/dev/shm")
_IN_MEMORY = ("--scratch-dirs", str(_SHM)) if os.access(_SHM, os.W_OK) else ()


# --- run-one: a slot, a command in it, its exit status


def run_one(count: int) -> Sequence[float]:
    """Milliseconds from asking for the slot to the exit status: p50, p99."""
    taken: list[float] = []
    with Conversation(two_slots()) as line:
        job_id = line.open_job()
        for _ in range(count + 1):
            ids = {"job_id": job_id, "request_id": fresh_id()}
            begin = time.perf_counter()
            line.ask("slot.allocate", **ids)
            line.send("task.run", **ids, command=TRUE)
            assert line.until("task.finished")["exit_code"] == 0
            taken.append(time.perf_counter() - begin)
            line.ask("slot.release", **ids)
        line.close_job(job_id)
    return percentiles(taken[1:])


def percentiles(taken: list[float]) -> Sequence[float]:
    """p50 and p99 in milliseconds."""
    return percentile(taken, 0.5) * 1e3, percentile(taken, 0.99) * 1e3


# --- run-cli: the same as a shell command


def run_cli(count: int) -> float:
    """Milliseconds of ``slotctl run -- true``."""
    code = "from tui.ctl.__main__ import main; main()"
    flags = ["--state-dir", str(two_slots().state_dir)]
    command = [sys.executable, "-c", code, "run", *flags, "--", *TRUE]
    return others.wall_ms(command, count)


# --- run-rate: many short commands, one connection


def run_rate(
    served: Daemon, slots: int, count: int, *, keeps_slots: bool = True
) -> Sequence[float]:
    """Commands per second, and microseconds of slotd's CPU time for each."""
    pid = served.process.pid
    with Conversation(served) as line:
        runner = Runner(line, line.open_job(), keeps_slots=keeps_slots)
        runner.run(slots, slots)
        before, begin = cpu_s(pid), time.perf_counter()
        runner.run(slots, count)
        taken, spent = time.perf_counter() - begin, cpu_s(pid) - before
        line.close_job(runner.job_id)
    return count / taken, spent / count * 1e6


def decay(count: int) -> Sequence[float]:
    """Commands run; per second; the rate of the last tenth over that of the first."""
    with Conversation(many_slots()) as line:
        runner = Runner(line, line.open_job(), keeps_slots=True)
        begin = time.perf_counter()
        ends = [begin, *runner.run(16, count)]
        line.close_job(runner.job_id)
    done = len(ends) - 1
    tenth = max(1, done // 10)
    first, last = ends[tenth] - begin, ends[-1] - ends[-1 - tenth]
    return done, done / (ends[-1] - begin), first / last


# --- job-up: all tasks of a job run and hold their slots


def job_up(tasks: int, count: int) -> Sequence[float]:
    """Milliseconds from opening a job until every task of it has said something: p50, max."""
    taken: list[float] = []
    with Conversation(many_slots()) as line:
        for _ in range(count):
            begin = time.perf_counter()
            job_id = line.open_job()
            runner = Runner(line, job_id, keeps_slots=True)
            runner.start(tasks, READY)
            for _ in range(tasks):
                runner.until("task.output")
            taken.append((time.perf_counter() - begin) * 1e3)
            line.close_job(job_id)
    return percentile(taken, 0.5), max(taken)


# --- the rows


def rows(quick: bool) -> list[Row]:
    """The rows of commands; ``quick`` with sizes that only show that they run."""
    few = 3 if quick else 100
    some = 20 if quick else 600
    return [
        *_run_one(few),
        *_run_cli(1 if quick else 5),
        *(_run_rate(f"{slots} slots", many_slots, slots, some) for slots in (2, 16)),
        _run_rate("16 slots, one for each", many_slots, 16, some, keeps_slots=False),
        _run_rate("16 slots, scratch in /tmp", on_disk, 16, some),
        Row(
            "run-rate",
            f"{short(100 if quick else 50_000)} x true or 40 s, 16 slots",
            (
                Metric("commands", Goal(), "done"),
                Metric("commands/s", Goal(at_least=780.0), "long"),
                Metric("x", Goal(at_least=0.95), "last tenth / first"),
            ),
            lambda: decay(100 if quick else 50_000),
            pairs=1,
            pinned=False,
        ),
        *(
            _job_up(tasks, 1 if quick else count, at_most_ms)
            for tasks, count, at_most_ms in ((1, 20, 10.0), (10, 4, 20.0), (100, 1, 100.0))
        ),
    ]


def _run_one(count: int) -> list[Row]:
    p99 = Metric("ms", Goal(at_most=6.0), "p99")
    row = Row(
        "run-one",
        "allocate, run true, 1 client",
        (Metric("ms", Goal(at_most=2.5), "p50"), p99),
        lambda: run_one(count),
        lambda: percentiles(others.run_process(count)),
        "trio.run_process",
        pinned=False,
    )
    if others.TSP is None:
        return [row]
    goal = Goal(at_most=2.5, ratio_at_most=1.2)
    return [
        row,
        attrs.evolve(
            row,
            metrics=(Metric("ms", goal, "p50"), p99),
            anchor=lambda: percentiles(others.tsp(count)),
            anchor_name="tsp, submit and wait",
        ),
    ]


def _run_cli(count: int) -> list[Row]:
    def against(name: str, anchor: Callable[[], float], goal: Goal) -> Row:
        return Row(
            "run-cli",
            "slotctl run -- true",
            (Metric("ms", goal),),
            lambda: run_cli(count),
            anchor,
            name,
            pinned=False,
        )

    return [
        against(
            "1.5 x python -c pass + 3 ms",
            lambda: 1.5 * others.wall_ms([sys.executable, "-c", "pass"], count) + 3.0,
            Goal(ratio_at_most=1.0),
        ),
        *(
            against(" ".join(command[1:]), partial(others.wall_ms, command, count), goal)
            for command, goal in others.RIVALS
        ),
    ]


def _run_rate(
    where: str, served: Callable[[], Daemon], slots: int, count: int, *, keeps_slots: bool = True
) -> Row:
    return Row(
        "run-rate",
        f"{short(count)} x true, {where}",
        (
            Metric("commands/s", Goal(ratio_at_least=0.4)),
            Metric("us CPU/command", Goal(), "cost"),
        ),
        lambda: run_rate(served(), slots, count, keeps_slots=keeps_slots),
        lambda: others.lean_loop(slots, count),
        "posix_spawn + pidfd",
        pinned=False,
    )


def _job_up(tasks: int, count: int, at_most_ms: float) -> Row:
    return Row(
        "job-up",
        f"{tasks} task{'s' * (tasks > 1)}",
        (Metric("ms", Goal(at_most=at_most_ms), "p50"), Metric("ms", Goal(), "max")),
        lambda: job_up(tasks, count),
        lambda: others.run_process_at_once(tasks),
        "run_process at once",
        pinned=False,
    )
