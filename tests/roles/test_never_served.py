"""What no slot can ever serve is refused with what comes nearest, at once or after the grace."""

import pytest
import trio

from protocol.errors import NoResourceAvailable
from protocol.messages.client import AllocateSlot
from protocol.resources import ResourceProfile
from tests.roles.cluster import P, executor, running
from tests.roles.scripted import refusal_of, settled

GPU = ResourceProfile(1.0, 512, {"gpu": 1.0})


@pytest.mark.parametrize("executors", [[executor("te-1", P)], []], ids=["some slots", "no slots"])
async def test_the_nearest_is_named_whenever_the_refusal_comes(
    executors: list[object], autojump_clock: trio.abc.Clock
) -> None:
    """D37, C12, H18, promise 3: the two ways to a client give the same data."""
    async with running(*executors) as cluster:  # type: ignore[arg-type]  # specifications
        client = cluster.client()
        job = await cluster.open_job(client)
        await settled()
        with pytest.raises(NoResourceAvailable) as late:
            await client.call(AllocateSlot(job, profile=GPU))
        assert trio.current_time() == pytest.approx(15)
        with pytest.raises(NoResourceAvailable) as soon:
            await client.call(AllocateSlot(job, profile=GPU))
        assert trio.current_time() == pytest.approx(15)
        assert late.value.data["nearest"] == soon.value.data["nearest"]
        assert (late.value.data["nearest"] is None) == (not executors)


async def test_a_request_that_does_not_wait_says_nothing_of_the_future(
    autojump_clock: trio.abc.Clock,
) -> None:
    """F41: it was not asked of the ResourceManager, so nobody knows what is nearest."""
    async with running(executor("te-1", P)) as cluster:
        client = cluster.client()
        job = await cluster.open_job(client)
        refusal = await refusal_of(
            cluster, client, AllocateSlot(job, profile=GPU, queued=False), NoResourceAvailable
        )
        assert "nearest" not in refusal.data
