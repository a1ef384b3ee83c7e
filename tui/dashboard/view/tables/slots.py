"""The slots: who has each, and since when."""

from protocol.ids import executor_of, slot_number_of
from protocol.snapshot import ExecutorState, SlotView
from tui.dashboard.store.changes import Kind
from tui.dashboard.store.store import Phase
from tui.dashboard.view import words
from tui.dashboard.view.phrase import Role, role_of
from tui.dashboard.view.table import Cell, Column, Look, Table
from tui.dashboard.view.tables.names import job_name, natural


def by_place(look: Look, slot: SlotView) -> tuple[object, ...]:
    """Executors in their natural order, slots by number."""
    return (natural(executor_of(slot.slot_id)), slot_number_of(slot.slot_id))


def _draining(look: Look, slot: SlotView) -> bool:
    executor = look.store.cluster.executors.get(executor_of(slot.slot_id))
    return executor is not None and executor.state is ExecutorState.DRAINING


def _severity(look: Look, slot: SlotView) -> Cell:
    return Cell("!", Role.WARNING) if _draining(look, slot) else Cell(" ")


def _state(look: Look, slot: SlotView) -> Cell:
    phase = look.store.phase(slot)
    if phase is Phase.FREE and _draining(look, slot):
        return Cell("draining", Role.WARNING)
    return Cell(phase.value, role_of(phase))


def _commands(look: Look, slot: SlotView) -> int:
    return look.store.tasks_in.get(slot.slot_id, 0)


def _summary(look: Look) -> str:
    return words.counted(look.store.counts.get(Phase.FREE, 0), "free slot")


SLOTS = Table(
    "slots",
    Kind.SLOTS,
    lambda store: store.cluster.slots,
    (
        Column("slot", 12, lambda _, s: Cell(s.slot_id), by_place, keep=9, wish=24),
        Column("state", 9, _state, lambda k, s: list(Phase).index(k.store.phase(s)), keep=9),
        Column(
            "job",
            14,
            lambda k, s: Cell(job_name(k.store, s.job_id)),
            lambda k, s: job_name(k.store, s.job_id).casefold(),
            keep=8,
            wish=24,
        ),
        Column(
            "cmds",
            4,
            lambda k, s: Cell(str(_commands(k, s) or "")),
            lambda k, s: -_commands(k, s),
            keep=3,
            right=True,
        ),
        Column(
            "allocation",
            10,
            lambda _, s: Cell(words.short(s.allocation_id)),
            lambda _, s: s.allocation_id or "~",
            keep=4,
        ),
        Column(
            "profile", 14, lambda _, s: Cell(words.profile(s.profile)), lambda _, s: s.profile, 5
        ),
        Column(
            "since",
            6,
            lambda k, s: Cell(words.age(k.at - s.since)),
            lambda _, s: -s.since,
            keep=6,
            right=True,
        ),
    ),
    by_place,
    "No slot is registered.",
    _severity,
    _summary,
    depends=frozenset({Kind.JOBS, Kind.EXECUTORS}),
    steady=True,
)
