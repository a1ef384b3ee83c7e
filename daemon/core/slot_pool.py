"""The JobMaster's core: the job's slots, its requests, and which slot serves which request."""

from collections.abc import Callable, Mapping

import attrs

from daemon.core.effects import SlotPoolEffect
from protocol.errors import SlotdError
from protocol.ids import AllocationId, JobId, RequestId, ResourceId
from protocol.messages.values import HeldSlot, Location, SlotOffer
from protocol.news import PoolCounts
from protocol.resources import ResourceProfile


@attrs.frozen
class PoolRequest:
    """One ``slot.allocate``; ``deadline`` is monotonic and counts from creation (X006)."""

    request_id: RequestId
    profile: ResourceProfile
    queued: bool
    deadline: float
    preferred: tuple[Location, ...] = ()


@attrs.frozen
class SlotPoolSettings:
    """Durations in seconds."""

    slot_idle_timeout_s: float = 50.0
    recovery_timeout_s: float = 10.0


@attrs.frozen
class Holding:
    """A slot that served a request in an earlier term of this job's leadership."""

    request_id: RequestId
    allocation_id: AllocationId


@attrs.frozen
class PoolExplanation:
    """Where a request is in the pool; ``allocation_id`` once the ResourceManager was asked."""

    state: str
    since: float
    deadline: float | None
    profile: ResourceProfile
    allocation_id: AllocationId | None


class SlotPool:
    """Lives for one term of one JobMaster.

    ``holdings`` are what the term before had granted: an offer with such an allocation goes back to
    its request, so that a change of leader neither loses a slot nor grants it twice. What is not
    offered again within ``recovery_timeout_s`` is lost (FailPayload).
    ``new_allocation_id`` makes a fresh id: randomness is an argument.
    """

    def __init__(
        self,
        job_id: JobId,
        settings: SlotPoolSettings,
        new_allocation_id: Callable[[], AllocationId],
        now: float,
        holdings: Mapping[RequestId, Holding] | None = None,
    ) -> None:
        raise NotImplementedError

    # requests

    def allocate(self, request: PoolRequest, now: float) -> list[SlotPoolEffect]:
        """Serve from the pool, else queue and ask the ResourceManager, or refuse (C01-C03, F41).

        The same request id again: a granted one is granted again with the same slot; a pending one
        keeps waiting (the effects are empty, both askers are answered by its one outcome).
        """
        raise NotImplementedError

    def release(
        self, request_id: RequestId, cause: str, now: float
    ) -> tuple[bool, list[SlotPoolEffect]]:
        """Withdraw a pending request, or give its slot back; False if unknown (C33, C34, F42)."""
        raise NotImplementedError

    # the ResourceManager

    def connect_resource_manager(self, now: float) -> list[SlotPoolEffect]:
        """Registered at a ResourceManager: ask it for all that is unfulfilled, oldest first (C15, X101)."""
        raise NotImplementedError

    def disconnect_resource_manager(self, now: float) -> list[SlotPoolEffect]:
        """The ResourceManager is gone: every request waits for the next one (C45, X014)."""
        raise NotImplementedError

    def request_refused(
        self, allocation_id: AllocationId, error: SlotdError, now: float
    ) -> list[SlotPoolEffect]:
        """AskResourceManager failed: the request fails with NoResourceAvailable, cause inside (C12)."""
        raise NotImplementedError

    # executors

    def register_executor(self, resource_id: ResourceId, host: str) -> None:
        """Take offers from this executor from now on; idempotent (C04, C44)."""
        raise NotImplementedError

    def lose_executor(
        self, resource_id: ResourceId, cause: str, now: float
    ) -> list[SlotPoolEffect]:
        """An executor is gone with its slots; pending requests stay (C08, C09)."""
        raise NotImplementedError

    def offer(
        self, resource_id: ResourceId, offers: list[SlotOffer], now: float
    ) -> tuple[list[AllocationId], list[SlotPoolEffect]]:
        """Accept or refuse offers one by one (C04-C07, C10, C36, F44). Book first, complete last.

        Raises:
            UnknownTaskExecutor: the executor is not registered here (C46).
        """
        raise NotImplementedError

    def fail_allocation(
        self, allocation_id: AllocationId, error: SlotdError, now: float
    ) -> list[SlotPoolEffect]:
        """An allocation is lost: pending, available or allocated, in this order (C11, C40, H18)."""
        raise NotImplementedError

    # the end

    def suspend(self, cause: str) -> list[SlotPoolEffect]:
        """Leadership is lost: fail all pending requests, cancel them, free no slot (C17, X004)."""
        raise NotImplementedError

    def close(self, cause: str) -> list[SlotPoolEffect]:
        """The job ends: fail all pending requests and free every slot (C37)."""
        raise NotImplementedError

    # time and views

    @property
    def next_deadline(self) -> float:
        """When ``expire`` has something to do; ``math.inf`` when never."""
        raise NotImplementedError

    def expire(self, now: float) -> list[SlotPoolEffect]:
        """Do what is due: request deadlines, idle slots, holdings that did not come back."""
        raise NotImplementedError

    def holdings(self) -> dict[RequestId, Holding]:
        """What is granted now, for the next term."""
        raise NotImplementedError

    def slot_of(self, request_id: RequestId) -> tuple[ResourceId, AllocationId] | None:
        """Where the request's slot is, if it has one that is here (not awaiting recovery)."""
        raise NotImplementedError

    def held_at(self, resource_id: ResourceId) -> list[HeldSlot]:
        """What the pool believes it holds at an executor: allocated and available (C41, H14)."""
        raise NotImplementedError

    def counts(self) -> PoolCounts:
        """How much there is of everything."""
        raise NotImplementedError

    def explain(self, request_id: RequestId) -> PoolExplanation | None:
        """Where a request is; None if there is none."""
        raise NotImplementedError

    def check_invariants(self) -> None:
        """Assert section 5.2 of the catalogue; for tests and the simulator."""
        raise NotImplementedError
