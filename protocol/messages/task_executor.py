"""The TaskExecutor's gateway: slots asked for and freed, tasks submitted and cancelled."""

from typing import ClassVar

import attrs

from protocol.forms import Address, Command, Directory, Environment, Seconds
from protocol.ids import AllocationId, Component, JobId, SlotId, TaskId
from protocol.messages.calls import Empty, FencedRequest, Request
from protocol.messages.values import HeldSlot, SlotStatus
from protocol.resources import UNKNOWN, ResourceProfile


@attrs.frozen(kw_only=True)
class RequestSlotOfExecutor(FencedRequest[Empty]):
    """The ResourceManager gives a slot to an allocation (B15); the executor offers it to the job.

    The same allocation for the same slot again is acknowledged (E06).
    """

    METHOD: ClassVar[str] = "task_executor.request_slot"
    slot_id: SlotId
    job_id: JobId
    allocation_id: AllocationId
    target_address: Address
    profile: ResourceProfile = UNKNOWN


@attrs.frozen
class FreeSlot(Request[Empty]):
    """Ends an allocation; an unknown one is acknowledged (E45).

    Unless ``even_if_accepted``, a slot that a JobMaster has accepted stays (X214).
    """

    METHOD: ClassVar[str] = "task_executor.free_slot"
    allocation_id: AllocationId
    cause: str
    even_if_accepted: bool = True


@attrs.frozen(kw_only=True)
class SubmitTask(FencedRequest[Empty]):
    """Runs a command in a slot; activates a slot whose offer is unanswered (E14)."""

    METHOD: ClassVar[str] = "task_executor.submit_task"
    job_id: JobId
    allocation_id: AllocationId
    task_id: TaskId
    command: Command
    env: Environment = attrs.field(factory=dict[str, str], repr=False)
    cwd: Directory | None = None
    stdin: str | None = attrs.field(default=None, repr=False)


@attrs.frozen
class CancelTaskOfExecutor(Request[Empty]):
    """Ends a task: TERM, ``grace`` seconds, KILL."""

    METHOD: ClassVar[str] = "task_executor.cancel_task"
    task_id: TaskId
    grace: Seconds | None = None


@attrs.frozen
class SlotReport:
    """Every slot of the executor, free ones included (E25)."""

    slot_report: list[SlotStatus]


@attrs.frozen(kw_only=True)
class HeartbeatOfExecutor(Request[SlotReport]):
    """A beat from the leader of ``sender``; a JobMaster sends what it believes it holds (E33)."""

    METHOD: ClassVar[str] = "task_executor.heartbeat"
    sender: Component
    allocated: list[HeldSlot] | None = None


@attrs.frozen
class DisconnectFromExecutor(Request[Empty]):
    """``sender`` drops the executor; it registers again (E30)."""

    METHOD: ClassVar[str] = "task_executor.disconnect"
    sender: Component
    cause: str
