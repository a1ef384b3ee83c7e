"""The gateway for clients: jobs, slots, tasks, the cluster's state and drills."""

from typing import Any, ClassVar

import attrs

from protocol.forms import Base64, Command, Count, Directory, Environment, Label, Seconds, Stream
from protocol.ids import (
    AllocationId,
    Component,
    JobId,
    LeaderId,
    RequestId,
    ResourceId,
    TaskId,
)
from protocol.messages.calls import Empty, Notification, Request
from protocol.messages.values import CoLocation, GrantedSlot, Location, SlotKind
from protocol.news import EventType
from protocol.resources import UNKNOWN, ResourceProfile


@attrs.frozen
class JobOpened:
    """An open job and the leader id of its JobMaster."""

    job_id: JobId
    leader_id: LeaderId


@attrs.frozen
class OpenJob(Request[JobOpened]):
    """Opens a job. One that is not detached closes with the connection that opened it."""

    METHOD: ClassVar[str] = "job.open"
    name: Label
    job_id: JobId | None = None
    detached: bool = False


@attrs.frozen
class JobClosed:
    """How many slots the job gave back."""

    released: int


@attrs.frozen
class CloseJob(Request[JobClosed]):
    """Ends a job: its requests are cancelled, its tasks ended, its slots given back."""

    METHOD: ClassVar[str] = "job.close"
    job_id: JobId


@attrs.frozen
class AllocateSlot(Request[GrantedSlot]):
    """Asks for one slot. ``timeout`` in seconds; ``queued=False`` is answered at once."""

    METHOD: ClassVar[str] = "slot.allocate"
    job_id: JobId
    request_id: RequestId | None = None
    profile: ResourceProfile = UNKNOWN
    queued: bool = True
    timeout: Seconds | None = None
    preferred: list[Location] = attrs.field(factory=list[Location])
    task: Label | None = None
    sharing_group: Label | None = None
    co_location: CoLocation | None = None
    tag: Label | None = None


@attrs.frozen(kw_only=True)
class SlotLost(Notification):
    """A granted slot is gone (its executor is, say), told to the connection that asked for it."""

    METHOD: ClassVar[str] = "slot.lost"
    job_id: JobId
    request_id: RequestId
    allocation_id: AllocationId
    cause: str


@attrs.frozen
class SlotReleased:
    """``released`` is False when the job has no such request any more (F42)."""

    released: bool


@attrs.frozen
class ReleaseSlot(Request[SlotReleased]):
    """Gives a slot back, or withdraws a pending request."""

    METHOD: ClassVar[str] = "slot.release"
    job_id: JobId
    request_id: RequestId
    sharing_group: Label | None = None
    cause: str | None = None


@attrs.frozen
class Explanation:
    """Why a request is where it is.

    ``age`` and ``deadline_in`` in seconds; ``position`` counts from 1 among the requests of the
    same profile that wait at the ResourceManager; ``nearest`` is the slot that comes nearest when
    nothing fits.
    """

    request_id: RequestId
    state: str
    reason: str
    profile: ResourceProfile
    age: float
    deadline_in: float | None = None
    allocation_id: AllocationId | None = None
    position: int | None = None
    kinds: list[SlotKind] = attrs.field(factory=list[SlotKind])
    nearest: str | None = None


@attrs.frozen
class ExplainSlot(Request[Explanation]):
    """Asks why a request is where it is; its allocation id names it as well as its own."""

    METHOD: ClassVar[str] = "slot.explain"
    job_id: JobId
    request_id: RequestId


@attrs.frozen
class TaskSubmitted:
    """The task runs; its output and end come as notifications."""

    task_id: TaskId


@attrs.frozen
class RunTask(Request[TaskSubmitted]):
    """Runs a command in the slot that serves a request."""

    METHOD: ClassVar[str] = "task.run"
    job_id: JobId
    request_id: RequestId
    command: Command
    env: Environment = attrs.field(factory=dict[str, str], repr=False)
    cwd: Directory | None = None
    stdin: str | None = attrs.field(default=None, repr=False)


@attrs.frozen
class TaskCancelled:
    """``cancelled`` is False when the task had already ended."""

    cancelled: bool


@attrs.frozen
class CancelTask(Request[TaskCancelled]):
    """Ends a task: TERM, ``grace`` seconds, KILL."""

    METHOD: ClassVar[str] = "task.cancel"
    task_id: TaskId
    grace: Seconds | None = None


@attrs.frozen(kw_only=True)
class TaskOutput(Notification):
    """A chunk of output; ``offset`` counts the bytes of that stream before it."""

    METHOD: ClassVar[str] = "task.output"
    task_id: TaskId
    stream: Stream
    offset: Count
    data: str | None = None
    data_base64: Base64 | None = None


@attrs.frozen(kw_only=True)
class TaskFinished(Notification):
    """A task ended; no output follows. ``enforced``: the limits that the system kept it to."""

    METHOD: ClassVar[str] = "task.finished"
    task_id: TaskId
    exit_code: int | None = None
    signal: int | None = None
    cause: str | None = None
    enforced: list[str] | None = None


@attrs.frozen
class Subscribed:
    """Events with a higher number than ``seq`` follow."""

    seq: int


@attrs.frozen
class SubscribeEvents(Request[Subscribed]):
    """Every event from now on, or from ``from_seq``, of all types or of these."""

    METHOD: ClassVar[str] = "events.subscribe"
    types: list[EventType] | None = None
    from_seq: Count | None = None


@attrs.frozen
class UnsubscribeEvents(Request[Empty]):
    """Ends this connection's subscription."""

    METHOD: ClassVar[str] = "events.unsubscribe"


@attrs.frozen(kw_only=True)
class EventsLost(Notification):
    """A reader too slow: these events were dropped; take a new snapshot."""

    METHOD: ClassVar[str] = "events.lost"
    from_seq: Count
    to_seq: Count


@attrs.frozen
class DrainExecutor(Request[Empty]):
    """No new slot is given there; answered when its last slot is free. ``timeout`` in seconds."""

    METHOD: ClassVar[str] = "executor.drain"
    resource_id: ResourceId
    timeout: Seconds | None = None


@attrs.frozen
class RevokeLeader(Request[Empty]):
    """The leader of ``component`` steps down; a new election follows (a drill)."""

    METHOD: ClassVar[str] = "leader.revoke"
    component: Component


@attrs.frozen
class GetMetrics(Request[dict[str, Any]]):
    """Counters and gauges by name."""

    METHOD: ClassVar[str] = "metrics.get"
