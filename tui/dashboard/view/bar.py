"""The lines at the top of every page: the link, the leaders with their epochs, the counts."""

import attrs

from protocol.ids import RESOURCE_MANAGER, job_master
from protocol.snapshot import ExecutorState, JobView, LeaderView
from tui.dashboard.link.news import LinkState
from tui.dashboard.store.store import Phase, Store
from tui.dashboard.view import words
from tui.dashboard.view.glyphs import Glyphs
from tui.dashboard.view.phrase import Phrase, Role, plain, role_of

WIDE = 100
NEW_TERM_S = 10.0
"""For how long a new term is pointed out."""

_GAP = ("  ", Role.PLAIN)
_LINK_ROLES = {
    LinkState.CONNECTING: Role.WARNING,
    LinkState.SYNCING: Role.WARNING,
    LinkState.LIVE: Role.GOOD,
    LinkState.STALE: Role.WARNING,
    LinkState.RECONNECTING: Role.WARNING,
    LinkState.DENIED: Role.BAD,
    LinkState.VERSION: Role.BAD,
}


@attrs.frozen
class Pause:
    """The picture stands still since ``at`` (daemon's clock); ``held`` changes wait behind it."""

    at: float
    held: int


def link_line(
    store: Store, now: float, width: int, glyphs: Glyphs, rate: float, pause: Pause | None
) -> Phrase:
    """The state of the link in words, then what matters in that state, most important first."""
    status = store.status
    line: Phrase = [
        (" slotd  ", Role.TITLE),
        (f"{glyphs.link[status.state]} {status.state.value}", _LINK_ROLES[status.state]),
    ]
    if status.state is LinkState.LIVE:
        line += _live(store, width, rate)
    else:
        line += [(text, Role.STRONG) for text in _troubled(store, now)]
    if pause is not None:
        line[2:2] = [
            _GAP,
            (f"{glyphs.paused} PAUSED since {words.clock(pause.at)[:8]}", Role.WARNING),
            (f", {words.counted(pause.held, 'change')} behind", Role.WARNING),
        ]
    return line


def _live(store: Store, width: int, rate: float) -> Phrase:
    facts = [store.status.cluster, f"seq {store.cluster.seq}", f"{rate:.0f} changes/s"]
    if width >= WIDE:
        facts.insert(1, store.status.address)
    return [piece for fact in facts for piece in (_GAP, (fact, Role.PLAIN))]


def _troubled(store: Store, now: float) -> list[str]:
    status = store.status
    retry = "" if status.retry_at is None else words.age(status.retry_at - now)
    tries = f" (try {status.attempt})" if status.attempt > 1 else ""
    match status.state:
        case LinkState.CONNECTING | LinkState.RECONNECTING:
            facts = [f" in {retry}{tries}" if retry else tries, *_data_age(store, now)]
            return [*facts, f"  {status.detail}", f"  {status.address}"]
        case LinkState.STALE:
            return [*_data_age(store, now), "  the daemon is silent", f"  {status.cluster}"]
        case LinkState.SYNCING:
            return [*_data_age(store, now), f"  {status.detail}", f"  {status.cluster}"]
        case LinkState.DENIED:
            return ["  R tries again", *_data_age(store, now), f"  {status.detail}"]
        case LinkState.VERSION:
            return [f"  {status.detail}", *_data_age(store, now)]
        case LinkState.LIVE:
            return []


def _data_age(store: Store, now: float) -> list[str]:
    heard_at = store.status.heard_at
    if not store.known or heard_at is None:
        return []
    return [f"  data is {words.age(now - heard_at)} old"]


def leaders_line(store: Store, at: float, width: int, glyphs: Glyphs) -> Phrase:
    """Who leads, with epochs: the ResourceManager, then the JobMasters; ``at`` as the daemon's."""
    if not store.known:
        return [(f" RM {words.UNKNOWN_FACT}   JM {words.UNKNOWN_FACT}", Role.DIM)]
    line: Phrase = [(" RM ", Role.TITLE), *_resource_manager(store, at, glyphs)]
    line.append(("   JM ", Role.TITLE))
    return line + _job_masters(store, at, width - len(plain(line)), glyphs)


