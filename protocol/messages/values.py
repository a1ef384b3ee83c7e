"""Values that several messages carry: locations, slot reports, offers and granted slots."""

import enum

import attrs

from protocol.forms import Amount, Amounts, Count, Label, WholeAmount
from protocol.ids import AllocationId, JobId, RequestId, ResourceId, SlotId
from protocol.resources import ResourceProfile


class Locality(enum.Enum):
    """How near a granted slot is to what the request preferred (C20)."""

    UNCONSTRAINED = "UNCONSTRAINED"
    LOCAL = "LOCAL"
    HOST_LOCAL = "HOST_LOCAL"
    NON_LOCAL = "NON_LOCAL"
    UNKNOWN = "UNKNOWN"


@attrs.frozen
class Location:
    """A place that a request prefers: an executor, a host, or both."""

    resource_id: ResourceId | None = None
    host: Label | None = None


@attrs.frozen
class CoLocation:
    """Tasks of one group and index must sit in one slot's executor (section F)."""

    group: Label
    index: Count


@attrs.frozen
class SlotStatus:
    """One slot as its executor sees it; free when ``allocation_id`` is None."""

    slot_id: SlotId
    profile: ResourceProfile
    allocation_id: AllocationId | None = None
    job_id: JobId | None = None


@attrs.frozen
class SlotOffer:
    """A slot that an executor offers to the JobMaster it was allocated for."""

    allocation_id: AllocationId
    slot_number: Count
    profile: ResourceProfile


@attrs.frozen
class HeldSlot:
    """A slot that a JobMaster believes it holds at the executor it speaks to (E33)."""

    allocation_id: AllocationId
    slot_number: Count


@attrs.frozen
class Hardware:
    """What an executor's machine has."""

    cpu_cores: Amount
    memory_mb: WholeAmount
    extended: Amounts = attrs.field(factory=dict[str, float])


@attrs.frozen
class GrantedSlot:
    """The answer to ``slot.allocate``: which slot serves the request."""

    request_id: RequestId
    allocation_id: AllocationId
    slot_id: SlotId
    resource_id: ResourceId
    host: str
    slot_number: int
    profile: ResourceProfile
    locality: Locality


@attrs.frozen
class SlotKind:
    """All slots of one profile, seen from one request: how many there are and why none serves."""

    profile: ResourceProfile
    slots: int
    free: int
    fits: bool
    reason: str
