"""Fixtures of the decision tests: cores whose invariants are checked when the test ends."""

from collections.abc import Iterator, Mapping

import pytest

from daemon.core.job_master.slot_pool import Holding, SlotPool, SlotPoolSettings
from protocol.ids import JobId, RequestId
from tests.decisions.pool_words import NewPool, counted_ids


@pytest.fixture
def new_pool() -> Iterator[NewPool]:
    pools: list[SlotPool] = []

    def new(
        settings: SlotPoolSettings | None = None,
        *,
        now: float = 0.0,
        holdings: Mapping[RequestId, Holding] | None = None,
    ) -> SlotPool:
        settings = settings or SlotPoolSettings()
        pools.append(SlotPool(JobId("job"), settings, counted_ids(), now, holdings))
        return pools[-1]

    yield new
    for pool in pools:
        pool.check_invariants()
