"""Section 5.2 of the catalogue for a SlotPool, asserted; only tests and the simulator pay."""

import itertools
from collections.abc import Mapping

from daemon.core.pool_places import PoolSlot
from daemon.core.pool_recovery import Recovery
from daemon.core.pool_requests import PendingRequests
from daemon.core.pool_slots import PoolSlots
from protocol.ids import ResourceId


def check_pool(
    slots: PoolSlots,
    pending: PendingRequests,
    recovery: Recovery,
    executors: Mapping[ResourceId, str],
) -> None:
    """Raise AssertionError if the parts of a pool contradict each other."""
    for slot in slots:
        _check_slot(slot, slots, executors)
        assert not recovery.is_lost(slot.allocation_id), f"{slot} was lost"
        assert recovery.awaited_as(slot.allocation_id) is None, f"{slot} is awaited and here"
    assert len(slots) == len(slots.granted) + len(slots.available)
    for before, after in itertools.pairwise(slots.available):
        assert before.since <= after.since, "available slots are not in order of age"
    _check_requests(slots, pending, recovery)


def _check_slot(slot: PoolSlot, slots: PoolSlots, executors: Mapping[ResourceId, str]) -> None:
    assert slot.resource_id in executors, f"{slot} belongs to nobody"
    assert slots.in_place(slot.resource_id, slot.slot_number) is slot, f"{slot} is there twice"
    assert (slot.grant is None) == (slot.allocation_id in slots.available), f"{slot} is lost or two"
    if slot.grant is not None:
        assert slots.serving(slot.grant.request_id) is slot, f"{slot} serves somebody else"
        assert slot.grant.allocation_id == slot.allocation_id, f"{slot} has another's grant"


def _check_requests(slots: PoolSlots, pending: PendingRequests, recovery: Recovery) -> None:
    serials = [request.serial for request in pending]
    assert serials == sorted(serials), "requests are not in order of arrival"
    for request in pending:
        request_id, allocation_id = request.request.request_id, request.allocation_id
        assert slots.serving(request_id) is None, f"{request} has a slot and waits"
        assert recovery.get(request_id) is None, f"{request} is awaited and waits"
        if allocation_id is not None:
            assert pending.asked_as(allocation_id) is request, f"{request} shares its id"
            assert slots.get(allocation_id) is None, f"{request} waits for a slot that is here"
        served = slots.available.choose(request.request.profile, None)
        assert served is None, f"{request} waits although {served} is available"
    for awaited in recovery:
        assert slots.serving(awaited.holding.request_id) is None, f"{awaited} is awaited and here"
