"""The newest picture of the cluster: ``apply`` takes what the link tells; nobody else writes."""

import collections
import enum
import functools
from collections.abc import Hashable
from typing import Any

import attrs

from protocol.cluster_state import ClusterState
from protocol.ids import AllocationId, Component, JobId, SlotId, job_master, job_of
from protocol.news import Event, News, PoolChanged
from protocol.snapshot import (
    JobView,
    LeaderView,
    RequestView,
    SlotState,
    SlotView,
    Snapshot,
    TaskView,
)
from tui.dashboard.link.news import (
    EventsCame,
    Explained,
    LinkChanged,
    LinkNews,
    LinkState,
    LinkStatus,
    SnapshotTaken,
)
from tui.dashboard.store.changes import Changes, Kind
from tui.dashboard.store.watched import Watched

EVENTS_KEPT = 1_000


class Phase(enum.Enum):
    """What a slot is used for: its state, and whether a command runs in it."""

    PENDING = "pending"
    ALLOCATED = "allocated"
    ACTIVE = "active"
    FREE = "free"


@attrs.frozen
class Happening:
    """An event of the tail, or a ``note`` of the dashboard's own; ``number`` never repeats."""

    number: int
    at: float
    event: Event | None
    note: str = ""
    job_name: str = ""
    """The name that the event's job had then."""


@attrs.frozen
class Term:
    """The leadership term that a component had before, and when it ended (daemon's clock)."""

    epoch: int
    ended_at: float


