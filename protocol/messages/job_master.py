"""The JobMaster's gateway: executors register, offer slots and report what happened to them."""

from typing import ClassVar

import attrs

from protocol.forms import Base64, CallbackAddress, Count, Label, Stream
from protocol.ids import AllocationId, Component, JobId, LeaderId, ResourceId, TaskId
from protocol.messages.calls import Empty, FencedRequest, Notification, Request
from protocol.messages.values import SlotOffer


@attrs.frozen
class JobMasterLeader:
    """Who leads a job. ``address`` is ``host:port``."""

    leader_id: LeaderId
    address: str


@attrs.frozen
class FindJobMaster(Request[JobMasterLeader]):
    """Asks which JobMaster leads a job; NotLeader if none does."""

    METHOD: ClassVar[str] = "job_master.leader"
    job_id: JobId


@attrs.frozen
class ExecutorRegisteredAtJob:
    """A registration at a JobMaster. Intervals in seconds."""

    heartbeat_interval: float
    heartbeat_timeout: float


@attrs.frozen(kw_only=True)
class RegisterExecutorAtJob(FencedRequest[ExecutorRegisteredAtJob]):
    """An executor that holds slots for the job registers before it offers them (H03)."""

    METHOD: ClassVar[str] = "job_master.register_task_executor"
    job_id: JobId
    resource_id: ResourceId
    host: Label
    address: CallbackAddress = "connection"


@attrs.frozen
class SlotsAccepted:
    """The accepted subset; the executor frees the rest (C10)."""

    accepted: list[AllocationId]


@attrs.frozen(kw_only=True)
class OfferSlots(FencedRequest[SlotsAccepted]):
    """An executor offers slots that were allocated for the job (C46)."""

    METHOD: ClassVar[str] = "job_master.offer_slots"
    job_id: JobId
    resource_id: ResourceId
    slots: list[SlotOffer]


@attrs.frozen(kw_only=True)
class FailSlot(FencedRequest[Empty]):
    """A slot that the job held is gone at its executor."""

    METHOD: ClassVar[str] = "job_master.fail_slot"
    job_id: JobId
    resource_id: ResourceId
    allocation_id: AllocationId
    cause: str


@attrs.frozen(kw_only=True)
class NotifyAllocationFailure(FencedRequest[Empty]):
    """The ResourceManager gave an allocation up (D20, D32, H18).

    ``error``: its type's name; ``nearest``: of NoResourceAvailable, what comes nearest.
    """

    METHOD: ClassVar[str] = "job_master.notify_allocation_failure"
    job_id: JobId
    allocation_id: AllocationId
    cause: str
    error: str | None = None
    nearest: str | None = None


@attrs.frozen(kw_only=True)
class DisconnectExecutorFromJob(FencedRequest[Empty]):
    """An executor, or who lost it, says that it is gone for this job (H05)."""

    METHOD: ClassVar[str] = "job_master.disconnect_task_executor"
    job_id: JobId
    resource_id: ResourceId
    cause: str


@attrs.frozen(kw_only=True)
class HeartbeatOfJobMaster(Request[Empty]):
    """A beat from the leader of ``sender``."""

    METHOD: ClassVar[str] = "job_master.heartbeat"
    job_id: JobId
    sender: Component


@attrs.frozen(kw_only=True)
class TaskOutputOfExecutor(Notification):
    """A chunk of a task's output; ``data`` is text, ``data_base64`` is for bytes that are not."""

    METHOD: ClassVar[str] = "job_master.task_output"
    job_id: JobId
    leader_id: LeaderId
    resource_id: ResourceId
    task_id: TaskId
    stream: Stream
    offset: Count
    data: str | None = None
    data_base64: Base64 | None = None


@attrs.frozen(kw_only=True)
class TaskFinishedAtExecutor(Notification):
    """A task ended: with ``exit_code`` or by ``signal``; ``cause`` when slotd ended it.

    ``enforced``: which parts of the slot's profile the system kept it to (``cpu_affinity``,
    ``data_segment``).
    """

    METHOD: ClassVar[str] = "job_master.task_finished"
    job_id: JobId
    leader_id: LeaderId
    resource_id: ResourceId
    task_id: TaskId
    exit_code: int | None = None
    signal: int | None = None
    cause: str | None = None
    enforced: list[str] | None = None
