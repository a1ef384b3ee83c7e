"""The slots of a pool: each is available or serves one request, and is indexed by where it is."""

from collections.abc import Iterator

from daemon.core.job_master.pool_available import AvailableSlots
from daemon.core.job_master.pool_places import PoolSlot
from protocol.ids import AllocationId, RequestId, ResourceId
from protocol.messages.values import GrantedSlot, Locality, SlotOffer


class PoolSlots:
    """Every slot of the pool, by allocation, by place and by the request that it serves."""

    def __init__(self) -> None:
        self.available = AvailableSlots()
        self._by_id: dict[AllocationId, PoolSlot] = {}
        self._by_executor: dict[ResourceId, dict[int, PoolSlot]] = {}
        self._serving: dict[RequestId, PoolSlot] = {}

    def add(self, resource_id: ResourceId, host: str, offer: SlotOffer, now: float) -> PoolSlot:
        """Take in an offered slot; the caller must let it serve or be available at once."""
        slot = PoolSlot(
            offer.allocation_id, resource_id, host, offer.slot_number, offer.profile, now
        )
        self._by_id[offer.allocation_id] = slot
        self._by_executor.setdefault(resource_id, {})[offer.slot_number] = slot
        return slot

    def serve(
        self, slot: PoolSlot, request_id: RequestId, locality: Locality, now: float
    ) -> GrantedSlot:
        """Let a slot serve a request; the answer to it. The slot is not available any more."""
        slot.grant = grant = slot.granted_to(request_id, locality)
        slot.since = now
        self._serving[request_id] = slot
        return grant

    def release(self, request_id: RequestId, now: float) -> PoolSlot | None:
        """Take its slot from a request; as after ``add``, the caller says at once what it does."""
        slot = self._serving.pop(request_id, None)
        if slot is not None:
            slot.grant, slot.since = None, now
        return slot

    def remove(self, slot: PoolSlot) -> None:
        """Forget a slot; its executor's row goes with its last slot (C26, X002)."""
        del self._by_id[slot.allocation_id]
        self.available.remove(slot.allocation_id)
        if slot.grant is not None:
            del self._serving[slot.grant.request_id]
        here = self._by_executor[slot.resource_id]
        del here[slot.slot_number]
        if not here:
            del self._by_executor[slot.resource_id]

    def remove_executor(self, resource_id: ResourceId) -> list[PoolSlot]:
        """Forget and return all slots of an executor, as they were (C27)."""
        removed = self.at(resource_id)
        for slot in removed:
            self.remove(slot)
        return removed

    def get(self, allocation_id: AllocationId) -> PoolSlot | None:
        """The slot under this allocation."""
        return self._by_id.get(allocation_id)

    def serving(self, request_id: RequestId) -> PoolSlot | None:
        """The slot that serves this request."""
        return self._serving.get(request_id)

    def in_place(self, resource_id: ResourceId, slot_number: int) -> PoolSlot | None:
        """The slot with this number of this executor, whatever its allocation."""
        return self._by_executor.get(resource_id, {}).get(slot_number)

    def at(self, resource_id: ResourceId) -> list[PoolSlot]:
        """All slots of an executor."""
        return list(self._by_executor.get(resource_id, {}).values())

    def has_executor(self, resource_id: ResourceId) -> bool:
        """Whether there is a slot of this executor."""
        return resource_id in self._by_executor

    @property
    def granted(self) -> list[GrantedSlot]:
        """What is granted, the longest served first."""
        return [slot.grant for slot in self._serving.values() if slot.grant is not None]

    def check_invariants(self) -> None:
        """Assert that every slot is in one place, and either available or serving."""
        for slot in self:
            in_place = self.in_place(slot.resource_id, slot.slot_number)
            assert in_place is slot, f"{slot} is not the only one in its place"
            available = slot.allocation_id in self.available
            assert available == (slot.grant is None), f"{slot} is both or neither"
            if slot.grant is not None:
                assert self.serving(slot.grant.request_id) is slot, f"{slot} serves another"
                assert slot.grant.allocation_id == slot.allocation_id, f"{slot}: another's grant"
        assert len(self) == len(self._serving) + len(self.available)
        assert len(self) == sum(len(slots) for slots in self._by_executor.values())
        assert all(self._by_executor.values()), "an executor without slots is kept"
        ages = [slot.since for slot in self.available]
        assert ages == sorted(ages), "available slots are not in order of age"

    def __iter__(self) -> Iterator[PoolSlot]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)
