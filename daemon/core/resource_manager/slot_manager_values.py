"""What goes into the SlotManager and what can be seen of it: frozen values, nothing decided."""

import attrs

from protocol.ids import AllocationId, InstanceId, JobId, ResourceId
from protocol.messages.values import SlotKind
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

    slots: tuple[ResourceProfile, ...] = attrs.field(validator=attrs.validators.min_len(1))


@attrs.frozen
class SlotManagerSettings:
    """Durations in seconds. ``worker`` is None where nobody starts executors.

    ``start_up_time_s`` < 0: the impossible is never refused (G22). ``retry_delay_s`` doubles with
    every refusal in a row, up to ``max_retry_delay_s`` (X207). ``placement`` is a name in
    ``placement.PLACEMENTS``.
    """

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
