"""Roles that crash: who notices, what survives, and where it ends."""

import pytest
import trio

from protocol.errors import NotLeader, PeerGone, UnknownJob, UnknownRequest
from protocol.ids import RESOURCE_MANAGER, RequestId, ResourceId
from protocol.messages.client import AllocateSlot, ReleaseSlot, RunTask, TaskFinished
from protocol.news import JobClosedNews
from protocol.snapshot import SlotState
from tests.roles.cluster import Cluster, P, executor, running

R1, R2 = (RequestId(f"{n:032x}") for n in (0xA1, 0xA2))


class PlantedError(Exception):
    """A bug that a test plants."""


def crash(_: float) -> None:
    raise PlantedError


def crash_resource_manager(cluster: Cluster) -> None:
    mailbox = cluster.host.switchboard.seat.mailbox
    assert mailbox is not None
    mailbox.put(crash)


async def test_a_crash_of_the_resource_manager_ends_its_term_and_a_new_one_begins(
    autojump_clock: trio.abc.Clock,
) -> None:
    """A higher epoch; the executors report; the slot that was held is held."""
    async with running(executor("te-1", P, P)) as cluster:
        client = cluster.client()
        job = await cluster.open_job(client)
        held = await client.call(AllocateSlot(job, R1, P))
        before = cluster.services.newsroom.state.leaders[RESOURCE_MANAGER]
        crash_resource_manager(cluster)
        await trio.sleep(1)
        state = cluster.services.newsroom.state
        assert state.leaders[RESOURCE_MANAGER].epoch > before.epoch
        assert state.slots[held.slot_id].state is SlotState.ALLOCATED
        assert (await client.call(AllocateSlot(job, R2, P))).slot_id != held.slot_id


async def test_a_role_that_crashes_again_and_again_ends_the_daemon(
    autojump_clock: trio.abc.Clock,
) -> None:
    """Three restarts in a minute; the fourth crash escapes."""
    with pytest.RaisesGroup(PlantedError, flatten_subgroups=True):
        async with running(executor("te-1", P)) as cluster:
            for _ in range(4):
                crash_resource_manager(cluster)
                await trio.sleep(1)


async def test_crashes_that_are_far_apart_do_not_add_up(
    autojump_clock: trio.abc.Clock,
) -> None:
    """Only the crashes of the last minute count."""
    async with running(executor("te-1", P)) as cluster:
        for _ in range(8):
            crash_resource_manager(cluster)
            await trio.sleep(61)
        assert RESOURCE_MANAGER in cluster.services.newsroom.state.leaders


async def test_a_crash_in_one_job_fails_that_job_alone(autojump_clock: trio.abc.Clock) -> None:
    """Its callers are answered, its slots come back; the other job goes on."""
    async with running(executor("te-1", P, P)) as cluster:
        client = cluster.client()
        bad, good = await cluster.open_job(client), await cluster.open_job(client)
        await client.call(AllocateSlot(bad, R1, P))
        slot = await client.call(AllocateSlot(good, R2, P))
        dispatcher = cluster.host.switchboard.dispatcher
        assert dispatcher is not None
        mailbox = dispatcher.job(bad).mailbox
        assert mailbox is not None
        mailbox.put(crash)
        with pytest.raises((NotLeader, UnknownJob)):
            await client.call(AllocateSlot(bad, R2, P))
        await trio.sleep(15)
        state = cluster.services.newsroom.state
        assert set(state.jobs) == {good}
        assert state.slots[slot.slot_id].state is SlotState.ALLOCATED
        assert sorted(view.state.value for view in state.slots.values()) == ["ALLOCATED", "FREE"]
        assert (await client.call(ReleaseSlot(good, R2))).released


async def test_a_crash_of_an_executor_is_noticed_at_once(
    autojump_clock: trio.abc.Clock,
) -> None:
    """D32, C08, H05, H13: its slots are gone, its jobs told; it comes back as a new instance."""
    async with running(executor("te-1", P), executor("te-2", P)) as cluster:
        client = cluster.client()
        job = await cluster.open_job(client)
        slot = await client.call(AllocateSlot(job, R1, P))
        before = cluster.services.newsroom.state.executors[slot.resource_id]
        cluster.host.executors[slot.resource_id].mailbox.put(crash)
        await trio.sleep(0.5)
        after = cluster.services.newsroom.state.executors[slot.resource_id]
        assert after.instance_id != before.instance_id
        assert cluster.services.newsroom.state.jobs[job].pool.allocated == 0
        with pytest.raises(UnknownRequest):
            await client.call(RunTask(job, R1, ["true"]))


async def test_a_command_dies_with_its_executor_and_its_watcher_is_told() -> None:
    """C47, H13: the cause is said; no process is left (the payload's tests prove that)."""
    async with running(executor("te-1", P)) as cluster:
        client = cluster.client()
        job = await cluster.open_job(client)
        await client.call(AllocateSlot(job, R1, P))
        await client.call(RunTask(job, R1, ["sleep", "1000"]))
        cluster.host.executors[ResourceId("te-1")].mailbox.put(crash)
        end = await client.until(TaskFinished)
        assert end.exit_code is None
        assert end.cause is not None


async def test_whoever_calls_a_role_that_dies_is_told_once(
    autojump_clock: trio.abc.Clock,
) -> None:
    """L13, X004: every open call gets one error, none hangs."""
    async with running(executor("te-1", P)) as cluster:
        client = cluster.client()
        job = await cluster.open_job(client)
        await client.call(AllocateSlot(job, R1, P))
        errors: list[Exception] = []

        async def wait(number: int) -> None:
            try:
                await client.call(AllocateSlot(job, RequestId(f"{number:032x}"), P))
            except (NotLeader, PeerGone, UnknownJob) as error:
                errors.append(error)

        async with trio.open_nursery() as nursery:
            for number in range(5):
                nursery.start_soon(wait, number)
            await trio.sleep(1)
            dispatcher = cluster.host.switchboard.dispatcher
            assert dispatcher is not None
            mailbox = dispatcher.job(job).mailbox
            assert mailbox is not None
            mailbox.put(crash)
        assert len(errors) == 5
        await trio.sleep(1)
        closed = cluster.news_of(JobClosedNews)
        assert "PlantedError" in closed[-1].cause
