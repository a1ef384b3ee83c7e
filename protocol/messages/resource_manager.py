"""The ResourceManager's gateway: registrations, slot requests and slot reports."""

from typing import ClassVar

import attrs

from protocol.forms import Address, CallbackAddress, Label, Seconds
from protocol.ids import (
    AllocationId,
    InstanceId,
    JobId,
    LeaderId,
    ResourceId,
    SlotId,
)
from protocol.messages.calls import Empty, FencedRequest, Request
from protocol.messages.values import Hardware, SlotKind, SlotStatus
from protocol.resources import UNKNOWN, ResourceProfile


@attrs.frozen
class ResourceManagerLeader:
    """Who leads. ``address`` is ``host:port``."""

    leader_id: LeaderId
    epoch: int
    address: str


@attrs.frozen
class FindResourceManager(Request[ResourceManagerLeader]):
    """Asks which ResourceManager leads here; NotLeader if none does."""

    METHOD: ClassVar[str] = "resource_manager.leader"


@attrs.frozen
class TaskExecutorRegistered:
    """A registration as executor. Intervals in seconds."""

    instance_id: InstanceId
    heartbeat_interval: float
    heartbeat_timeout: float


@attrs.frozen(kw_only=True)
class RegisterTaskExecutor(FencedRequest[TaskExecutorRegistered]):
    """Registers an executor; a second registration replaces the first and its slots (G11)."""

    METHOD: ClassVar[str] = "resource_manager.register_task_executor"
    resource_id: ResourceId
    host: Label
    address: CallbackAddress
    hardware: Hardware


@attrs.frozen
class JobMasterRegistered:
    """A registration as JobMaster. Intervals in seconds."""

    heartbeat_interval: float
    heartbeat_timeout: float


@attrs.frozen(kw_only=True)
class RegisterJobMaster(FencedRequest[JobMasterRegistered]):
    """Registers the JobMaster of a job; replaces an earlier one of that job (B01, G10)."""

    METHOD: ClassVar[str] = "resource_manager.register_job_master"
    job_id: JobId
    job_master_id: LeaderId
    address: CallbackAddress


@attrs.frozen
class SlotRequestRegistered:
    """``registered`` is False for a duplicate; True means noted, not fulfilled (B05)."""

    registered: bool


@attrs.frozen(kw_only=True)
class RequestSlot(FencedRequest[SlotRequestRegistered]):
    """A JobMaster wants one slot. ``timeout``: seconds that are left of the request's time."""

    METHOD: ClassVar[str] = "resource_manager.request_slot"
    job_id: JobId
    job_master_id: LeaderId
    allocation_id: AllocationId
    target_address: Address
    profile: ResourceProfile = UNKNOWN
    timeout: Seconds | None = None


@attrs.frozen
class SlotRequestCancelled:
    """``cancelled`` is False when there was nothing to cancel (G18)."""

    cancelled: bool


@attrs.frozen(kw_only=True)
class CancelSlotRequest(FencedRequest[SlotRequestCancelled]):
    """Withdraws a slot request; best effort (G18)."""

    METHOD: ClassVar[str] = "resource_manager.cancel_slot_request"
    allocation_id: AllocationId


@attrs.frozen(kw_only=True)
class NotifySlotAvailable(FencedRequest[Empty]):
    """A slot became free at its executor; fenced by ``instance_id`` too (B12)."""

    METHOD: ClassVar[str] = "resource_manager.notify_slot_available"
    instance_id: InstanceId
    slot_id: SlotId
    allocation_id: AllocationId


@attrs.frozen
class SlotReportTaken:
    """``known`` is False when the executor must register again (G17)."""

    known: bool


@attrs.frozen(kw_only=True)
class ReportSlots(FencedRequest[SlotReportTaken]):
    """Every slot of an executor, as it sees them: the ground truth (A22, B16)."""

    METHOD: ClassVar[str] = "resource_manager.report_slots"
    instance_id: InstanceId
    slot_report: list[SlotStatus]


@attrs.frozen
class SlotRequestExplained:
    """Why a slot request is where it is; ``position`` counts from 1 among equals."""

    state: str
    reason: str
    position: int | None = None
    kinds: list[SlotKind] = attrs.field(factory=list[SlotKind])
    nearest: str | None = None


@attrs.frozen(kw_only=True)
class ExplainSlotRequest(FencedRequest[SlotRequestExplained]):
    """A JobMaster asks why a request waits; UnknownRequest when there is none."""

    METHOD: ClassVar[str] = "resource_manager.explain_slot_request"
    allocation_id: AllocationId


@attrs.frozen(kw_only=True)
class DisconnectTaskExecutor(FencedRequest[Empty]):
    """An executor says goodbye; unknown ones are ignored (G23)."""

    METHOD: ClassVar[str] = "resource_manager.disconnect_task_executor"
    instance_id: InstanceId
    cause: str


@attrs.frozen(kw_only=True)
class DisconnectJobMaster(FencedRequest[Empty]):
    """A JobMaster says goodbye; its requests are withdrawn (G23)."""

    METHOD: ClassVar[str] = "resource_manager.disconnect_job_master"
    job_id: JobId
    job_master_id: LeaderId
    cause: str
