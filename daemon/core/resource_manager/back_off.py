"""How long an executor that refused a slot is left alone (X207, X403, D39)."""

import math

from daemon.core.deadlines import Deadlines
from daemon.core.resource_manager.inventory import FREE, Executor, Slot
from daemon.core.resource_manager.ledger import Ledger
from protocol.ids import InstanceId, SlotId
from protocol.resources import ResourceProfile


class BackOff:
    """After a refusal the executor rests, and the slot that was refused rests twice as long.

    So other executors come first, then the other slots of this one, then this slot. Both pauses
    double with every refusal in a row; a slot that is granted ends the row.
    """

    def __init__(self, ledger: Ledger, delay_s: float, max_delay_s: float) -> None:
        self._ledger = ledger
        self._delay_s = delay_s
        self._max_delay_s = max_delay_s
        self._executors: Deadlines[InstanceId] = Deadlines()
        self._slots: Deadlines[SlotId] = Deadlines()

    @property
    def next_deadline(self) -> float:
        """When somebody has rested enough; ``math.inf`` when nobody rests."""
        return min(self._executors.next, self._slots.next)

    def refused(self, slot: Slot, now: float) -> None:
        """The executor refused this (free) slot or did not answer."""
        executor = slot.executor
        if not executor.resting:  # refusals that were under way together count once
            executor.resting = True
            executor.refusals += 1
            for each in executor.slots.values():
                self._ledger.free.discard(each)
            self._executors.set(executor.instance_id, now + self._pause_s(executor.refusals))
        slot.resting = True
        slot.refusals += 1
        self._slots.set(slot.slot_id, now + 2 * self._pause_s(slot.refusals))

    def granted(self, slot: Slot) -> None:
        """The executor gave this slot."""
        slot.refusals = slot.executor.refusals = 0

    def forget(self, executor: Executor) -> None:
        """The executor is gone."""
        self._executors.discard(executor.instance_id)
        for slot in executor.slots.values():
            self.forget_slot(slot)

    def forget_slot(self, slot: Slot) -> None:
        """The slot is gone."""
        self._slots.discard(slot.slot_id)

    def expire(self, now: float) -> None:
        """Offer the slots that have rested."""
        for slot_id in self._slots.pop_due(now):
            slot = self._ledger.slots[slot_id]
            slot.resting = False
            self._ledger.offer(slot)
        for instance_id in self._executors.pop_due(now):
            executor = self._ledger.executors[instance_id]
            executor.resting = False
            for slot in executor.slots.values():
                self._ledger.offer(slot)

    def resting(self) -> dict[ResourceProfile, int]:
        """How many free slots of each profile rest."""
        counts: dict[ResourceProfile, int] = {}
        for slot in self._resting_slots():
            if slot.state is FREE and not slot.executor.is_closed:
                counts[slot.profile] = counts.get(slot.profile, 0) + 1
        return counts

    def _resting_slots(self) -> list[Slot]:
        ledger = self._ledger
        found = {
            slot.slot_id: slot
            for instance_id in self._executors
            for slot in ledger.executors[instance_id].slots.values()
        }
        found.update({slot_id: ledger.slots[slot_id] for slot_id in self._slots})
        return list(found.values())

    def _pause_s(self, refusals: int) -> float:
        return min(self._max_delay_s, math.ldexp(self._delay_s, min(refusals - 1, 64)))
