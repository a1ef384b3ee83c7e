"""The rows wire-* and steady: slots granted over TCP, against a raw Trio echo of the same lines.

A grant is slot.allocate and slot.release with their answers, here and there. ``slotd`` has 256
slots on one executor; unless it says otherwise, a row's jobs hold theirs already.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from tests.benchmarks.conversation import Conversation, connect
from tests.benchmarks.load import Client, keep_asking, latencies
from tests.benchmarks.processes import Daemon, cpu_s, daemon, module, percentile, rss_mib
from tests.benchmarks.suite import Goal, Metric, Row, short

SLOTS = 256
_FLAGS = ("--slots", str(SLOTS), "--slot-profile", "cpu=0.001,memory=1MiB")


def slotd() -> Daemon:
    """The daemon of these rows."""
    return daemon(*_FLAGS)


@contextmanager
def at_slotd(count: int, outstanding: int) -> Iterator[list[Client]]:
    """Clients with a job each, whose pools hold as many slots as are asked for at a time."""
    with ExitStack() as lines:
        control = lines.enter_context(Conversation(slotd()))
        jobs = [control.open_job() for _ in range(count)]
        clients = [
            Client(lines.enter_context(Conversation(slotd())).socket, job_id) for job_id in jobs
        ]
        keep_asking(clients, outstanding, 2 * outstanding)
        yield clients
        for job_id in jobs:
            control.close_job(job_id)


@contextmanager
def at_echo(count: int, outstanding: int) -> Iterator[list[Client]]:
    """The same at the echo."""
    port = int(module("echo")[1])
    with ExitStack() as lines:
        clients = [Client(lines.enter_context(connect("127.0.0.1", port))) for _ in range(count)]
        keep_asking(clients, outstanding, 2 * outstanding)
        yield clients


def grant(count: int) -> Sequence[float]:
    """Milliseconds to a grant, one at a time: p50, p99."""
    with at_slotd(1, 1) as [client]:
        return _percentiles(latencies(client, count))


def echo_grant(count: int) -> Sequence[float]:
    """The same at the echo."""
    with at_echo(1, 1) as [client]:
        return _percentiles(latencies(client, count))


def grant_of_new_job(count: int) -> Sequence[float]:
    """Milliseconds to the first grant of a job that was just opened: p50, p99.

    It goes to the ResourceManager, the executor and back to the job as an offer.
    """
    taken: list[float] = []
    with Conversation(slotd()) as control, Conversation(slotd()) as line:
        for _ in range(count):
            job_id = control.open_job()
            taken += latencies(Client(line.socket, job_id), 1)
            control.close_job(job_id)
    return _percentiles(taken)


def _percentiles(taken: list[float]) -> Sequence[float]:
    return percentile(taken, 0.5) * 1e3, percentile(taken, 0.99) * 1e3


def rate(clients: int, outstanding: int, count: int) -> Sequence[float]:
    """Grants per second, and microseconds of slotd's CPU time for each."""
    with at_slotd(clients, outstanding) as asking:
        return _rate(slotd().process.pid, asking, outstanding, count)


def echo_rate(clients: int, outstanding: int, count: int) -> Sequence[float]:
    """The same at the echo."""
    with at_echo(clients, outstanding) as asking:
        return _rate(module("echo")[0].pid, asking, outstanding, count)


def _rate(pid: int, clients: list[Client], outstanding: int, count: int) -> Sequence[float]:
    before = cpu_s(pid)
    done = keep_asking(clients, outstanding, count)
    return done.per_s, (cpu_s(pid) - before) / done.grants * 1e6


def steady(count: int, limit_s: float) -> Sequence[float]:
    """Grants made; MiB that slotd grew by; grants per CPU second, the last over the first."""
    pid = slotd().process.pid
    window = count // 20

    def cost(clients: list[Client]) -> float:
        before = cpu_s(pid)
        keep_asking(clients, 64, window)
        return max(cpu_s(pid) - before, 0.01)

    with at_slotd(1, 64) as clients:
        before = rss_mib(pid)
        first = cost(clients)
        done = keep_asking(clients, 64, count - 2 * window, limit_s).grants
        last = cost(clients)
        return done + 2 * window, rss_mib(pid) - before, first / last


def rows(quick: bool) -> list[Row]:
    """The wire's rows; ``quick`` with sizes that only show that they run."""
    windows = ((1, 16), (10, 16), (1, 256), (10, 256), (100, 256))
    return [
        _grant("slot in the job's pool", 20 if quick else 1000),
        _grant_of_new_job(5 if quick else 100),
        *(
            _rate_row(clients, outstanding, 300 if quick else 5000)
            for clients, outstanding in (windows[-1:] if quick else windows)
        ),
        _steady(2000 if quick else 1_000_000, 40.0),
    ]


def _grant(where: str, count: int) -> Row:
    return Row(
        "wire-grant",
        f"1 client, {where}",
        (
            Metric("ms", Goal(at_most=1.0, ratio_at_most=5.0), "p50"),
            Metric("ms", Goal(at_most=3.0), "p99"),
        ),
        lambda: grant(count),
        lambda: echo_grant(count),
        "echo",
        pinned=False,
    )


def _grant_of_new_job(count: int) -> Row:
    return Row(
        "wire-grant",
        "1 client, first slot of a new job",
        (Metric("ms", Goal(at_most=3.3), "p50"), Metric("ms", Goal(), "p99")),
        lambda: grant_of_new_job(count),
        pinned=False,
    )


def _rate_row(clients: int, outstanding: int, count: int) -> Row:
    return Row(
        "wire-rate",
        f"{outstanding} outstanding, {clients} client{'s' * (clients > 1)}",
        (
            Metric("grants/s", Goal(ratio_at_least=0.25)),
            Metric("us CPU/grant", Goal(at_most=100.0), "cost"),
        ),
        lambda: rate(clients, outstanding, count),
        lambda: echo_rate(clients, outstanding, count),
        "echo",
        pinned=False,
    )


def _steady(count: int, limit_s: float) -> Row:
    return Row(
        "steady",
        f"64 outstanding, {short(count)} grants or {limit_s:.0f} s",
        (
            Metric("grants", Goal(), "done"),
            Metric("MiB", Goal(at_most=20.0), "RSS growth"),
            Metric("x", Goal(at_least=0.95), "rate, last / first 50k"),
        ),
        lambda: steady(count, limit_s),
        pairs=1,
        pinned=False,
    )
