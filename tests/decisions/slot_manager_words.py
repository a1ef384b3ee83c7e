"""Short words for the tests of the SlotManager; every step is checked against the news it made."""

from collections.abc import Iterable

import attrs

from daemon.core.effects import (
    AskExecutorForSlot,
    SlotManagerEffect,
    TellJobAllocationFailed,
)
from daemon.core.resource_manager.inventory import Allocated, PendingRequest, Slot, Withdrawn
from daemon.core.resource_manager.slot_manager import (
    ExecutorRegistration,
    RequestExplanation,
    SlotManager,
    SlotManagerSettings,
    SlotRequest,
)
from protocol.cluster_state import ClusterState
from protocol.errors import SlotdError
from protocol.ids import AllocationId, InstanceId, JobId, ResourceId, SlotId, executor_of
from protocol.messages.values import SlotStatus
from protocol.news import (
    Event,
    ExecutorDraining,
    ExecutorLost,
    ExecutorRegistered,
    ExecutorReleased,
    News,
    RequestAssigned,
    RequestCancelledNews,
    RequestFailed,
    RequestFulfilled,
    RequestRegistered,
    RequestRequeued,
    SlotAllocated,
    SlotFreed,
    SlotRegistered,
    SlotRemoved,
)
from protocol.resources import ResourceProfile
from protocol.snapshot import ExecutorState, RequestState, SlotState

P = ResourceProfile(1, 512)
B = ResourceProfile(2, 1024)
DEADLINE = 300.0
TARGET = "127.0.0.1:6123"


@attrs.frozen
class Told:
    """A TellJobAllocationFailed in an expected list: errors are compared by type."""

    job: str
    allocation: str
    error: type[SlotdError]


@attrs.frozen
class Failed:
    """A RequestFailed in an expected list: its cause is a sentence for people."""

    allocation: str


Seen = SlotManagerEffect | Told | Failed