@attrs.define
class Store:
    """The cluster's state with what the protocol's views leave to count.

    Times of the daemon are seconds since the epoch; ``now`` and ``heard_at`` are monotonic.
    """

    status: LinkStatus = attrs.field(factory=lambda: LinkStatus(LinkState.CONNECTING))
    cluster: ClusterState = attrs.field(factory=ClusterState)
    known: bool = False
    """Whether there is a picture at all; without one nothing may be shown as 0."""
    counts: dict[Phase, int] = attrs.field(factory=dict[Phase, int])
    tasks_in: dict[SlotId, int] = attrs.field(factory=dict[SlotId, int])
    """How many commands run in a slot; no entry for none."""
    explanations: dict[AllocationId, Explained] = attrs.field(factory=dict[AllocationId, Explained])
    earlier_terms: dict[Component, Term] = attrs.field(factory=dict[Component, Term])
    happenings: collections.OrderedDict[int, Happening] = attrs.field(
        factory=collections.OrderedDict[int, Happening]
    )
    """The last events by number, oldest first."""
    events_seen: int = 0
    changes: Changes = attrs.field(factory=Changes.all)
    _numbered: int = 0
    _offset: float = 0.0
    _heard_at: float = 0.0

    def apply(self, news: LinkNews) -> None:
        """Take in one piece of news."""
        match news:
            case LinkChanged(status):
                self.status = status
                self.changes.link = True
            case SnapshotTaken(snapshot, heard_at):
                self._load(snapshot, heard_at)
            case EventsCame(events, heard_at):
                for event in events:
                    self._happen(event, heard_at)
            case Explained():
                if news.allocation_id in self.cluster.requests:
                    self.explanations[news.allocation_id] = news
                    self.changes.touch(Kind.REQUESTS, news.allocation_id)

    def take_changes(self) -> Changes:
        """What changed since the last call."""
        changes, self.changes = self.changes, Changes()
        return changes

    def daemon_time(self, now: float) -> float:
        """The daemon's time at ``now``; it stands still while the picture is not current."""
        if not self.status.is_current:
            heard_at = self.status.heard_at
            now = self._heard_at if heard_at is None else heard_at
        return max(now + self._offset, self.cluster.at)

    def phase(self, slot: SlotView) -> Phase:
        """What ``slot`` is used for."""
        if slot.state is SlotState.ALLOCATED:
            return Phase.ACTIVE if slot.slot_id in self.tasks_in else Phase.ALLOCATED
        return Phase.FREE if slot.state is SlotState.FREE else Phase.PENDING

    def _load(self, snapshot: Snapshot, heard_at: float) -> None:
        missed = snapshot.seq - self.cluster.seq
        if self.known and missed:
            self._note(snapshot.at, "a new picture was taken; events in between are not listed")
        self.cluster = ClusterState.of(snapshot)
        self._offset, self._heard_at = snapshot.at - heard_at, heard_at
        self.known = True
        self._count()
        self._watch()
        requests = self.cluster.requests
        self.explanations = {k: v for k, v in self.explanations.items() if k in requests}
        self.changes.everything = True

    def _count(self) -> None:
        cluster = self.cluster
        self.tasks_in = dict(collections.Counter(t.slot_id for t in cluster.tasks.values()))
        self.counts = dict.fromkeys(Phase, 0)
        for slot in cluster.slots.values():
            self.counts[self.phase(slot)] += 1

    def _watch(self) -> None:
        cluster = self.cluster
        seen = functools.partial
        cluster.leaders = Watched(cluster.leaders.items(), self._leader_changed)
        cluster.executors = Watched(cluster.executors.items(), seen(self._seen, Kind.EXECUTORS))
        cluster.slots = Watched(cluster.slots.items(), self._slot_changed)
        cluster.requests = Watched(cluster.requests.items(), self._request_changed)
        cluster.jobs = Watched(cluster.jobs.items(), self._job_changed)
        cluster.tasks = Watched(cluster.tasks.items(), self._task_changed)

    def _happen(self, event: Event, heard_at: float) -> None:
        before = self._job_name(event.news)
        self.cluster.apply(event)
        self._heard_at = heard_at
        self._offset = max(self._offset, event.at - heard_at)
        self.events_seen += 1
        if not isinstance(event.news, PoolChanged):
            name = before or self._job_name(event.news) or "a closed job"
            self._append(Happening(self._next_number(), event.at, event, job_name=name))

    def _job_name(self, news: News) -> str:
        component = getattr(news, "component", None)
        job_id = getattr(news, "job_id", None) if component is None else job_of(component)
        job = None if job_id is None else self.cluster.jobs.get(job_id)
        return "" if job is None else job.name or job.job_id[:8]

    def _note(self, at: float, note: str) -> None:
        self._append(Happening(self._next_number(), at, None, note))

    def _next_number(self) -> int:
        self._numbered += 1
        return self._numbered

    def _append(self, happening: Happening) -> None:
        self.happenings[happening.number] = happening
        if len(self.happenings) > EVENTS_KEPT:
            self.happenings.popitem(last=False)
        self.changes.touch(Kind.EVENTS, happening.number, came_or_went=True)

    def _seen(self, kind: Kind, key: Hashable, old: Any, new: Any) -> None:
        self.changes.touch(kind, key, came_or_went=old is None or new is None)

    def _leader_changed(
        self, component: Component, old: LeaderView | None, new: LeaderView | None
    ) -> None:
        self._seen(Kind.LEADERS, component, old, new)
        job_id = job_of(component)
        if old is not None and (job_id is None or job_id in self.cluster.jobs):
            self.earlier_terms[component] = Term(old.epoch, self.cluster.at)

    def _job_changed(self, job_id: JobId, old: JobView | None, new: JobView | None) -> None:
        self._seen(Kind.JOBS, job_id, old, new)
        if new is None:
            self.earlier_terms.pop(job_master(job_id), None)

    def _request_changed(
        self, key: AllocationId, old: RequestView | None, new: RequestView | None
    ) -> None:
        self._seen(Kind.REQUESTS, key, old, new)
        if new is None:
            self.explanations.pop(key, None)

    def _slot_changed(self, slot_id: SlotId, old: SlotView | None, new: SlotView | None) -> None:
        self._seen(Kind.SLOTS, slot_id, old, new)
        if old is not None:
            self.counts[self.phase(old)] -= 1
        if new is not None:
            self.counts[self.phase(new)] += 1

    def _task_changed(self, _: object, old: TaskView | None, new: TaskView | None) -> None:
        for task, step in ((old, -1), (new, 1)):
            if task is not None:
                self._count_task(task.slot_id, step)

    def _count_task(self, slot_id: SlotId, step: int) -> None:
        slot = self.cluster.slots.get(slot_id)
        if slot is not None:
            self.counts[self.phase(slot)] -= 1
        running = self.tasks_in.pop(slot_id, 0) + step
        if running > 0:
            self.tasks_in[slot_id] = running
        if slot is not None:
            self.counts[self.phase(slot)] += 1
            self.changes.touch(Kind.SLOTS, slot_id)
