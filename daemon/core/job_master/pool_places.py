"""One slot of a pool, and how near it is to what a request prefers."""

from collections.abc import Mapping, Sequence

import attrs

from protocol.ids import AllocationId, RequestId, ResourceId, slot_id
from protocol.messages.values import GrantedSlot, Locality, Location
from protocol.resources import ResourceProfile


@attrs.define(eq=False)
class PoolSlot:
    """One physical slot under one allocation; compared by identity (C28).

    ``grant`` is the request that it serves, None while it is available: a slot cannot be both.
    ``since`` is when it became so. ``serial`` orders available slots by age.
    """

    allocation_id: AllocationId
    resource_id: ResourceId
    host: str
    slot_number: int
    profile: ResourceProfile
    since: float
    grant: GrantedSlot | None = None
    serial: int = 0

    def is_at(self, resource_id: ResourceId, slot_number: int) -> bool:
        """Whether this is that slot of that executor."""
        return self.resource_id == resource_id and self.slot_number == slot_number

    def granted_to(self, request_id: RequestId, locality: Locality) -> GrantedSlot:
        """The answer for a request that this slot serves."""
        return GrantedSlot(
            request_id,
            self.allocation_id,
            slot_id(self.resource_id, self.slot_number),
            self.resource_id,
            self.host,
            self.slot_number,
            self.profile,
            locality,
        )


@attrs.frozen
class Preference:
    """Where a request would like its slot: executors first, then hosts, both in its order (C20)."""

    executors: tuple[ResourceId, ...]
    hosts: tuple[str, ...]

    def locality_of(self, slot: PoolSlot) -> Locality:
        """How near ``slot`` is."""
        if slot.resource_id in self.executors:
            return Locality.LOCAL
        return Locality.HOST_LOCAL if slot.host in self.hosts else Locality.NON_LOCAL


def preference_of(
    preferred: Sequence[Location], hosts_of: Mapping[ResourceId, str]
) -> Preference | None:
    """What a request prefers; None when it says nothing (C21).

    The host of every preferred executor that is known counts as a preferred host (X111).
    """
    if not preferred:
        return None
    executors: dict[ResourceId, None] = {}
    hosts: dict[str, None] = {}
    for location in preferred:
        if location.resource_id is not None:
            executors[location.resource_id] = None
            host = hosts_of.get(location.resource_id)
            if host is not None:
                hosts[host] = None
        if location.host is not None:
            hosts[location.host] = None
    return Preference(tuple(executors), tuple(hosts)) if executors or hosts else None
