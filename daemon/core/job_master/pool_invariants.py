"""What slots, requests and holdings of a pool are to each other, asserted for tests."""

from daemon.core.job_master.pool_queue import RequestQueue
from daemon.core.job_master.pool_recovery import Recovery
from daemon.core.job_master.pool_slots import PoolSlots


def check_pool(slots: PoolSlots, queue: RequestQueue, recovery: Recovery) -> None:
    """Raise AssertionError if the parts of a pool contradict each other (catalogue, 5.2)."""
    for pending in queue:
        request_id, allocation_id = pending.request.request_id, pending.allocation_id
        assert slots.serving(request_id) is None, f"{pending} has a slot and waits"
        assert recovery.get(request_id) is None, f"{pending} is awaited and waits"
        if allocation_id is not None:
            assert slots.get(allocation_id) is None, f"{pending} waits for a slot that is here"
        served = slots.available.choose(pending.request.profile, None)
        assert served is None, f"{pending} waits although {served} is available"
    for awaited in recovery:
        assert slots.serving(awaited.holding.request_id) is None, f"{awaited} has a slot"
        assert slots.get(awaited.holding.allocation_id) is None, f"{awaited} is here"
