"""Slots from request to release, through every role of one daemon, under a virtual clock."""

import pytest
import trio

from protocol.cluster_state import ClusterState
from protocol.errors import NoResourceAvailable, SlotRequestTimeout, UnknownJob
from protocol.ids import RequestId, ResourceId
from protocol.messages.client import (
    AllocateSlot,
    CloseJob,
    DrainExecutor,
    ExplainSlot,
    OpenJob,
    ReleaseSlot,
    SubscribeEvents,
)
from protocol.messages.values import GrantedSlot, Locality, Location
from protocol.news import PoolCounts
from protocol.resources import ResourceProfile
from protocol.snapshot import SlotState, TakeSnapshot
from tests.roles.cluster import B, Client, Cluster, P, executor, running

R1, R2, R3 = (RequestId(f"{n:032x}") for n in (0xA1, 0xA2, 0xA3))


async def test_a_request_becomes_a_slot(autojump_clock: trio.abc.Clock) -> None:
    """B03, B04, C01, D05, D07, E08, E10, E39: the whole way, and every view agrees in the end."""
    async with running(executor("te-1", P, P)) as cluster:
        client = cluster.client()
        job = await cluster.open_job(client)
        slot = await client.call(AllocateSlot(job, R1, P))
        assert (slot.request_id, slot.resource_id, slot.host) == (R1, "te-1", "host-1")
        assert slot.locality is Locality.UNKNOWN
        await trio.sleep(0.01)
        snapshot = await client.call(TakeSnapshot())
        by_state = {view.slot_id: view.state for view in snapshot.slots}
        assert by_state.pop(slot.slot_id) is SlotState.ALLOCATED
        assert set(by_state.values()) == {SlotState.FREE}
        assert snapshot.requests == []
        assert snapshot.jobs[0].pool == PoolCounts(allocated=1)


async def test_the_same_request_again_is_the_same_slot(autojump_clock: trio.abc.Clock) -> None:
    """A retry with the same request id changes nothing."""
    async with running(executor("te-1", P, P)) as cluster:
        client = cluster.client()
        job = await cluster.open_job(client)
        first = await client.call(AllocateSlot(job, R1, P))
        assert await client.call(AllocateSlot(job, R1, P)) == first


async def test_a_released_slot_serves_the_next_request_without_the_resource_manager(
    autojump_clock: trio.abc.Clock,
) -> None:
    """C02, C03: the pool keeps what it has; the allocation stays the same."""
    async with running(executor("te-1", P)) as cluster:
        client = cluster.client()
        job = await cluster.open_job(client)
        first = await client.call(AllocateSlot(job, R1, P))
        asked = cluster.news()["request_registered"]
        assert (await client.call(ReleaseSlot(job, R1))).released
        second = await client.call(AllocateSlot(job, R2, P))
        assert second.allocation_id == first.allocation_id
        assert second.locality is Locality.UNCONSTRAINED
        assert cluster.news()["request_registered"] == asked


async def test_an_idle_slot_goes_back_and_serves_another_job(
    autojump_clock: trio.abc.Clock,
) -> None:
    """C38, X018, D42: what one pool does not use for slot-idle-timeout, the next job gets."""
    async with running(executor("te-1", P)) as cluster:
        client = cluster.client()
        one, two = await cluster.open_job(client), await cluster.open_job(client)
        await client.call(AllocateSlot(one, R1, P))
        async with trio.open_nursery() as nursery:
            granted: list[float] = []

            async def wait_for_two() -> None:
                await client.call(AllocateSlot(two, R2, P))
                granted.append(trio.current_time())

            nursery.start_soon(wait_for_two)
            await trio.sleep(1)
            await client.call(ReleaseSlot(one, R1))
            released_at = trio.current_time()
        assert granted == [pytest.approx(released_at + 50, abs=0.5)]


async def test_a_request_that_nobody_serves_times_out_after_five_minutes(
    autojump_clock: trio.abc.Clock,
) -> None:
    """D20, D40, X006, H11: one deadline, from creation."""
    async with running(executor("te-1", P)) as cluster:
        client = cluster.client()
        one, two = await cluster.open_job(client), await cluster.open_job(client)
        await client.call(AllocateSlot(one, R1, P))
        before = trio.current_time()
        with pytest.raises(SlotRequestTimeout):
            await client.call(AllocateSlot(two, R2, P))
        assert trio.current_time() - before == pytest.approx(300)
        await trio.sleep(1)
        assert cluster.services.newsroom.state.requests == {}


async def test_a_timeout_of_the_request_counts(autojump_clock: trio.abc.Clock) -> None:
    """X103: the timeout of a request overrides the default."""
    async with running(executor("te-1", P)) as cluster:
        client = cluster.client()
        one, two = await cluster.open_job(client), await cluster.open_job(client)
        await client.call(AllocateSlot(one, R1, P))
        before = trio.current_time()
        with pytest.raises(SlotRequestTimeout):
            await client.call(AllocateSlot(two, R2, P, timeout=7.0))
        assert trio.current_time() - before == pytest.approx(7)


