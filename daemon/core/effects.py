"""What the cores want done: frozen values, interpreted by exactly one role each.

News are effects too: a core that decides something says so, and the role publishes it.
"""

from typing import TypeAlias

from protocol.errors import SlotdError
from protocol.ids import (
    AllocationId,
    InstanceId,
    JobId,
    LeaderId,
    RequestId,
    ResourceId,
    SlotId,
    TaskId,
)
from protocol.messages.values import GrantedSlot, SlotOffer
from protocol.news import News
from protocol.resources import ResourceProfile
from protocol.values import value

# --- SlotManager -> ResourceManager ---------------------------------------------------------------


@value
class AskExecutorForSlot:
    """Call ``task_executor.request_slot``; report the answer to the SlotManager."""

    instance_id: InstanceId
    slot_id: SlotId
    job_id: JobId
    allocation_id: AllocationId
    profile: ResourceProfile
    target_address: str


@value
class FreeSlotAtInstance:
    """Call ``task_executor.free_slot``, best effort (X214).

    Unless ``even_if_accepted``, a slot that its JobMaster has accepted stays: the job may have
    given it to somebody.
    """

    instance_id: InstanceId
    allocation_id: AllocationId
    cause: str
    even_if_accepted: bool = False


@value
class TellJobAllocationFailed:
    """Call ``job_master.notify_allocation_failure`` (D20, D32)."""

    job_id: JobId
    allocation_id: AllocationId
    error: SlotdError


@value
class StartExecutor:
    """Ask whoever starts executors for one with slots of at least ``profile`` (D03)."""

    profile: ResourceProfile


@value
class AskExecutorForRelease:
    """Ask an idle executor whether it may go; report back with the same ``idle_since`` (D38)."""

    instance_id: InstanceId
    idle_since: float


@value
class ReleaseExecutor:
    """Give an idle or surplus executor back; it stays registered until it is gone (D29, D47)."""

    instance_id: InstanceId
    cause: str


SlotManagerEffect: TypeAlias = (
    AskExecutorForSlot
    | FreeSlotAtInstance
    | TellJobAllocationFailed
    | StartExecutor
    | AskExecutorForRelease
    | ReleaseExecutor
    | News
)

# --- SlotPool -> JobMaster ------------------------------------------------------------------------


@value
class AskResourceManager:
    """Call ``resource_manager.request_slot``; report a refusal or an error to the pool (C12).

    ``timeout_s``: what is left of the request's time.
    """

    allocation_id: AllocationId
    profile: ResourceProfile
    timeout_s: float


@value
class CancelAtResourceManager:
    """Call ``resource_manager.cancel_slot_request``, best effort (C32, C36)."""

    allocation_id: AllocationId


@value
class FreeSlotAtExecutor:
    """Call ``task_executor.free_slot``; a failure needs no report (C39)."""

    resource_id: ResourceId
    allocation_id: AllocationId
    cause: str


@value
class GrantRequest:
    """Answer a pending ``slot.allocate``: it has its slot."""

    request_id: RequestId
    slot: GrantedSlot


@value
class FailRequest:
    """Answer a pending ``slot.allocate`` with an error."""

    request_id: RequestId
    error: SlotdError


@value
class FailPayload:
    """The slot that served ``request_id`` is gone: whatever ran in it has failed (C08, C47)."""

    request_id: RequestId
    allocation_id: AllocationId
    cause: str


@value
class DropExecutor:
    """The executor has no slot of this job left: close the connection to it (C40, H12)."""

    resource_id: ResourceId
    cause: str


SlotPoolEffect: TypeAlias = (
    AskResourceManager
    | CancelAtResourceManager
    | FreeSlotAtExecutor
    | GrantRequest
    | FailRequest
    | FailPayload
    | DropExecutor
)

# --- SlotTable -> TaskExecutor --------------------------------------------------------------------


@value
class WatchJob:
    """Find the leader of a job, starting at ``target_address``, and register there (E08)."""

    job_id: JobId
    target_address: str


@value
class UnwatchJob:
    """The executor has no slot of this job left: close its connection (E20)."""

    job_id: JobId


@value
class OfferSlotsToJob:
    """Call ``job_master.offer_slots``; report the answer with the same ``serial`` (E10-E13)."""

    job_id: JobId
    leader_id: LeaderId
    serial: int
    slots: tuple[SlotOffer, ...]


@value
class TellSlotAvailable:
    """Call ``resource_manager.notify_slot_available``, best effort (B12, E11)."""

    slot_id: SlotId
    allocation_id: AllocationId


@value
class TellJobSlotFailed:
    """Call ``job_master.fail_slot``, best effort (E33)."""

    job_id: JobId
    leader_id: LeaderId
    allocation_id: AllocationId
    cause: str


@value
class StopTask:
    """End a task's process group; report ``task_finished`` when it is gone (E21)."""

    task_id: TaskId
    cause: str
    grace_s: float | None = None


SlotTableEffect: TypeAlias = (
    WatchJob | UnwatchJob | OfferSlotsToJob | TellSlotAvailable | TellJobSlotFailed | StopTask
)