def _resource_manager(store: Store, at: float, glyphs: Glyphs) -> Phrase:
    leader = store.cluster.leaders.get(RESOURCE_MANAGER)
    earlier = store.earlier_terms.get(RESOURCE_MANAGER)
    if leader is None:
        since = "" if earlier is None else f" for {words.age(at - earlier.ended_at)}"
        was = "" if earlier is None else f" (epoch {earlier.epoch} ended)"
        return [(f"! no leader{since}{was}", Role.BAD)]
    new = earlier is not None and at - leader.since < NEW_TERM_S
    line: Phrase = [
        (f"{glyphs.leads} {words.short(leader.leader_id)} ", Role.PLAIN),
        (f"epoch {leader.epoch}", Role.WARNING if new else Role.STRONG),
        (f" for {words.age(at - leader.since)}", Role.PLAIN),
    ]
    if new and earlier is not None:
        line.append((f", was epoch {earlier.epoch}", Role.WARNING))
    return line


def _job_masters(store: Store, at: float, room: int, glyphs: Glyphs) -> Phrase:
    jobs = store.cluster.jobs
    if not jobs:
        return [("no job", Role.DIM)]
    led: list[tuple[JobView, LeaderView]] = []
    leaderless: list[JobView] = []
    for job in jobs.values():
        leader = store.cluster.leaders.get(job_master(job.job_id))
        if leader is None:
            leaderless.append(job)
        else:
            led.append((job, leader))
    line: Phrase = [(f"{words.count(len(led))} of {words.count(len(jobs))} led", Role.PLAIN)]
    if leaderless:
        names = ", ".join(job.name for job in leaderless[:3])
        more = f" and {len(leaderless) - 3} more" if len(leaderless) > 3 else ""
        line.append((f"  ! without leader: {names}{more}", Role.BAD))
    newest_first = sorted(led, key=lambda pair: -pair[1].since)
    return line + _terms(newest_first, at, room - len(plain(line)), glyphs)


def _terms(led: list[tuple[JobView, LeaderView]], at: float, room: int, glyphs: Glyphs) -> Phrase:
    """As many jobs with their epochs as ``room`` allows, and how many more there are."""
    line: Phrase = []
    for index, (job, leader) in enumerate(led):
        name = f"  {glyphs.leads} {job.name} "
        more = f"  +{len(led) - index - 1}" if index + 1 < len(led) else ""
        room -= len(name) + len(epoch := f"e{leader.epoch}")
        if room < len(more):
            line.append((f"  +{len(led) - index}", Role.DIM))
            break
        new = leader.epoch > 1 and at - leader.since < NEW_TERM_S
        line += [(name, Role.PLAIN), (epoch, Role.WARNING if new else Role.STRONG)]
    return line


def counts_line(store: Store, width: int, glyphs: Glyphs) -> Phrase:
    """How many slots are in each phase, and how many executors, requests and tasks there are."""
    wide = width >= WIDE
    line: Phrase = []
    for glyph, phase in glyphs.phase_key():
        number = words.count(store.counts[phase]) if store.known else words.UNKNOWN_FACT
        name = phase.value if wide else _SHORT.get(phase, phase.value)
        line.append((f" {glyph}", role_of(phase)))
        line.append((f" {name} {number} ", Role.PLAIN))
    if not store.known:
        return [*line, ("  nothing is known yet", Role.DIM)]
    cluster = store.cluster
    line.append((f" of {words.count(len(cluster.slots))}{' slots' if wide else ''}", Role.STRONG))
    line += _executors(store, wide=wide)
    requests = len(cluster.requests)
    waiting = words.counted(requests, "request") if wide else f"{words.count(requests)} wait"
    line.append((f"   {waiting}", Role.PENDING if requests else Role.PLAIN))
    commands = f"   {words.counted(len(cluster.tasks), 'command')} running"
    if len(plain(line)) + len(commands) <= width:
        line.append((commands, Role.PLAIN))
    return line


_SHORT = {Phase.PENDING: "pend", Phase.ALLOCATED: "alloc"}


def _executors(store: Store, *, wide: bool) -> Phrase:
    executors = store.cluster.executors
    number = words.counted(len(executors), "executor") if wide else f"TE {len(executors)}"
    line: Phrase = [(f"   {number}", Role.PLAIN)]
    draining = sum(e.state is ExecutorState.DRAINING for e in executors.values())
    if draining:
        line.append((f" ({draining} {'draining' if wide else 'drain'})", Role.WARNING))
    return line
