"""How an event changes the views of the cluster: the only place where views are made."""

from collections.abc import Callable
from typing import Any

import attrs

from protocol.ids import (
    RESOURCE_MANAGER,
    AllocationId,
    Component,
    JobId,
    ResourceId,
    SlotId,
    TaskId,
    executor_of,
    job_of,
)
from protocol.news import (
    Event,
    ExecutorDraining,
    ExecutorLost,
    ExecutorRegistered,
    ExecutorReleased,
    JobClosedNews,
    JobOpenedNews,
    LeaderGranted,
    LeaderRevoked,
    News,
    PoolChanged,
    PoolCounts,
    RequestAssigned,
    RequestCancelledNews,
    RequestFailed,
    RequestFulfilled,
    RequestRegistered,
    RequestRequeued,
    SlotAllocated,
    SlotFreed,
    SlotRegistered,
    SlotRemoved,
    TaskFinishedNews,
    TaskStarted,
)
from protocol.snapshot import (
    ExecutorState,
    ExecutorView,
    JobState,
    JobView,
    LeaderView,
    RequestState,
    RequestView,
    SlotState,
    SlotView,
    Snapshot,
    TaskView,
)


@attrs.define
class ClusterState:
    """The newest view of every entity by its key; ``apply`` is the only way to change it.

    The daemon keeps one to answer ``cluster.snapshot``; a dashboard keeps one to follow. An event
    about an entity that is not there changes nothing.
    """

    seq: int = 0
    at: float = 0.0
    leaders: dict[Component, LeaderView] = attrs.field(factory=dict[Component, LeaderView])
    executors: dict[ResourceId, ExecutorView] = attrs.field(factory=dict[ResourceId, ExecutorView])
    slots: dict[SlotId, SlotView] = attrs.field(factory=dict[SlotId, SlotView])
    requests: dict[AllocationId, RequestView] = attrs.field(factory=dict[AllocationId, RequestView])
    jobs: dict[JobId, JobView] = attrs.field(factory=dict[JobId, JobView])
    tasks: dict[TaskId, TaskView] = attrs.field(factory=dict[TaskId, TaskView])

    @classmethod
    def of(cls, snapshot: Snapshot) -> "ClusterState":
        """The state that ``snapshot`` shows."""
        return cls(
            snapshot.seq,
            snapshot.at,
            {view.component: view for view in snapshot.leaders},
            {view.resource_id: view for view in snapshot.executors},
            {view.slot_id: view for view in snapshot.slots},
            {view.allocation_id: view for view in snapshot.requests},
            {view.job_id: view for view in snapshot.jobs},
            {view.task_id: view for view in snapshot.tasks},
        )

    def snapshot(self, at: float) -> Snapshot:
        """Everything at ``seq``."""
        return Snapshot(
            self.seq,
            at,
            list(self.leaders.values()),
            list(self.executors.values()),
            list(self.slots.values()),
            list(self.requests.values()),
            list(self.jobs.values()),
            list(self.tasks.values()),
        )

    def apply(self, event: Event) -> None:
        """Change the views as ``event`` says."""
        self.seq = event.seq
        self.at = event.at
        change = _CHANGES.get(type(event.news))
        if change is not None:
            change(self, event.news, event.at)


def _leader_granted(state: ClusterState, news: LeaderGranted, at: float) -> None:
    if news.component == RESOURCE_MANAGER:
        _forget_resources(state)
    state.leaders[news.component] = LeaderView(
        news.component, news.leader_id, news.epoch, news.address, at
    )
    job = state.jobs.get(job_of(news.component) or JobId(""))
    if job is not None:
        state.jobs[job.job_id] = attrs.evolve(
            job, state=JobState.RUNNING, leader_id=news.leader_id, pool=PoolCounts()
        )


def _leader_revoked(state: ClusterState, news: LeaderRevoked, _: float) -> None:
    leader = state.leaders.get(news.component)
    if leader is None or leader.leader_id != news.leader_id:
        return
    del state.leaders[news.component]
    if news.component == RESOURCE_MANAGER:
        _forget_resources(state)
        return
    job = state.jobs.get(job_of(news.component) or JobId(""))
    if job is not None:
        state.jobs[job.job_id] = attrs.evolve(job, state=JobState.LEADERLESS, leader_id=None)


def _forget_resources(state: ClusterState) -> None:
    state.executors.clear()
    state.slots.clear()
    state.requests.clear()


def _executor_registered(state: ClusterState, news: ExecutorRegistered, at: float) -> None:
    state.executors[news.resource_id] = ExecutorView(
        news.resource_id,
        news.instance_id,
        news.host,
        news.address,
        ExecutorState.REGISTERED,
        slots=0,
        free=0,
        last_heartbeat=at,
    )


def _executor_lost(state: ClusterState, news: ExecutorLost, _: float) -> None:
    executor = state.executors.get(news.resource_id)
    if executor is not None and executor.instance_id == news.instance_id:
        del state.executors[news.resource_id]


def _executor_draining(
    state: ClusterState, news: ExecutorDraining | ExecutorReleased, _: float
) -> None:
    executor = state.executors.get(news.resource_id)
    if executor is not None and executor.instance_id == news.instance_id:
        state.executors[news.resource_id] = attrs.evolve(executor, state=ExecutorState.DRAINING)


