"""The cluster at one moment: the views of every entity, as `cluster.snapshot` answers them."""

import enum
from typing import ClassVar

import attrs

from protocol.ids import (
    AllocationId,
    Component,
    InstanceId,
    JobId,
    LeaderId,
    RequestId,
    ResourceId,
    SlotId,
    TaskId,
)
from protocol.messages.calls import Request
from protocol.news import PoolCounts
from protocol.resources import ResourceProfile


class SlotState(enum.Enum):
    """PENDING: asked of the executor, not yet confirmed (D43)."""

    FREE = "FREE"
    PENDING = "PENDING"
    ALLOCATED = "ALLOCATED"


class RequestState(enum.Enum):
    """ASSIGNED: a slot is being asked of its executor."""

    PENDING = "PENDING"
    ASSIGNED = "ASSIGNED"


class ExecutorState(enum.Enum):
    """DRAINING executors get no new allocations, those that are given back included."""

    REGISTERED = "REGISTERED"
    DRAINING = "DRAINING"


class JobState(enum.Enum):
    """LEADERLESS: its JobMaster is between two terms."""

    RUNNING = "RUNNING"
    LEADERLESS = "LEADERLESS"


@attrs.frozen
class LeaderView:
    """A component's leader. ``since`` in seconds since the epoch, as in all views."""

    component: Component
    leader_id: LeaderId
    epoch: int
    address: str
    since: float


@attrs.frozen
class ExecutorView:
    """An executor; ``last_heartbeat`` is as of the snapshot and changes without an event."""

    resource_id: ResourceId
    instance_id: InstanceId
    host: str
    address: str
    state: ExecutorState
    slots: int
    free: int
    last_heartbeat: float


@attrs.frozen
class SlotView:
    """A slot and who has it."""

    slot_id: SlotId
    state: SlotState
    profile: ResourceProfile
    job_id: JobId | None
    allocation_id: AllocationId | None
    since: float


@attrs.frozen
class RequestView:
    """A slot request at the ResourceManager."""

    allocation_id: AllocationId
    job_id: JobId
    profile: ResourceProfile
    state: RequestState
    since: float
    deadline: float
    slot_id: SlotId | None = None


@attrs.frozen
class JobView:
    """A job, its leader and the counts of its pool."""

    job_id: JobId
    name: str
    state: JobState
    leader_id: LeaderId | None
    pool: PoolCounts
    sharing_groups: list[str] = attrs.field(factory=list[str])


@attrs.frozen
class TaskView:
    """A running command."""

    task_id: TaskId
    job_id: JobId
    request_id: RequestId
    allocation_id: AllocationId
    slot_id: SlotId
    command: list[str]
    since: float


@attrs.frozen
class Snapshot:
    """Everything, consistent at ``seq``: the events after ``seq`` lead to the next snapshot."""

    seq: int
    at: float
    leaders: list[LeaderView] = attrs.field(factory=list[LeaderView])
    executors: list[ExecutorView] = attrs.field(factory=list[ExecutorView])
    slots: list[SlotView] = attrs.field(factory=list[SlotView])
    requests: list[RequestView] = attrs.field(factory=list[RequestView])
    jobs: list[JobView] = attrs.field(factory=list[JobView])
    tasks: list[TaskView] = attrs.field(factory=list[TaskView])


@attrs.frozen
class TakeSnapshot(Request[Snapshot]):
    """Asks for everything at one moment."""

    METHOD: ClassVar[str] = "cluster.snapshot"
