"""Which slot serves which request: the one place where both sides of a pool meet."""

from daemon.core.effects import FailRequest, GrantRequest, SlotPoolEffect
from daemon.core.job_master.pool_executors import PoolExecutors
from daemon.core.job_master.pool_places import PoolSlot, preference_of
from daemon.core.job_master.pool_queue import RequestQueue
from daemon.core.job_master.pool_requests import PoolRequest
from protocol.errors import NoResourceAvailable
from protocol.messages.values import Locality


class Placement:
    """Serves what comes at once if it can, so that no free slot and no request wait together."""

    def __init__(self, queue: RequestQueue, executors: PoolExecutors) -> None:
        self._queue = queue
        self._executors = executors

    def serve_or_queue(self, request: PoolRequest, now: float) -> list[SlotPoolEffect]:
        """Give a request an available slot, else queue it, else refuse it (C01, C03, C20, F41)."""
        slots = self._executors.slots
        preference = preference_of(request.preferred, self._executors.hosts)
        found = slots.available.choose(request.profile, preference)
        if found is not None:
            slot, locality = found
            slots.available.remove(slot.allocation_id)
            grant = slots.serve(slot, request.request_id, locality, now)
            return [GrantRequest(request.request_id, grant)]
        if request.queued:
            return self._queue.append(request, now)
        why = f"no slot of the job is free for {request.profile}, and the request does not wait"
        return [FailRequest(request.request_id, NoResourceAvailable(why))]

    def place(self, slot: PoolSlot, now: float) -> list[SlotPoolEffect]:
        """Let a slot serve who waits for it, or keep it (C02, C43, C48, F44)."""
        request, cancelled = self._queue.serve(slot)
        if request is None:
            self._executors.slots.available.add(slot)
            return []
        preference = preference_of(request.preferred, self._executors.hosts)
        locality = preference.locality_of(slot) if preference is not None else Locality.UNKNOWN
        grant = self._executors.slots.serve(slot, request.request_id, locality, now)
        return [*cancelled, GrantRequest(request.request_id, grant)]
