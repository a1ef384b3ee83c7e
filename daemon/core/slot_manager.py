"""The ResourceManager's core: every slot, every pending request, and which slot serves which."""

import attrs

from daemon.core.effects import SlotManagerEffect
from protocol.ids import AllocationId, InstanceId, JobId, ResourceId, SlotId
from protocol.messages.client import SlotKind
from protocol.messages.values import SlotStatus
from protocol.resources import ResourceProfile


@attrs.frozen
class SlotRequest:
    """One slot for one allocation of a job; ``deadline`` is monotonic and counts from creation."""

    allocation_id: AllocationId
    job_id: JobId
    profile: ResourceProfile
    target_address: str
    deadline: float


@attrs.frozen
class ExecutorRegistration:
    """An executor as it registered; its slots come with its first report (E31)."""

    instance_id: InstanceId
    resource_id: ResourceId
    host: str
    address: str


@attrs.frozen
class WorkerSpecification:
    """What an executor that can be started will bring (D33)."""

    slots: tuple[ResourceProfile, ...]


@attrs.frozen
class SlotManagerSettings:
    """Durations in seconds. ``worker`` is None where nobody starts executors."""

    placement: str = "first-fit"
    start_up_time_s: float = 15.0
    executor_idle_timeout_s: float = 30.0
    retry_delay_s: float = 0.1
    max_retry_delay_s: float = 10.0
    worker: WorkerSpecification | None = None
    max_slots: int | None = None
    redundant_executors: int = 0


@attrs.frozen
class SlotManagerCounts:
    """Sizes at this moment (D44)."""

    executors: int
    slots: int
    free: int
    requests: int


@attrs.frozen
class RequestExplanation:
    """Why a request of the ResourceManager is where it is."""

    state: str
    reason: str
    position: int | None
    kinds: list[SlotKind]
    nearest: str | None


class SlotManager:
    """Lives for one term of one ResourceManager: a new term makes a new one (D25, D26)."""

    def __init__(self, settings: SlotManagerSettings, now: float) -> None:
        raise NotImplementedError

    # executors

    def register_executor(
        self, executor: ExecutorRegistration, now: float
    ) -> list[SlotManagerEffect]:
        """An executor registered; an earlier instance of the same name is dropped first (G11)."""
        raise NotImplementedError

    def report_slots(
        self, instance_id: InstanceId, report: list[SlotStatus], now: float
    ) -> tuple[bool, list[SlotManagerEffect]]:
        """Ground truth from an executor; False when the instance is not registered (D13).

        Raises:
            InvalidParams: the report names a slot twice or one of another executor.
        """
        raise NotImplementedError

    def lose_executor(
        self, instance_id: InstanceId, cause: str, now: float
    ) -> list[SlotManagerEffect]:
        """An executor is gone; unknown ones are ignored (A18)."""
        raise NotImplementedError

    def drain_executor(self, resource_id: ResourceId, now: float) -> list[SlotManagerEffect]:
        """Give no more slots there. UnknownTaskExecutor if it is not registered."""
        raise NotImplementedError

    def is_drained(self, resource_id: ResourceId) -> bool:
        """Whether a draining executor has only free slots (or is gone)."""
        raise NotImplementedError

    # requests

    def request_slot(
        self, request: SlotRequest, now: float
    ) -> tuple[bool, list[SlotManagerEffect]]:
        """Note a request; False for a duplicate, pending or allocated (A04, B13, D09-D12).

        Raises:
            NoResourceAvailable: after the start-up grace, when nothing could ever serve it (D37).
        """
        raise NotImplementedError

    def cancel_request(
        self, allocation_id: AllocationId, now: float
    ) -> tuple[bool, list[SlotManagerEffect]]:
        """Withdraw a request; False if there is none (D06)."""
        raise NotImplementedError

    def lose_job(self, job_id: JobId, now: float) -> list[SlotManagerEffect]:
        """A job's JobMaster is gone: withdraw its requests; its slots stay (G20)."""
        raise NotImplementedError

    # answers of executors

    def slot_granted(
        self, slot_id: SlotId, instance_id: InstanceId, allocation_id: AllocationId, now: float
    ) -> list[SlotManagerEffect]:
        """The executor acknowledged AskExecutorForSlot (D05)."""
        raise NotImplementedError

    def slot_refused(
        self,
        slot_id: SlotId,
        instance_id: InstanceId,
        allocation_id: AllocationId,
        cause: str,
        occupied_by: AllocationId | None,
        now: float,
    ) -> list[SlotManagerEffect]:
        """The executor refused, or did not answer in time (D17, D22, D23, D39, X207)."""
        raise NotImplementedError

    def slot_available(
        self, slot_id: SlotId, instance_id: InstanceId, allocation_id: AllocationId, now: float
    ) -> list[SlotManagerEffect]:
        """The executor freed a slot; a wrong allocation or instance is ignored (B12, D08, G14)."""
        raise NotImplementedError

    # executors that are started and given back

    def executor_start_failed(
        self, profile: ResourceProfile, cause: str, now: float
    ) -> list[SlotManagerEffect]:
        """StartExecutor could not be done: the requests that wait for it fail (D04)."""
        raise NotImplementedError

    def executor_may_go(
        self, instance_id: InstanceId, idle_since: float, now: float
    ) -> list[SlotManagerEffect]:
        """The executor agreed to be released; only in the same idle period (D38)."""
        raise NotImplementedError

    # time and views

    @property
    def next_deadline(self) -> float:
        """When ``expire`` has something to do; ``math.inf`` when never."""
        raise NotImplementedError

    def expire(self, now: float) -> list[SlotManagerEffect]:
        """Do what is due: deadlines, retries, idle executors, the end of the start-up grace."""
        raise NotImplementedError

    def counts(self) -> SlotManagerCounts:
        """How much there is of everything."""
        raise NotImplementedError

    def explain(self, allocation_id: AllocationId, now: float) -> RequestExplanation | None:
        """Why this request is where it is, by the code that matches; None if there is none."""
        raise NotImplementedError

    def check_invariants(self) -> None:
        """Assert section 5.2 of the catalogue; for tests and the simulator."""
        raise NotImplementedError