async def test_what_can_never_be_served_is_refused(autojump_clock: trio.abc.Clock) -> None:
    """D37, G22, promise 3: in the start-up grace it waits, then it is refused at once."""
    async with running(executor("te-1", P)) as cluster:
        client = cluster.client()
        job = await cluster.open_job(client)
        with pytest.raises(NoResourceAvailable, match="1 cpu"):
            await client.call(AllocateSlot(job, R1, B))
        assert trio.current_time() == pytest.approx(15, abs=1)
        before = trio.current_time()
        with pytest.raises(NoResourceAvailable):
            await client.call(AllocateSlot(job, R2, ResourceProfile(1, 1, {"gpu": 1})))
        assert trio.current_time() == before
        assert (await client.call(AllocateSlot(job, R3, P))).slot_number == 0


async def test_not_queued_means_now_or_never(autojump_clock: trio.abc.Clock) -> None:
    """F37, F41: refused at once, and the ResourceManager never hears of it."""
    async with running(executor("te-1", P)) as cluster:
        client = cluster.client()
        job = await cluster.open_job(client)
        with pytest.raises(NoResourceAvailable):
            await client.call(AllocateSlot(job, R1, P, queued=False))
        assert cluster.news()["request_registered"] == 0


async def test_preferences_are_labelled(autojump_clock: trio.abc.Clock) -> None:
    """C20, F40: LOCAL, HOST_LOCAL, NON_LOCAL and UNCONSTRAINED from the pool's slots."""
    executors = (executor("te-1", P), executor("te-2", P), executor("te-3", P, host="host-2"))
    async with running(*executors) as cluster:
        client = cluster.client()
        job = await cluster.open_job(client)
        slots = [await client.call(AllocateSlot(job, r, P)) for r in (R1, R2, R3)]
        for slot in slots:
            await client.call(ReleaseSlot(job, slot.request_id))
        wanted = [Location(resource_id=ResourceId("te-1"), host="host-1")]
        got = [await client.call(AllocateSlot(job, r, P, preferred=wanted)) for r in (R1, R2, R3)]
        assert [slot.locality for slot in got] == [
            Locality.LOCAL,
            Locality.HOST_LOCAL,
            Locality.NON_LOCAL,
        ]
        assert {slot.resource_id for slot in got} == {"te-1", "te-2", "te-3"}


async def test_withdrawing_a_pending_request_leaves_nothing(
    autojump_clock: trio.abc.Clock,
) -> None:
    """C32, C33, X020: the pool and the ResourceManager forget it."""
    async with running(executor("te-1", P)) as cluster:
        client = cluster.client()
        one, two = await cluster.open_job(client), await cluster.open_job(client)
        await client.call(AllocateSlot(one, R1, P))
        with trio.move_on_after(1):
            await client.call(AllocateSlot(two, R2, P))
        await trio.sleep(1)
        state = cluster.services.newsroom.state
        assert state.requests == {}
        assert state.jobs[two].pool == PoolCounts()


async def test_a_pending_request_explains_itself(autojump_clock: trio.abc.Clock) -> None:
    """Promise 3: state, deadline, place in the queue and the kinds of slots, in numbers."""
    async with running(executor("te-1", P)) as cluster:
        client = cluster.client()
        one, two = await cluster.open_job(client), await cluster.open_job(client)
        await client.call(AllocateSlot(one, R1, P))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.call, AllocateSlot(two, R2, P))
            await trio.sleep(2)
            why = await client.call(ExplainSlot(two, R2))
            assert why.allocation_id is not None
            named = RequestId(why.allocation_id)
            assert await client.call(ExplainSlot(two, named)) == why
            nursery.cancel_scope.cancel()
        assert (why.state, why.position) == ("PENDING", 1)
        assert why.deadline_in == pytest.approx(298, abs=0.1)
        assert why.age == pytest.approx(2, abs=0.1)
        assert [(kind.slots, kind.free, kind.fits) for kind in why.kinds] == [(1, 0, True)]


async def test_an_allocation_id_names_its_request_unless_it_is_a_request_id(
    autojump_clock: trio.abc.Clock,
) -> None:
    """Promise 3: snapshots show allocations, so people ask for those; a request's own id wins."""
    async with running(executor("te-1", P, P)) as cluster:
        client = cluster.client()
        job = await cluster.open_job(client)
        first = await client.call(AllocateSlot(job, R1, P))
        named = RequestId(first.allocation_id)
        assert (await client.call(ExplainSlot(job, named))).request_id == R1
        second = await client.call(AllocateSlot(job, named, P))
        seen = await client.call(ExplainSlot(job, named))
        assert (seen.request_id, seen.allocation_id) == (named, second.allocation_id)
        assert (seen.state, seen.reason) == ("ALLOCATED", "it has its slot")


