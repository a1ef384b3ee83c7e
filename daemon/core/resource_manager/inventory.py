"""The SlotManager's records: executors, slots with their state, requests; nothing decided here."""

from typing import TypeAlias

import attrs

from daemon.core.resource_manager.lane import Lane
from daemon.core.resource_manager.slot_manager_values import ExecutorRegistration, SlotRequest
from protocol.ids import AllocationId, InstanceId, JobId, SlotId
from protocol.resources import ResourceProfile
from protocol.values import value


@attrs.frozen
class Free:
    """Nobody has the slot and nobody is being asked for it."""


@value
class Withdrawn:
    """The request is gone, but the executor may have granted it: the slot is out of use (X214).

    Until the executor ``answered`` it is being asked; after that it is being told to free the slot.
    """

    allocation_id: AllocationId
    job_id: JobId
    answered: bool


@value
class Allocated:
    """The slot belongs to an allocation; ``job_id`` is None while only the executor knows it.

    ``since``: when this was learnt. A report that was asked for earlier is no evidence against it.
    """

    allocation_id: AllocationId
    job_id: JobId | None
    since: float


FREE = Free()


@attrs.define(eq=False)
class PendingRequest:
    """A request that has no confirmed slot; ``slot`` is the one that is being asked for, if any.

    It is that slot's state, too: the slot is PENDING for it (D43). ``serial`` is its place in the
    order of arrival, which it keeps when a slot refuses (X403).
    """

    request: SlotRequest
    profile: ResourceProfile
    serial: int
    slot: "Slot | None" = None
    lane: Lane["PendingRequest"] | None = None


SlotState: TypeAlias = Free | PendingRequest | Withdrawn | Allocated


@attrs.define(eq=False)
class KindCount:
    """How many slots of one profile there are; ``closed``: on executors that get no more work.

    ``lane`` is where those that may be given are.
    """

    profile: ResourceProfile
    slots: int = 0
    free: int = 0
    closed: int = 0
    lane: Lane["Slot"] | None = None


@attrs.define(eq=False)
class Slot:
    """A slot; ``serial`` is its place in the order of registration."""

    slot_id: SlotId
    profile: ResourceProfile
    executor: "Executor"
    kind: KindCount
    serial: int
    state: SlotState = FREE
    resting: bool = False
    refusals: int = 0
    lane: Lane["Slot"] | None = None

    @property
    def placeable(self) -> bool:
        """Whether a request may be given this slot now."""
        return self.state is FREE and not self.resting and self.executor.is_open


@attrs.define(eq=False)
class Executor:
    """A registered executor; ``serial`` is its place in the order of registration.

    ``used`` counts the slots that are not free. ``inherited`` are the allocations that the earlier
    instance of the same name had: the first report says whether they are still there.
    """

    registration: ExecutorRegistration
    serial: int
    instance_id: InstanceId = attrs.field(init=False)
    slots: dict[SlotId, Slot] = attrs.field(factory=dict[SlotId, Slot])
    kinds: dict[ResourceProfile, int] = attrs.field(factory=dict[ResourceProfile, int])
    inherited: dict[AllocationId, JobId] = attrs.field(factory=dict[AllocationId, JobId])
    used: int = 0
    reported: bool = False
    draining: bool = False
    leaving: bool = False
    resting: bool = False
    returning: bool = False
    refusals: int = 0
    idle_since: float | None = None
    version: int = 0

    def __attrs_post_init__(self) -> None:
        self.instance_id = self.registration.instance_id

    @property
    def is_open(self) -> bool:
        """Whether it gets new allocations now."""
        return not (self.draining or self.leaving or self.resting)

    @property
    def is_closed(self) -> bool:
        """Whether it gets no more allocations, now or later."""
        return self.draining or self.leaving

    @property
    def utilisation(self) -> float:
        """Which part of its slots is not free, 0 to 1."""
        return self.used / len(self.slots) if self.slots else 0.0
