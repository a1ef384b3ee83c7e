"""What waits for a slot: soonest deadline first, with the reason in the daemon's own words."""

from protocol.snapshot import RequestState, RequestView
from tui.dashboard.store.changes import Kind
from tui.dashboard.view import words
from tui.dashboard.view.phrase import Role
from tui.dashboard.view.table import Cell, Column, Look, Table
from tui.dashboard.view.tables.names import job_name

SOON_S = 30.0
DUE_S = 10.0
"""A deadline this near is shown as a warning, or as bad."""


def left_role(left: float) -> Role:
    """How near the deadline is."""
    if left < DUE_S:
        return Role.BAD
    return Role.WARNING if left < SOON_S else Role.PLAIN


def reason(look: Look, request: RequestView) -> Cell:
    """Why it waits: what the daemon explained last, or that it was not asked yet."""
    if request.state is RequestState.ASSIGNED:
        return Cell(f"asking for slot {request.slot_id}", Role.PENDING)
    told = look.store.explanations.get(request.allocation_id)
    if told is None:
        return Cell(words.UNKNOWN_FACT, Role.DIM)
    if told.explanation is None:
        return Cell(told.error, Role.DIM)
    return Cell(told.explanation.reason)


def _severity(look: Look, request: RequestView) -> Cell:
    left = request.deadline - look.at
    return Cell("!", left_role(left)) if left < SOON_S else Cell(" ")


def _left(look: Look, request: RequestView) -> Cell:
    left = request.deadline - look.at
    return Cell(words.countdown(left), left_role(left))


def _summary(look: Look) -> str:
    requests = look.store.cluster.requests.values()
    if not requests:
        return ""
    oldest = min(request.since for request in requests)
    soon = sum(request.deadline - look.at < SOON_S for request in requests)
    ends = f", {soon} end within {SOON_S:.0f}s" if soon else ""
    return f"oldest {words.age(look.at - oldest)}{ends}"


PENDING = Table(
    "pending requests",
    Kind.REQUESTS,
    lambda store: store.cluster.requests,
    (
        Column(
            "request",
            8,
            lambda _, r: Cell(words.short(r.allocation_id)),
            lambda _, r: r.allocation_id,
            keep=9,
        ),
        Column(
            "job",
            12,
            lambda k, r: Cell(job_name(k.store, r.job_id)),
            lambda k, r: job_name(k.store, r.job_id).casefold(),
            keep=8,
            wish=24,
        ),
        Column(
            "profile",
            11,
            lambda _, r: Cell(words.profile(r.profile)),
            lambda _, r: r.profile,
            keep=4,
            wish=16,
        ),
        Column(
            "age",
            6,
            lambda k, r: Cell(words.age(k.at - r.since)),
            lambda _, r: r.since,
            keep=6,
            right=True,
        ),
        Column("left", 6, _left, lambda _, r: r.deadline, keep=7, right=True),
        Column(
            "why it waits",
            20,
            reason,
            lambda k, r: reason(k, r).text.casefold(),
            keep=9,
            grows=True,
            wish=40,
        ),
    ),
    lambda _, r: (r.deadline, r.since),
    "Nothing waits for a slot.",
    _severity,
    _summary,
    depends=frozenset({Kind.JOBS}),
    steady=True,
)
