"""Executors that offer slots to a job, and how their slots end.

An allocation whose request was told that it is lost is never accepted again: something may still
run in that slot, so its executor must free it first.
"""

import math
from collections import OrderedDict
from collections.abc import Iterator

from daemon.core.effects import DropExecutor, FailPayload, FreeSlotAtExecutor, SlotPoolEffect
from daemon.core.job_master.pool_places import PoolSlot
from daemon.core.job_master.pool_slots import PoolSlots
from protocol.ids import AllocationId, ResourceId
from protocol.messages.values import SlotOffer

_MOST_LOST = 65_536
"""Lost allocations to remember; an executor offers again within seconds, not after so many."""


class PoolExecutors:
    """Registered executors with their hosts, the slots that they gave, and what is lost."""

    def __init__(self, slot_idle_timeout_s: float) -> None:
        self.slots = PoolSlots()
        self.hosts: dict[ResourceId, str] = {}
        self._slot_idle_timeout_s = slot_idle_timeout_s
        self._lost: OrderedDict[AllocationId, None] = OrderedDict()

    def register(self, resource_id: ResourceId, host: str) -> None:
        """Know an executor, and its host for the slots that it offers from now on (C44)."""
        self.hosts[resource_id] = host

    def lose(self, resource_id: ResourceId, cause: str) -> list[SlotPoolEffect]:
        """An executor is gone, and what ran in its slots has failed (C08, C44, C47)."""
        effects: list[SlotPoolEffect] = []
        self.hosts.pop(resource_id, None)
        for slot in self.slots.remove_executor(resource_id):
            effects += self._fail_payload(slot, cause)
        return effects

    def free(self, slot: PoolSlot, cause: str) -> list[SlotPoolEffect]:
        """Give a slot back for good, whether its executor answers or not (C39, C40, X015, X019).

        An executor is dropped with its last slot: it must register again before it offers more.
        """
        self.slots.remove(slot)
        effects = self._fail_payload(slot, cause)
        effects.append(FreeSlotAtExecutor(slot.resource_id, slot.allocation_id, cause))
        if not self.slots.has_executor(slot.resource_id):
            del self.hosts[slot.resource_id]
            effects.append(DropExecutor(slot.resource_id, f"no slot of the job left: {cause}"))
        return effects

    def add(
        self, resource_id: ResourceId, offer: SlotOffer, now: float
    ) -> tuple[list[SlotPoolEffect], PoolSlot]:
        """Take in an offered slot, for the caller to use at once.

        If it was held under another allocation, that one is lost: its executor knows what is in it.
        """
        effects: list[SlotPoolEffect] = []
        displaced = self.slots.in_place(resource_id, offer.slot_number)
        if displaced is not None:
            self.slots.remove(displaced)
            effects = self._fail_payload(displaced, "its slot has another allocation now")
        return effects, self.slots.add(resource_id, self.hosts[resource_id], offer, now)

    @property
    def next_idle(self) -> float:
        """When ``free_idle`` has something to do; ``math.inf`` when never."""
        oldest = self.slots.available.oldest()
        return oldest.since + self._slot_idle_timeout_s if oldest is not None else math.inf

    def free_idle(self, now: float) -> list[SlotPoolEffect]:
        """Give back what has served nobody for the idle timeout or longer (C38, X018)."""
        effects: list[SlotPoolEffect] = []
        timeout = self._slot_idle_timeout_s
        while (slot := self.slots.available.oldest()) and slot.since + timeout <= now:
            effects += self.free(slot, f"idle for {timeout:g} s")
        return effects

    def free_all(self, cause: str) -> list[SlotPoolEffect]:
        """What frees every slot at its executor (C37)."""
        return [
            FreeSlotAtExecutor(slot.resource_id, slot.allocation_id, cause) for slot in self.slots
        ]

    def drop_all(self, cause: str) -> list[SlotPoolEffect]:
        """Forget every slot and executor, so that each must register anew (X017)."""
        effects: list[SlotPoolEffect] = [
            DropExecutor(resource_id, cause) for resource_id in self.hosts
        ]
        self.slots = PoolSlots()
        self.hosts.clear()
        self._lost.clear()
        return effects

    def refuse(self, allocation_id: AllocationId) -> None:
        """Accept this allocation no more."""
        self._lost[allocation_id] = None
        if len(self._lost) > _MOST_LOST:
            self._lost.popitem(last=False)

    def refuses(self, allocation_id: AllocationId) -> bool:
        """Whether this allocation is accepted no more."""
        return allocation_id in self._lost

    def check_invariants(self) -> None:
        """Assert that each slot has one executor, one place and one state."""
        for slot in self.slots:
            assert slot.resource_id in self.hosts, f"{slot} belongs to nobody"
            assert slot.allocation_id not in self._lost, f"{slot} was lost"
        self.slots.check_invariants()

    def _fail_payload(self, slot: PoolSlot, cause: str) -> list[SlotPoolEffect]:
        if slot.grant is None:
            return []
        self.refuse(slot.allocation_id)
        return [FailPayload(slot.grant.request_id, slot.allocation_id, cause)]

    def __iter__(self) -> Iterator[ResourceId]:
        return iter(self.hosts)