class Cluster:
    """A SlotManager, the time, and a ClusterState that follows its news.

    After every step the invariants hold and the two agree about everything that both know.
    """

    def __init__(self, settings: SlotManagerSettings | None = None) -> None:
        self.now = 0.0
        self.manager = SlotManager(settings or SlotManagerSettings(), 0.0)
        self.state = ClusterState()
        self.effects: list[SlotManagerEffect] = []

    # executors

    def register(self, name: str = "te-1", instance: str = "") -> list[Seen]:
        registration = ExecutorRegistration(
            InstanceId(instance or f"i-{name}"), ResourceId(name), "host", TARGET
        )
        return self.step(self.manager.register_executor(registration, self.now))

    def report(
        self, instance: str, *slots: SlotStatus, asked_at: float | None = None
    ) -> list[Seen]:
        known, effects = self.manager.report_slots(
            InstanceId(instance), list(slots), self.now, asked_at
        )
        assert known
        return self.step(effects)

    def executor(self, name: str, *profiles: ResourceProfile) -> list[Seen]:
        """Register an executor and report its slots, all free; the effects of the report."""
        self.register(name)
        return self.report(f"i-{name}", *(free(name, n, p) for n, p in enumerate(profiles)))

    def lose(self, name: str, cause: str = "lost") -> list[Seen]:
        return self.step(self.manager.lose_executor(InstanceId(f"i-{name}"), cause, self.now))

    def drain(self, name: str) -> list[Seen]:
        return self.step(self.manager.drain_executor(ResourceId(name), self.now))

    # requests

    def request(
        self,
        name: str,
        profile: ResourceProfile = P,
        *,
        job: str = "job",
        deadline: float = DEADLINE,
        target: str = TARGET,
    ) -> list[Seen]:
        noted, effects = self.manager.request_slot(
            request(name, profile, job=job, deadline=deadline, target=target), self.now
        )
        assert noted
        return self.step(effects)

    def again(self, name: str, profile: ResourceProfile = P, *, job: str = "job") -> bool:
        """Request what may be a duplicate: False, and nothing happens, if it is one."""
        noted, effects = self.manager.request_slot(request(name, profile, job=job), self.now)
        assert noted or not effects
        self.step(effects)
        return noted

    def cancel(self, name: str) -> list[Seen]:
        cancelled, effects = self.manager.cancel_request(AllocationId(name), self.now)
        assert cancelled
        return self.step(effects)

    def lose_job(self, job: str) -> list[Seen]:
        return self.step(self.manager.lose_job(JobId(job), self.now))

    def explain(self, name: str) -> RequestExplanation:
        explanation = self.manager.explain(AllocationId(name), self.now)
        assert explanation is not None
        return explanation

    # answers

    def grant(self, slot: str, name: str, instance: str = "") -> list[Seen]:
        return self.step(
            self.manager.slot_granted(
                SlotId(slot), _instance(slot, instance), AllocationId(name), self.now
            )
        )

    def refuse(
        self, slot: str, name: str, cause: str = "no", *, by: str | None = None
    ) -> list[Seen]:
        occupant = AllocationId(by) if by is not None else None
        return self.step(
            self.manager.slot_refused(
                SlotId(slot), _instance(slot), AllocationId(name), cause, occupant, self.now
            )
        )

    def available(self, slot: str, name: str, instance: str = "") -> list[Seen]:
        return self.step(
            self.manager.slot_available(
                SlotId(slot), _instance(slot, instance), AllocationId(name), self.now
            )
        )

    def hold(self, slot: str, name: str, profile: ResourceProfile = P, *, job: str = "job") -> None:
        """Request a slot that will be this one, and have it granted."""
        effects = self.request(name, profile, job=job)
        assert effects[1:] == asked(slot, name, profile, job=job)
        self.grant(slot, name)

    # time

    def at(self, now: float) -> list[Seen]:
        """Let time pass and do what is due."""
        self.now = now
        return self.step(self.manager.expire(now))

    # what is seen

    def step(self, effects: list[SlotManagerEffect]) -> list[Seen]:
        for effect in effects:
            if isinstance(effect, News):
                self.state.apply(Event(self.state.seq + 1, self.now, effect))
        self.effects += effects
        self.manager.check_invariants()
        self.agree()
        return seen(effects)

    def agree(self) -> None:
        """The state that follows the news is the one in the books."""
        ledger = self.manager._ledger
        assert {key: _state_of(slot) for key, slot in ledger.slots.items()} == {
            key: (view.state, view.profile, view.allocation_id, view.job_id)
            for key, view in self.state.slots.items()
        }
        assert {
            key: (pending.slot.slot_id if pending.slot is not None else None, pending.profile)
            for key, pending in ledger.requests.items()
        } == {key: (view.slot_id, view.profile) for key, view in self.state.requests.items()}
        for request_view in self.state.requests.values():
            assigned = request_view.state is RequestState.ASSIGNED
            assert assigned == (request_view.slot_id is not None)
        assert {
            name: (
                executor.instance_id,
                executor.is_closed,
                len(executor.slots),
                len(executor.slots) - executor.used,
            )
            for name, executor in ledger.by_name.items()
        } == {
            name: (
                view.instance_id,
                view.state is ExecutorState.DRAINING,
                view.slots,
                view.free,
            )
            for name, view in self.state.executors.items()
        }

    def slots(self) -> dict[str, str | None]:
        """Who has which slot; None for the free ones."""
        return {key: view.allocation_id for key, view in self.state.slots.items()}

    def waiting(self) -> list[str]:
        """The requests that no slot is being asked for."""
        return [key for key, view in self.state.requests.items() if view.slot_id is None]


def _instance(slot: str, instance: str = "") -> InstanceId:
    return InstanceId(instance or f"i-{executor_of(SlotId(slot))}")


def _state_of(
    slot: Slot,
) -> tuple[SlotState, ResourceProfile, AllocationId | None, JobId | None]:
    match slot.state:
        case PendingRequest(request=request):
            return (SlotState.PENDING, slot.profile, request.allocation_id, request.job_id)
        case Withdrawn(allocation_id=allocation_id, job_id=job_id):
            return (SlotState.PENDING, slot.profile, allocation_id, job_id)
        case Allocated(allocation_id=allocation_id, job_id=holder):
            return (SlotState.ALLOCATED, slot.profile, allocation_id, holder)
        case _:
            return (SlotState.FREE, slot.profile, None, None)


