"""A small cluster: nine events, and the snapshot that they lead to."""

from protocol.ids import (
    RESOURCE_MANAGER,
    AllocationId,
    InstanceId,
    JobId,
    LeaderId,
    RequestId,
    ResourceId,
    SlotId,
    TaskId,
    job_master,
)
from protocol.news import (
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
from protocol.resources import ResourceProfile
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

P = ResourceProfile(1.0, 512)
TE, INSTANCE = ResourceId("te-1"), InstanceId("i-1")
JOB, JM = JobId("job-1"), job_master(JobId("job-1"))
RM_LEADER, JM_LEADER = LeaderId("rm-1"), LeaderId("jm-1")
A1, A2, A9 = AllocationId("a1"), AllocationId("a2"), AllocationId("a9")
S0, S1, S9 = SlotId("te-1_0"), SlotId("te-1_1"), SlotId("te-9_9")
TASK, REQUEST = TaskId("t1"), RequestId("r1")

LEADERS = [
    LeaderView(RESOURCE_MANAGER, RM_LEADER, 1, "h:1", 1.0),
    LeaderView(JM, JM_LEADER, 1, "h:1", 3.0),
]
EXECUTOR = ExecutorView(TE, INSTANCE, "host", "h:2", ExecutorState.REGISTERED, 2, 1, 4.0)
FREE = SlotView(S0, SlotState.FREE, P, None, None, 5.0)
USED = SlotView(S1, SlotState.ALLOCATED, P, JOB, A1, 6.0)
WAITING = RequestView(A2, JOB, P, RequestState.PENDING, since=7.0, deadline=307.0)
RUNNING = JobView(JOB, "sums", JobState.RUNNING, JM_LEADER, PoolCounts(allocated=1, pending=1))
COMMAND = TaskView(TASK, JOB, REQUEST, A1, S1, ["sleep", "1"], 9.0)

HISTORY: list[News] = [
    LeaderGranted(RESOURCE_MANAGER, RM_LEADER, 1, "h:1"),
    JobOpenedNews(JOB, "sums", detached=False),
    LeaderGranted(JM, JM_LEADER, 1, "h:1"),
    ExecutorRegistered(TE, INSTANCE, "host", "h:2"),
    SlotRegistered(S0, P),
    SlotRegistered(S1, P, A1, JOB),
    RequestRegistered(A2, JOB, P, timeout=300.0),
    PoolChanged(JOB, PoolCounts(allocated=1, pending=1)),
    TaskStarted(TASK, JOB, REQUEST, A1, S1, ["sleep", "1"]),
]
TODAY = Snapshot(9, 9.0, LEADERS, [EXECUTOR], [FREE, USED], [WAITING], [RUNNING], [COMMAND])

UNKNOWN_ENTITIES: list[News] = [
    LeaderRevoked(job_master(JobId("job-9")), LeaderId("jm-9"), 9, "drill"),
    LeaderRevoked(RESOURCE_MANAGER, LeaderId("rm-0"), 0, "heard of late"),
    LeaderRevoked(JM, LeaderId("jm-0"), 0, "heard of late"),
    ExecutorLost(ResourceId("te-9"), INSTANCE, "gone"),
    ExecutorLost(TE, InstanceId("i-0"), "it was replaced"),
    ExecutorDraining(ResourceId("te-9"), INSTANCE),
    ExecutorDraining(TE, InstanceId("i-0")),
    ExecutorReleased(ResourceId("te-9"), INSTANCE, "idle"),
    JobClosedNews(JobId("job-9"), "done"),
    PoolChanged(JobId("job-9"), PoolCounts(1)),
    RequestAssigned(A9, JOB, S9),
    RequestRequeued(A9, JOB, S0, "refused"),
    RequestFulfilled(A9, JOB, S0),
    RequestFailed(A9, JOB, "timed out"),
    RequestCancelledNews(A9, JOB),
    SlotAllocated(S9, A9, JOB),
    SlotFreed(S9, A9),
    SlotRemoved(S9),
    TaskFinishedNews(TaskId("t9"), JOB, exit_code=0),
]
