"""The jobs with the counts of their pools: those that wait longest or have no leader first."""

from protocol.ids import job_master
from protocol.snapshot import JobState, JobView, LeaderView
from tui.dashboard.store.changes import Kind
from tui.dashboard.view import words
from tui.dashboard.view.phrase import Role
from tui.dashboard.view.table import Cell, Column, Look, Table


def _leader(look: Look, job: JobView) -> LeaderView | None:
    return look.store.cluster.leaders.get(job_master(job.job_id))


def _epoch(look: Look, job: JobView) -> int:
    leader = _leader(look, job)
    return -1 if leader is None else leader.epoch


def _waiting(job: JobView) -> int:
    return job.pool.pending + job.pool.waiting_for_resource_manager


def _severity(look: Look, job: JobView) -> Cell:
    return Cell("!", Role.BAD) if job.state is JobState.LEADERLESS else Cell(" ")


def _state(look: Look, job: JobView) -> Cell:
    bad = job.state is JobState.LEADERLESS
    return Cell(job.state.value.lower(), Role.BAD if bad else Role.GOOD)


def _number(number: int, role: Role = Role.PLAIN) -> Cell:
    return Cell(words.count(number), role if number else Role.DIM)


def worst_first(look: Look, job: JobView) -> tuple[object, ...]:
    """Without a leader, then waiting, then by name."""
    return (job.state is not JobState.LEADERLESS, -_waiting(job), job.name.casefold(), job.job_id)


def _leader_cell(look: Look, job: JobView) -> Cell:
    leader = _leader(look, job)
    return Cell("none", Role.BAD) if leader is None else Cell(words.short(leader.leader_id))


def _epoch_cell(look: Look, job: JobView) -> Cell:
    epoch = _epoch(look, job)
    return Cell(words.UNKNOWN_FACT if epoch < 0 else str(epoch))


JOBS = Table(
    "jobs",
    Kind.JOBS,
    lambda store: store.cluster.jobs,
    (
        Column("job", 8, lambda _, j: Cell(words.short(j.job_id)), lambda _, j: j.job_id, keep=3),
        Column("name", 10, lambda _, j: Cell(j.name), lambda _, j: j.name.casefold(), 9, wish=32),
        Column("state", 10, _state, lambda _, j: j.state.value, keep=6),
        Column(
            "alloc",
            6,
            lambda _, j: _number(j.pool.allocated, Role.ALLOCATED),
            lambda _, j: -j.pool.allocated,
            keep=8,
            right=True,
        ),
        Column(
            "avail",
            6,
            lambda _, j: _number(j.pool.available),
            lambda _, j: -j.pool.available,
            keep=7,
            right=True,
        ),
        Column(
            "pend",
            6,
            lambda _, j: _number(j.pool.pending, Role.PENDING),
            lambda _, j: -j.pool.pending,
            keep=8,
            right=True,
        ),
        Column(
            "no RM",
            6,
            lambda _, j: _number(j.pool.waiting_for_resource_manager, Role.WARNING),
            lambda _, j: -j.pool.waiting_for_resource_manager,
            keep=5,
            right=True,
        ),
        Column("leader", 8, _leader_cell, lambda _, j: j.leader_id or "", keep=4),
        Column("epoch", 5, _epoch_cell, _epoch, keep=5, right=True),
    ),
    worst_first,
    "No job is open.",
    _severity,
    depends=frozenset({Kind.LEADERS}),
    ticks=False,
)
