"""What happened in the cluster, as numbered events; each carries the ids of what it is about."""

from typing import Annotated, Any, ClassVar

from protocol.forms import one_of
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
from protocol.messages.calls import Notification
from protocol.resources import ResourceProfile
from protocol.values import value


class News:
    """A fact. ``TYPE`` is the event's type on the wire."""

    __slots__ = ()
    TYPE: ClassVar[str]


@value
class Event(Notification):
    """News with its number and the time (seconds since the epoch) at which it was published.

    On the wire one flat object: ``seq``, ``at``, ``type`` and the fields of the news.
    """

    METHOD: ClassVar[str] = "event"
    seq: int
    at: float
    news: News


@value
class LeaderGranted(News):
    """A component has a confirmed leader."""

    TYPE: ClassVar[str] = "leader_granted"
    component: Component
    leader_id: LeaderId
    epoch: int
    address: str


@value
class LeaderRevoked(News):
    """A component's leader is gone; what only it knew is gone with it."""

    TYPE: ClassVar[str] = "leader_revoked"
    component: Component
    leader_id: LeaderId
    epoch: int
    cause: str


@value
class ExecutorRegistered(News):
    """An executor registered at the ResourceManager."""

    TYPE: ClassVar[str] = "executor_registered"
    resource_id: ResourceId
    instance_id: InstanceId
    host: str
    address: str


@value
class ExecutorLost(News):
    """An executor is gone; its slots were removed before."""

    TYPE: ClassVar[str] = "executor_lost"
    resource_id: ResourceId
    instance_id: InstanceId
    cause: str


@value
class ExecutorDraining(News):
    """An executor gets no new allocations."""

    TYPE: ClassVar[str] = "executor_draining"
    resource_id: ResourceId
    instance_id: InstanceId


@value
class ExecutorReleased(News):
    """An idle executor is given back."""

    TYPE: ClassVar[str] = "executor_released"
    resource_id: ResourceId
    instance_id: InstanceId
    cause: str


@value
class JobOpenedNews(News):
    """A job was opened."""

    TYPE: ClassVar[str] = "job_opened"
    job_id: JobId
    name: str
    detached: bool


@value
class JobClosedNews(News):
    """A job ended; ``cause`` says why."""

    TYPE: ClassVar[str] = "job_closed"
    job_id: JobId
    cause: str


@value
class PoolCounts:
    """What a job's SlotPool holds and waits for."""

    allocated: int = 0
    available: int = 0
    pending: int = 0
    waiting_for_resource_manager: int = 0


@value
class PoolChanged(News):
    """The counts of a job's pool are now these."""

    TYPE: ClassVar[str] = "pool_changed"
    job_id: JobId
    pool: PoolCounts


@value
class RequestRegistered(News):
    """The ResourceManager noted a slot request; ``timeout`` in seconds from now."""

    TYPE: ClassVar[str] = "request_registered"
    allocation_id: AllocationId
    job_id: JobId
    profile: ResourceProfile
    timeout: float


@value
class RequestAssigned(News):
    """A slot was chosen for a request and its executor is being asked."""

    TYPE: ClassVar[str] = "request_assigned"
    allocation_id: AllocationId
    job_id: JobId
    slot_id: SlotId


@value
class RequestRequeued(News):
    """The chosen slot did not serve; the request is pending again, in its old place."""

    TYPE: ClassVar[str] = "request_requeued"
    allocation_id: AllocationId
    job_id: JobId
    slot_id: SlotId
    cause: str


@value
class RequestFulfilled(News):
    """A request has its slot and is no longer waiting."""

    TYPE: ClassVar[str] = "request_fulfilled"
    allocation_id: AllocationId
    job_id: JobId
    slot_id: SlotId


@value
class RequestFailed(News):
    """A request was given up; its job is told."""

    TYPE: ClassVar[str] = "request_failed"
    allocation_id: AllocationId
    job_id: JobId
    cause: str


@value
class RequestCancelledNews(News):
    """A request was withdrawn by its job."""

    TYPE: ClassVar[str] = "request_cancelled"
    allocation_id: AllocationId
    job_id: JobId


@value
class SlotRegistered(News):
    """A slot exists; it is free unless ``allocation_id`` is given."""

    TYPE: ClassVar[str] = "slot_registered"
    slot_id: SlotId
    profile: ResourceProfile
    allocation_id: AllocationId | None = None
    job_id: JobId | None = None


@value
class SlotAllocated(News):
    """A slot belongs to an allocation; its job is not known when only the executor named it."""

    TYPE: ClassVar[str] = "slot_allocated"
    slot_id: SlotId
    allocation_id: AllocationId
    job_id: JobId | None


@value
class SlotFreed(News):
    """A slot is free; ``allocation_id`` is what held it or was assigned to it."""

    TYPE: ClassVar[str] = "slot_freed"
    slot_id: SlotId
    allocation_id: AllocationId


@value
class SlotRemoved(News):
    """A slot no longer exists."""

    TYPE: ClassVar[str] = "slot_removed"
    slot_id: SlotId
    allocation_id: AllocationId | None = None


@value
class ResourceRequested(News):
    """Another executor is wanted, with a slot of this profile."""

    TYPE: ClassVar[str] = "resource_requested"
    profile: ResourceProfile


@value
class TaskStarted(News):
    """A command runs in a slot."""

    TYPE: ClassVar[str] = "task_started"
    task_id: TaskId
    job_id: JobId
    request_id: RequestId
    allocation_id: AllocationId
    slot_id: SlotId
    command: list[str]


@value
class TaskFinishedNews(News):
    """A command ended; ``cause`` when slotd ended it."""

    TYPE: ClassVar[str] = "task_finished"
    task_id: TaskId
    job_id: JobId
    exit_code: int | None = None
    signal: int | None = None
    cause: str | None = None


@value
class OtherNews(News):
    """News of a type that this side does not know: a newer daemon wrote it."""

    type: str
    fields: dict[str, Any]


NEWS: dict[str, type[News]] = {
    news.TYPE: news for news in News.__subclasses__() if "TYPE" in vars(news)
}
"""Every event type by its name on the wire."""

EventType = Annotated[str, one_of(NEWS, "an event type")]
"""A key of NEWS."""
