"""ClusterState: what each event changes, and that nothing else changes anything."""

from typing import Any

import attrs
import pytest

from protocol.cluster_state import ClusterState
from protocol.ids import (
    RESOURCE_MANAGER,
    InstanceId,
    JobId,
    LeaderId,
    SlotId,
    TaskId,
    job_master,
)
from protocol.news import (
    NEWS,
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
    OtherNews,
    PoolChanged,
    PoolCounts,
    RequestAssigned,
    RequestCancelledNews,
    RequestFailed,
    RequestFulfilled,
    RequestRegistered,
    RequestRequeued,
    ResourceRequested,
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
from tests.decisions.cluster_today import (
    A1,
    A2,
    A9,
    COMMAND,
    EXECUTOR,
    FREE,
    HISTORY,
    INSTANCE,
    JM,
    JM_LEADER,
    JOB,
    LEADERS,
    REQUEST,
    RM_LEADER,
    RUNNING,
    S0,
    S1,
    TASK,
    TE,
    TODAY,
    UNKNOWN_ENTITIES,
    USED,
    WAITING,
    P,
)


def after(*history: News) -> ClusterState:
    """The state after these news, one a second, starting at 1."""
    state = ClusterState()
    for seq, news in enumerate(history, start=1):
        state.apply(Event(seq, float(seq), news))
    return state


def tomorrow(**changed: Any) -> Snapshot:
    """TODAY with one more event, which changed these collections."""
    return attrs.evolve(TODAY, seq=10, at=10.0, **changed)


def test_the_first_events_make_the_first_views() -> None:
    assert after(*HISTORY).snapshot(9.0) == TODAY


def test_a_state_made_of_a_snapshot_shows_that_snapshot() -> None:
    state = ClusterState.of(TODAY)
    assert state == after(*HISTORY)
    assert state.snapshot(TODAY.at) == TODAY
    assert ClusterState().snapshot(0.0) == Snapshot(0, 0.0)


ASSIGNED = attrs.evolve(WAITING, state=RequestState.ASSIGNED, slot_id=S0)
FULL = attrs.evolve(EXECUTOR, free=0)
FREED = SlotView(S1, SlotState.FREE, P, None, None, 10.0)

CHANGES: list[tuple[News, Snapshot]] = [
    (
        LeaderGranted(JM, LeaderId("jm-2"), 2, "h:3"),
        tomorrow(
            leaders=[LEADERS[0], LeaderView(JM, LeaderId("jm-2"), 2, "h:3", 10.0)],
            jobs=[attrs.evolve(RUNNING, leader_id=LeaderId("jm-2"), pool=PoolCounts())],
        ),
    ),
    (
        LeaderRevoked(JM, JM_LEADER, 1, "drill"),
        tomorrow(
            leaders=LEADERS[:1],
            jobs=[attrs.evolve(RUNNING, state=JobState.LEADERLESS, leader_id=None)],
        ),
    ),
    (
        LeaderRevoked(RESOURCE_MANAGER, RM_LEADER, 1, "drill"),
        tomorrow(leaders=LEADERS[1:], executors=[], slots=[], requests=[]),
    ),
    (
        LeaderGranted(RESOURCE_MANAGER, LeaderId("rm-2"), 2, "h:3"),
        tomorrow(
            leaders=[LeaderView(RESOURCE_MANAGER, LeaderId("rm-2"), 2, "h:3", 10.0), LEADERS[1]],
            executors=[],
            slots=[],
            requests=[],
        ),
    ),
    (
        ExecutorRegistered(TE, InstanceId("i-2"), "host", "h:4"),
        tomorrow(
            executors=[
                ExecutorView(
                    TE, InstanceId("i-2"), "host", "h:4", ExecutorState.REGISTERED, 0, 0, 10.0
                )
            ]
        ),
    ),
    (ExecutorLost(TE, INSTANCE, "no heartbeat"), tomorrow(executors=[])),
    (
        ExecutorDraining(TE, INSTANCE),
        tomorrow(executors=[attrs.evolve(EXECUTOR, state=ExecutorState.DRAINING)]),
    ),
    (
        ExecutorReleased(TE, INSTANCE, "idle"),
        tomorrow(executors=[attrs.evolve(EXECUTOR, state=ExecutorState.DRAINING)]),
    ),
    (
        JobOpenedNews(JobId("job-2"), "more", detached=True),
        tomorrow(
            jobs=[
                RUNNING,
                JobView(JobId("job-2"), "more", JobState.LEADERLESS, None, PoolCounts()),
            ]
        ),
    ),
    (JobClosedNews(JOB, "done"), tomorrow(jobs=[])),
    (
        PoolChanged(JOB, PoolCounts(available=3)),
        tomorrow(jobs=[attrs.evolve(RUNNING, pool=PoolCounts(available=3))]),
    ),
    (
        RequestRegistered(A9, JOB, P, timeout=5.0),
        tomorrow(
            requests=[WAITING, RequestView(A9, JOB, P, RequestState.PENDING, 10.0, 15.0)],
        ),
    ),
    (
        RequestAssigned(A2, JOB, S0),
        tomorrow(
            requests=[ASSIGNED],
            slots=[SlotView(S0, SlotState.PENDING, P, JOB, A2, 10.0), USED],
            executors=[FULL],
        ),
    ),
    (RequestFulfilled(A2, JOB, S0), tomorrow(requests=[])),
    (RequestFailed(A2, JOB, "timed out"), tomorrow(requests=[])),
    (RequestCancelledNews(A2, JOB), tomorrow(requests=[])),
    (
        SlotRegistered(SlotId("te-1_2"), P),
        tomorrow(
            slots=[
                FREE,
                USED,
                SlotView(SlotId("te-1_2"), SlotState.FREE, P, None, None, 10.0),
            ],
            executors=[attrs.evolve(EXECUTOR, slots=3, free=2)],
        ),
    ),
    (
        SlotRegistered(SlotId("te-1_2"), P, A9, JOB),
        tomorrow(
            slots=[
                FREE,
                USED,
                SlotView(SlotId("te-1_2"), SlotState.ALLOCATED, P, JOB, A9, 10.0),
            ],
            executors=[attrs.evolve(EXECUTOR, slots=3)],
        ),
    ),
    (
        SlotAllocated(S0, A2, JOB),
        tomorrow(
            slots=[SlotView(S0, SlotState.ALLOCATED, P, JOB, A2, 10.0), USED], executors=[FULL]
        ),
    ),
    (
        SlotAllocated(S1, A9, None),
        tomorrow(slots=[FREE, SlotView(S1, SlotState.ALLOCATED, P, None, A9, 10.0)]),
    ),
    (
        SlotFreed(S1, A1),
        tomorrow(slots=[FREE, FREED], executors=[attrs.evolve(EXECUTOR, free=2)]),
    ),
    (
        SlotRemoved(S0),
        tomorrow(slots=[USED], executors=[attrs.evolve(EXECUTOR, slots=1, free=0)]),
    ),
    (SlotRemoved(S1, A1), tomorrow(slots=[FREE], executors=[attrs.evolve(EXECUTOR, slots=1)])),
    (
        TaskStarted(TaskId("t2"), JOB, REQUEST, A1, S1, ["true"]),
        tomorrow(
            tasks=[COMMAND, TaskView(TaskId("t2"), JOB, REQUEST, A1, S1, ["true"], 10.0)],
        ),
    ),
    (TaskFinishedNews(TASK, JOB, exit_code=0), tomorrow(tasks=[])),
    (ResourceRequested(P), tomorrow()),
    (OtherNews("of_a_newer_daemon", {"x": 1}), tomorrow()),
]


@pytest.mark.parametrize(("news", "expected"), CHANGES, ids=lambda v: type(v).__name__)
def test_an_event_changes_the_views_that_it_is_about_and_no_other(
    news: News, expected: Snapshot
) -> None:
    state = ClusterState.of(TODAY)
    state.apply(Event(10, 10.0, news))
    assert state.snapshot(10.0) == expected


def test_a_request_that_goes_back_waits_again_and_its_slot_is_freed_by_its_own_event() -> None:
    state = ClusterState.of(TODAY)
    state.apply(Event(10, 10.0, RequestAssigned(A2, JOB, S0)))
    state.apply(Event(11, 11.0, RequestRequeued(A2, JOB, S0, "the executor refused")))
    assert state.requests[A2] == WAITING
    state.apply(Event(12, 12.0, SlotFreed(S0, A2)))
    assert state.slots[S0] == attrs.evolve(FREE, since=12.0)
    assert state.executors[TE] == EXECUTOR


def test_a_job_that_lost_its_leader_runs_again_under_the_next_one() -> None:
    state = ClusterState.of(TODAY)
    state.apply(Event(10, 10.0, LeaderRevoked(JM, JM_LEADER, 1, "drill")))
    state.apply(Event(11, 11.0, LeaderGranted(JM, LeaderId("jm-2"), 2, "h:1")))
    assert state.jobs[JOB] == attrs.evolve(RUNNING, leader_id=LeaderId("jm-2"), pool=PoolCounts())


@pytest.mark.parametrize("news", UNKNOWN_ENTITIES, ids=lambda v: type(v).__name__)
def test_an_event_about_what_is_not_there_changes_nothing(news: News) -> None:
    state = ClusterState.of(TODAY)
    state.apply(Event(10, 10.0, news))
    assert state.snapshot(10.0) == tomorrow()


def test_the_leader_of_a_job_that_is_not_open_is_still_a_leader() -> None:
    other = job_master(JobId("job-9"))
    state = after(LeaderGranted(other, JM_LEADER, 1, "h:1"))
    assert state.snapshot(1.0) == Snapshot(
        1, 1.0, leaders=[LeaderView(other, JM_LEADER, 1, "h:1", 1.0)]
    )


def test_every_type_of_event_is_tried_here() -> None:
    """A new type needs a line above, if only to say that it changes no view."""
    tried = {type(news) for news, _ in CHANGES} | {type(news) for news in UNKNOWN_ENTITIES}
    assert tried >= set(NEWS.values())