def _job_opened(state: ClusterState, news: JobOpenedNews, _: float) -> None:
    state.jobs[news.job_id] = JobView(
        news.job_id, news.name, JobState.LEADERLESS, None, PoolCounts()
    )


def _job_closed(state: ClusterState, news: JobClosedNews, _: float) -> None:
    state.jobs.pop(news.job_id, None)


def _pool_changed(state: ClusterState, news: PoolChanged, _: float) -> None:
    job = state.jobs.get(news.job_id)
    if job is not None:
        state.jobs[news.job_id] = attrs.evolve(job, pool=news.pool)


def _request_registered(state: ClusterState, news: RequestRegistered, at: float) -> None:
    state.requests[news.allocation_id] = RequestView(
        news.allocation_id,
        news.job_id,
        news.profile,
        RequestState.PENDING,
        since=at,
        deadline=at + news.timeout,
    )


def _request_assigned(state: ClusterState, news: RequestAssigned, at: float) -> None:
    request = state.requests.get(news.allocation_id)
    if request is not None:
        state.requests[news.allocation_id] = attrs.evolve(
            request, state=RequestState.ASSIGNED, slot_id=news.slot_id
        )
    _set_slot(state, news.slot_id, SlotState.PENDING, news.job_id, news.allocation_id, at)


def _request_requeued(state: ClusterState, news: RequestRequeued, _: float) -> None:
    request = state.requests.get(news.allocation_id)
    if request is not None:
        state.requests[news.allocation_id] = attrs.evolve(
            request, state=RequestState.PENDING, slot_id=None
        )


def _request_gone(
    state: ClusterState, news: RequestFulfilled | RequestFailed | RequestCancelledNews, _: float
) -> None:
    state.requests.pop(news.allocation_id, None)


def _slot_registered(state: ClusterState, news: SlotRegistered, at: float) -> None:
    free = news.allocation_id is None
    state.slots[news.slot_id] = SlotView(
        news.slot_id,
        SlotState.FREE if free else SlotState.ALLOCATED,
        news.profile,
        news.job_id,
        news.allocation_id,
        at,
    )
    _count_slots(state, news.slot_id, slots=1, free=int(free))


def _slot_allocated(state: ClusterState, news: SlotAllocated, at: float) -> None:
    _set_slot(state, news.slot_id, SlotState.ALLOCATED, news.job_id, news.allocation_id, at)


def _slot_freed(state: ClusterState, news: SlotFreed, at: float) -> None:
    _set_slot(state, news.slot_id, SlotState.FREE, None, None, at)


def _slot_removed(state: ClusterState, news: SlotRemoved, _: float) -> None:
    slot = state.slots.pop(news.slot_id, None)
    if slot is not None:
        _count_slots(state, news.slot_id, slots=-1, free=-int(slot.state is SlotState.FREE))


def _set_slot(
    state: ClusterState,
    slot_id: SlotId,
    slot_state: SlotState,
    job_id: JobId | None,
    allocation_id: AllocationId | None,
    at: float,
) -> None:
    slot = state.slots.get(slot_id)
    if slot is None:
        return
    state.slots[slot_id] = SlotView(slot_id, slot_state, slot.profile, job_id, allocation_id, at)
    change = int(slot_state is SlotState.FREE) - int(slot.state is SlotState.FREE)
    if change:
        _count_slots(state, slot_id, slots=0, free=change)


def _count_slots(state: ClusterState, slot_id: SlotId, *, slots: int, free: int) -> None:
    executor = state.executors.get(executor_of(slot_id))
    if executor is not None:
        state.executors[executor.resource_id] = attrs.evolve(
            executor, slots=executor.slots + slots, free=executor.free + free
        )


def _task_started(state: ClusterState, news: TaskStarted, at: float) -> None:
    state.tasks[news.task_id] = TaskView(
        news.task_id,
        news.job_id,
        news.request_id,
        news.allocation_id,
        news.slot_id,
        news.command,
        at,
    )


def _task_finished(state: ClusterState, news: TaskFinishedNews, _: float) -> None:
    state.tasks.pop(news.task_id, None)


_CHANGES: dict[type[News], Callable[[ClusterState, Any, float], None]] = {
    LeaderGranted: _leader_granted,
    LeaderRevoked: _leader_revoked,
    ExecutorRegistered: _executor_registered,
    ExecutorLost: _executor_lost,
    ExecutorDraining: _executor_draining,
    ExecutorReleased: _executor_draining,
    JobOpenedNews: _job_opened,
    JobClosedNews: _job_closed,
    PoolChanged: _pool_changed,
    RequestRegistered: _request_registered,
    RequestAssigned: _request_assigned,
    RequestRequeued: _request_requeued,
    RequestFulfilled: _request_gone,
    RequestFailed: _request_gone,
    RequestCancelledNews: _request_gone,
    SlotRegistered: _slot_registered,
    SlotAllocated: _slot_allocated,
    SlotFreed: _slot_freed,
    SlotRemoved: _slot_removed,
    TaskStarted: _task_started,
    TaskFinishedNews: _task_finished,
}
"""How each kind of news changes the state; kinds that are not here change no view."""
