"""Clusters for the rows of the core: executors with slots, requests, and executors that say yes."""

import attrs

from daemon.core.effects import AskExecutorForSlot, SlotManagerEffect
from daemon.core.resource_manager.slot_manager import (
    ExecutorRegistration,
    SlotManager,
    SlotManagerSettings,
    SlotRequest,
)
from protocol.ids import AllocationId, InstanceId, JobId, ResourceId, SlotId, executor_of
from protocol.messages.values import SlotStatus
from protocol.resources import ResourceProfile
from tests.benchmarks.twin import Entry, NaiveTwin

SLOTS_OF_AN_EXECUTOR = 10
WITHIN_GRACE = 1e6
"""So that what fits nowhere waits."""


@attrs.frozen
class Arrival:
    """An executor that registers and reports its slots, all free."""

    registration: ExecutorRegistration
    slots: list[SlotStatus]


def instance_of(number: int) -> InstanceId:
    """The instance id of executor ``te-<number>``."""
    return InstanceId(f"{number:032x}")


def arrivals(profiles: list[ResourceProfile], first: int = 0) -> list[Arrival]:
    """Executors with slots of these profiles, ten each."""
    made: list[Arrival] = []
    for begin in range(0, len(profiles), SLOTS_OF_AN_EXECUTOR):
        number = first + begin
        name, instance = ResourceId(f"te-{number}"), instance_of(number)
        registration = ExecutorRegistration(instance, name, "host", "host:1")
        mine = profiles[begin : begin + SLOTS_OF_AN_EXECUTOR]
        slots = [SlotStatus(SlotId(f"{name}_{n}"), profile) for n, profile in enumerate(mine)]
        made.append(Arrival(registration, slots))
    return made


def arrive(manager: SlotManager, arrival: Arrival) -> list[SlotManagerEffect]:
    """Let an executor register and report."""
    manager.register_executor(arrival.registration, 0.0)
    return manager.report_slots(arrival.registration.instance_id, arrival.slots, 0.0)[1]


def manager_with(profiles: list[ResourceProfile], placement: str = "first-fit") -> SlotManager:
    """A SlotManager with free slots of these profiles."""
    manager = SlotManager(SlotManagerSettings(placement, start_up_time_s=WITHIN_GRACE), 0.0)
    for arrival in arrivals(profiles):
        arrive(manager, arrival)
    return manager


def requests_of(profiles: list[ResourceProfile], first: int = 0) -> list[SlotRequest]:
    """One request for each, of a hundred jobs."""
    return [
        SlotRequest(
            AllocationId(f"{number:032x}"),
            JobId(f"{number % 100:032x}"),
            profile,
            "host:1",
            1e4 + number * 1e-5,
        )
        for number, profile in enumerate(profiles, first)
    ]


class Busy:
    """A SlotManager, executors that grant whatever they are asked for, and who has which slot."""

    def __init__(self, manager: SlotManager) -> None:
        self.manager = manager
        self.slots: list[tuple[SlotId, InstanceId]] = []
        self.holders: dict[SlotId, AllocationId] = {}

    def request(self, request: SlotRequest) -> None:
        """One more request."""
        self.take(self.manager.request_slot(request, 2.0)[1])

    def empty(self, wanted: list[SlotRequest]) -> None:
        """Withdraw what waits of these requests and free every slot."""
        for request in wanted:
            self.manager.cancel_request(request.allocation_id, 2.0)
        for slot_id, holder in self.holders.items():
            instance = instance_of(int(executor_of(slot_id).removeprefix("te-")))
            self.manager.slot_available(slot_id, instance, holder, 2.0)

    def release(self, number: int) -> None:
        """Free a slot that is in use, going round."""
        slot_id, instance_id = self.slots[number % len(self.slots)]
        holder = self.holders.pop(slot_id, None)
        if holder is not None:
            self.take(self.manager.slot_available(slot_id, instance_id, holder, 2.0))

    def take(self, effects: list[SlotManagerEffect]) -> None:
        """Grant what is asked for."""
        for effect in effects:
            if type(effect) is AskExecutorForSlot:
                slot_id, allocation_id = effect.slot_id, effect.allocation_id
                self.holders[slot_id] = allocation_id
                self.manager.slot_granted(slot_id, effect.instance_id, allocation_id, 2.0)


def busy(profiles: list[ResourceProfile]) -> Busy:
    """A SlotManager with slots of these profiles, each used by a request of its own profile."""
    busy = Busy(manager_with([]))
    for number, arrival in enumerate(arrivals(profiles)):
        wanted = [slot.profile for slot in arrival.slots]
        for request in requests_of(wanted, 10_000_000 + number * SLOTS_OF_AN_EXECUTOR):
            busy.request(request)
        for effect in (effects := arrive(busy.manager, arrival)):
            if type(effect) is AskExecutorForSlot:
                busy.slots.append((effect.slot_id, effect.instance_id))
        busy.take(effects)
    assert len(busy.holders) == len(profiles)
    return busy


def entries(profiles: list[ResourceProfile], prefix: str = "") -> list[Entry]:
    """The same for the twin."""
    return [
        Entry(f"{prefix}{number:032x}", profile.cpu_cores, profile.memory_mb)
        for number, profile in enumerate(profiles)
    ]


def twin_busy(profiles: list[ResourceProfile]) -> tuple[NaiveTwin, list[str]]:
    """The twin with all slots in use; the slots' holders."""
    twin = NaiveTwin()
    slots = entries(profiles, "s")
    for request, slot in zip(entries(profiles, "h"), slots, strict=True):
        twin.allocated[request.key] = (request, slot)
    return twin, list(twin.allocated)


def huge(count: int) -> list[ResourceProfile]:
    """Requests that fit nowhere, in 50 profiles."""
    return [ResourceProfile(1e6 + number % 50, 1 << 40) for number in range(count)]
