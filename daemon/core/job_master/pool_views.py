"""What a SlotPool tells about itself: how much it has, and where a request is."""

import attrs

from daemon.core.job_master.pool_queue import RequestQueue
from daemon.core.job_master.pool_recovery import AwaitedSlot, Recovery
from daemon.core.job_master.pool_requests import PendingRequest, WaitingForResourceManager
from daemon.core.job_master.pool_slots import PoolSlots
from protocol.ids import AllocationId, RequestId
from protocol.news import PoolCounts
from protocol.resources import UNKNOWN, ResourceProfile


@attrs.frozen
class PoolExplanation:
    """Where a request is in the pool; ``allocation_id`` once the ResourceManager was asked.

    ``state``: ``WAITING_FOR_RESOURCE_MANAGER``, ``PENDING`` (asked), ``ALLOCATED`` or
    ``RECOVERING`` (granted in an earlier term, not offered again yet).
    """

    state: str
    since: float
    deadline: float | None
    profile: ResourceProfile
    allocation_id: AllocationId | None


def count(slots: PoolSlots, queue: RequestQueue) -> PoolCounts:
    """How much there is; ``pending`` are the requests that the ResourceManager was asked for."""
    available, waiting = len(slots.available), len(queue)
    return PoolCounts(
        allocated=len(slots) - available,
        available=available,
        pending=waiting if queue.connected else 0,
        waiting_for_resource_manager=0 if queue.connected else waiting,
    )


def explain(
    request_id: RequestId, slots: PoolSlots, queue: RequestQueue, recovery: Recovery
) -> PoolExplanation | None:
    """Where a request is; None if there is none."""
    slot = slots.serving(request_id)
    if slot is not None:
        return PoolExplanation("ALLOCATED", slot.since, None, slot.profile, slot.allocation_id)
    pending = queue.get(request_id)
    if pending is not None:
        return _explain_pending(pending)
    awaited = recovery.get(request_id)
    return _explain_awaited(awaited, recovery) if awaited is not None else None


def request_of(
    allocation_id: AllocationId, slots: PoolSlots, queue: RequestQueue, recovery: Recovery
) -> RequestId | None:
    """The request that has this allocation, or asked for it; None if there is none."""
    slot = slots.get(allocation_id)
    if slot is not None:
        return slot.grant.request_id if slot.grant is not None else None
    pending = queue.asked_as(allocation_id)
    if pending is not None:
        return pending.request.request_id
    awaited = recovery.awaited_as(allocation_id)
    return awaited.holding.request_id if awaited is not None else None


def _explain_pending(pending: PendingRequest) -> PoolExplanation:
    waits = isinstance(pending.state, WaitingForResourceManager)
    return PoolExplanation(
        "WAITING_FOR_RESOURCE_MANAGER" if waits else "PENDING",
        pending.since,
        pending.request.deadline,
        pending.request.profile,
        pending.allocation_id,
    )


def _explain_awaited(awaited: AwaitedSlot, recovery: Recovery) -> PoolExplanation:
    profile = awaited.asker.profile if awaited.asker is not None else UNKNOWN
    return PoolExplanation(
        "RECOVERING", recovery.since, recovery.deadline, profile, awaited.holding.allocation_id
    )