async def test_closing_a_job_gives_everything_back(autojump_clock: trio.abc.Clock) -> None:
    """C37: two slots, two free; the job is unknown afterwards."""
    async with running(executor("te-1", P, P)) as cluster:
        client = cluster.client()
        job = await cluster.open_job(client)
        await client.call(AllocateSlot(job, R1, P))
        await client.call(AllocateSlot(job, R2, P))
        assert (await client.call(CloseJob(job))).released == 2
        await trio.sleep(1)
        states = {view.state for view in cluster.services.newsroom.state.slots.values()}
        assert states == {SlotState.FREE}
        with pytest.raises(UnknownJob):
            await client.call(AllocateSlot(job, R3, P))


async def test_a_job_closes_with_its_connection(autojump_clock: trio.abc.Clock) -> None:
    """Not detached: after job-timeout; detached: never by itself; opened again in time: kept."""
    async with running(executor("te-1", P, P, P)) as cluster:
        alice, bob = cluster.client(), cluster.client()
        mine = await cluster.open_job(alice)
        shared = await cluster.open_job(alice)
        detached = (await alice.call(OpenJob("batch", detached=True))).job_id
        alice.hang_up()
        await trio.sleep(5)
        assert (await bob.call(OpenJob("job", shared))).job_id == shared
        await trio.sleep(6)
        assert set(cluster.services.newsroom.state.jobs) == {shared, detached}
        assert mine not in cluster.services.newsroom.state.jobs


async def test_draining_waits_for_the_last_slot(autojump_clock: trio.abc.Clock) -> None:
    """executor.drain: no new slot there; answered when its last slot is free."""
    async with running(executor("te-1", P), executor("te-2", P)) as cluster:
        client = cluster.client()
        job = await cluster.open_job(client)
        first = await client.call(AllocateSlot(job, R1, P))
        drained: list[float] = []

        async def drain() -> None:
            await client.call(DrainExecutor(first.resource_id))
            drained.append(trio.current_time())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(drain)
            await trio.sleep(5)
            assert drained == []
            second = await client.call(AllocateSlot(job, R2, P))
            assert second.resource_id != first.resource_id
            await client.call(ReleaseSlot(job, R1))
        assert drained[0] == pytest.approx(trio.current_time(), abs=1)


async def test_draining_with_a_timeout_takes_the_slots_away(
    autojump_clock: trio.abc.Clock,
) -> None:
    """After the timeout what is left is freed and the job is told."""
    async with running(executor("te-1", P)) as cluster:
        client = cluster.client()
        job = await cluster.open_job(client)
        slot = await client.call(AllocateSlot(job, R1, P))
        before = trio.current_time()
        await client.call(DrainExecutor(slot.resource_id, timeout=20.0))
        assert trio.current_time() - before == pytest.approx(20, abs=1)
        await trio.sleep(1)
        assert cluster.services.newsroom.state.jobs[job].pool == PoolCounts()


async def test_events_lead_from_one_snapshot_to_the_next(autojump_clock: trio.abc.Clock) -> None:
    """Applying the events after ``seq`` to the snapshot at ``seq`` gives the next snapshot."""
    async with running(executor("te-1", P, B)) as cluster:
        client = cluster.client()
        await client.call(SubscribeEvents())
        state = ClusterState.of(await client.call(TakeSnapshot()))
        job = await cluster.open_job(client)
        await client.call(AllocateSlot(job, R1, P))
        await client.call(AllocateSlot(job, R2, P))
        await client.call(ReleaseSlot(job, R1))
        await client.call(CloseJob(job))
        await trio.sleep(1)
        for event in client.events():
            assert event.seq == state.seq + 1
            state.apply(event)
        then = await client.call(TakeSnapshot())
        assert state.snapshot(then.at) == then


async def test_requests_are_served_in_the_order_of_their_arrival(
    autojump_clock: trio.abc.Clock,
) -> None:
    """A21, C42, X012, X211: ten requests, one slot, first come first served."""
    async with running(executor("te-1", P)) as cluster:
        client = cluster.client()
        job = await cluster.open_job(client)
        requests = [RequestId(f"{n:032x}") for n in range(10)]
        served: list[RequestId] = []

        async def use(request: RequestId) -> None:
            await client.call(AllocateSlot(job, request, P))
            served.append(request)
            await client.call(ReleaseSlot(job, request))

        async with trio.open_nursery() as nursery:
            for request in requests:
                nursery.start_soon(use, request)
                await trio.sleep(0.001)
        assert served == requests


async def test_two_jobs_never_hold_one_slot(autojump_clock: trio.abc.Clock) -> None:
    """Promise 1: of 6 requests on 4 slots 4 are served, each with a slot of its own."""
    async with running(executor("te-1", P, P), executor("te-2", P, P)) as cluster:
        granted = await _storm(cluster, cluster.client(), 6)
        assert len({slot.slot_id for slot in granted}) == 4


async def _storm(cluster: Cluster, client: Client, requests: int) -> list[GrantedSlot]:
    granted: list[GrantedSlot] = []

    async def ask(number: int) -> None:
        job = await cluster.open_job(client)
        granted.append(await client.call(AllocateSlot(job, RequestId(f"{number:032x}"), P)))

    async with trio.open_nursery() as nursery:
        for number in range(requests):
            nursery.start_soon(ask, number)
        await trio.sleep(5)
        nursery.cancel_scope.cancel()
    return granted
