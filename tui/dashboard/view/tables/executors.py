"""The task executors and how full they are: those that drain first."""

from protocol.snapshot import ExecutorState, ExecutorView
from tui.dashboard.store.changes import Kind
from tui.dashboard.view import words
from tui.dashboard.view.phrase import Role
from tui.dashboard.view.table import Cell, Column, Look, Table
from tui.dashboard.view.tables.names import natural


def _is_draining(executor: ExecutorView) -> bool:
    return executor.state is ExecutorState.DRAINING


def _severity(look: Look, executor: ExecutorView) -> Cell:
    return Cell("!", Role.WARNING) if _is_draining(executor) else Cell(" ")


def _state(look: Look, executor: ExecutorView) -> Cell:
    role = Role.WARNING if _is_draining(executor) else Role.GOOD
    return Cell(executor.state.value.lower(), role)


def worst_first(look: Look, executor: ExecutorView) -> tuple[object, ...]:
    """Draining, then by name."""
    return (not _is_draining(executor), natural(executor.resource_id))


def _summary(look: Look) -> str:
    draining = sum(_is_draining(e) for e in look.store.cluster.executors.values())
    return f"{draining} draining" if draining else ""


EXECUTORS = Table(
    "executors",
    Kind.EXECUTORS,
    lambda store: store.cluster.executors,
    (
        Column(
            "executor",
            12,
            lambda _, e: Cell(e.resource_id),
            lambda _, e: natural(e.resource_id),
            keep=9,
            wish=24,
        ),
        Column("state", 10, _state, lambda _, e: e.state.value, keep=8),
        Column(
            "slots", 5, lambda _, e: Cell(str(e.slots)), lambda _, e: -e.slots, keep=7, right=True
        ),
        Column(
            "used",
            5,
            lambda _, e: Cell(str(e.slots - e.free), Role.ACTIVE if e.slots - e.free else Role.DIM),
            lambda _, e: e.free - e.slots,
            keep=8,
            right=True,
        ),
        Column(
            "free",
            5,
            lambda _, e: Cell(str(e.free), Role.PLAIN if e.free else Role.DIM),
            lambda _, e: -e.free,
            keep=8,
            right=True,
        ),
        Column("host", 14, lambda _, e: Cell(e.host), lambda _, e: natural(e.host), 5, wish=24),
        Column(
            "instance",
            8,
            lambda _, e: Cell(words.short(e.instance_id)),
            lambda _, e: e.instance_id,
            keep=3,
        ),
        Column("address", 21, lambda _, e: Cell(e.address), lambda _, e: e.address, keep=2),
    ),
    worst_first,
    "No executor has registered. Start one: slotd --roles task-executor",
    _severity,
    _summary,
    ticks=False,
)