def seen(effects: Iterable[SlotManagerEffect]) -> list[Seen]:
    """Effects in a form that can be compared."""

    def form(effect: SlotManagerEffect) -> Seen:
        match effect:
            case TellJobAllocationFailed(job_id, allocation_id, error):
                return Told(job_id, allocation_id, type(error))
            case RequestFailed(allocation_id):
                return Failed(allocation_id)
            case _:
                return effect

    return [form(effect) for effect in effects]


def request(
    name: str,
    profile: ResourceProfile = P,
    *,
    job: str = "job",
    deadline: float = DEADLINE,
    target: str = TARGET,
) -> SlotRequest:
    return SlotRequest(AllocationId(name), JobId(job), profile, target, deadline)


def free(executor: str, number: int = 0, profile: ResourceProfile = P) -> SlotStatus:
    return SlotStatus(SlotId(f"{executor}_{number}"), profile)


def held(
    executor: str,
    number: int,
    name: str,
    profile: ResourceProfile = P,
    *,
    job: str | None = "job",
) -> SlotStatus:
    return SlotStatus(
        SlotId(f"{executor}_{number}"),
        profile,
        AllocationId(name),
        JobId(job) if job is not None else None,
    )


# effects, in few words


def noted(
    name: str, profile: ResourceProfile = P, *, job: str = "job", timeout: float = DEADLINE
) -> Seen:
    return RequestRegistered(AllocationId(name), JobId(job), profile, timeout)


def asked(
    slot: str, name: str, profile: ResourceProfile = P, *, job: str = "job", instance: str = ""
) -> list[Seen]:
    slot_id, allocation_id, job_id = SlotId(slot), AllocationId(name), JobId(job)
    return [
        RequestAssigned(allocation_id, job_id, slot_id),
        AskExecutorForSlot(
            _instance(slot, instance), slot_id, job_id, allocation_id, profile, TARGET
        ),
    ]


def granted(slot: str, name: str, *, job: str = "job") -> list[Seen]:
    slot_id, allocation_id, job_id = SlotId(slot), AllocationId(name), JobId(job)
    return [
        RequestFulfilled(allocation_id, job_id, slot_id),
        SlotAllocated(slot_id, allocation_id, job_id),
    ]


def requeued(slot: str, name: str, cause: str = "no", *, job: str = "job") -> Seen:
    return RequestRequeued(AllocationId(name), JobId(job), SlotId(slot), cause)


def freed(slot: str, name: str) -> Seen:
    return SlotFreed(SlotId(slot), AllocationId(name))


def appeared(slot: str, profile: ResourceProfile = P) -> Seen:
    return SlotRegistered(SlotId(slot), profile)


def appeared_held(
    slot: str, name: str, profile: ResourceProfile = P, *, job: str | None = "job"
) -> Seen:
    return SlotRegistered(
        SlotId(slot), profile, AllocationId(name), JobId(job) if job is not None else None
    )


def removed(slot: str, name: str | None = None) -> Seen:
    return SlotRemoved(SlotId(slot), AllocationId(name) if name is not None else None)


def allocated(slot: str, name: str, *, job: str | None = "job") -> Seen:
    return SlotAllocated(SlotId(slot), AllocationId(name), JobId(job) if job is not None else None)


def cancelled(name: str, *, job: str = "job") -> Seen:
    return RequestCancelledNews(AllocationId(name), JobId(job))


def came(name: str, instance: str = "") -> Seen:
    return ExecutorRegistered(ResourceId(name), InstanceId(instance or f"i-{name}"), "host", TARGET)


def gone(name: str, cause: str = "lost", instance: str = "") -> Seen:
    return ExecutorLost(ResourceId(name), InstanceId(instance or f"i-{name}"), cause)


def draining(name: str, instance: str = "") -> Seen:
    return ExecutorDraining(ResourceId(name), InstanceId(instance or f"i-{name}"))


def released(name: str, cause: str) -> Seen:
    return ExecutorReleased(ResourceId(name), InstanceId(f"i-{name}"), cause)
