"""What a ResourceManager does not believe: names that are taken, reports that cannot be true."""

import pytest
import trio

from daemon.wire.peers import PendingCall
from protocol.errors import (
    InvalidParams,
    SlotOccupied,
)
from protocol.ids import (
    AllocationId,
    InstanceId,
    JobId,
    ResourceId,
    SlotId,
)
from protocol.messages.client import (
    AllocateSlot,
    ReleaseSlot,
)
from protocol.messages.resource_manager import (
    DisconnectTaskExecutor,
    NotifySlotAvailable,
    ReportSlots,
)
from protocol.messages.task_executor import (
    HeartbeatOfExecutor,
    RequestSlotOfExecutor,
    SlotReport,
)
from protocol.messages.values import SlotStatus
from protocol.news import LeaderRevoked
from protocol.snapshot import SlotState
from tests.roles.cluster import P, executor, running
from tests.roles.scripted import (
    LICENCE,
    NOBODY,
    R1,
    TE1,
    ScriptedExecutor,
    granted,
    leader_of,
    leased,
    picture,
    refusal_of,
    registered,
    settled,
)


async def test_an_executor_with_the_name_of_a_living_one_is_refused(
    autojump_clock: trio.abc.Clock,
) -> None:
    """The first keeps its slots, and the job in one of them its lease."""
    async with running(executor("te-1", P)) as cluster:
        await leased(cluster)
        for taken in ("licences", "te-1"):
            stranger = ScriptedExecutor(cluster.host, taken, slots=7)
            before = picture(cluster)
            with pytest.raises(InvalidParams) as refusal:
                await stranger.register(leader_of(cluster))
            await settled()
            assert refusal.value.data["path"] == "params.resource_id"
            assert taken in refusal.value.message
            assert picture(cluster) == before


async def test_an_executor_that_registers_again_replaces_itself(
    autojump_clock: trio.abc.Clock,
) -> None:
    """G11, G14, B12: a new instance id; what names the old one changes nothing."""
    async with running() as cluster:
        worker = await registered(cluster)
        old = worker.instance_id
        await worker.register(leader_of(cluster))
        assert worker.instance_id != old
        await settled()
        assert cluster.services.newsroom.state.slots == {}
        assert (await worker.report_slots(leader_of(cluster))).known
        await settled()
        before = picture(cluster)
        leader = leader_of(cluster)
        stale = ReportSlots(leader_id=leader, instance_id=old, slot_report=[])
        assert not (await worker.call(stale)).known
        notice = NotifySlotAvailable(
            leader_id=leader,
            instance_id=old,
            slot_id=SlotId("licences_0"),
            allocation_id=AllocationId(NOBODY),
        )
        await worker.call(notice)
        await worker.call(DisconnectTaskExecutor(leader_id=leader, instance_id=old, cause="bye"))
        await settled()
        assert picture(cluster) == before


async def test_the_name_of_an_executor_that_hung_up_is_free(autojump_clock: trio.abc.Clock) -> None:
    """Its slots vanish with its connection; a new one may take its name."""
    async with running() as cluster:
        worker = await registered(cluster, slots=2)
        assert len(cluster.services.newsroom.state.slots) == 2
        worker.hang_up()
        await settled()
        assert cluster.services.newsroom.state.slots == {}
        assert cluster.services.newsroom.state.executors == {}
        await registered(cluster, slots=1)
        assert len(cluster.services.newsroom.state.slots) == 1


async def test_one_connection_is_one_executor(autojump_clock: trio.abc.Clock) -> None:
    """A beat names no executor, so a second one behind the connection could not answer it."""
    async with running() as cluster:
        worker = await registered(cluster)
        before = picture(cluster)
        worker.resource_id = ResourceId("other")
        with pytest.raises(InvalidParams, match="licences") as refusal:
            await worker.register(leader_of(cluster))
        await settled()
        assert refusal.value.data["path"] == "params.resource_id"
        assert picture(cluster) == before


FREE_0 = SlotStatus(SlotId("licences_0"), LICENCE)
REPORTS = {
    "a slot twice": [FREE_0, FREE_0],
    "a slot of another executor": [FREE_0, SlotStatus(SlotId("te-1_0"), P)],
    "an allocation twice": [
        SlotStatus(SlotId(f"licences_{n}"), LICENCE, AllocationId("b" * 32), JobId("c" * 32))
        for n in (0, 1)
    ],
}


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
async def test_a_report_that_cannot_be_true_is_refused(
    report: list[SlotStatus], autojump_clock: trio.abc.Clock
) -> None:
    """A22, D14: refused as a whole, before anything of it is believed."""
    async with running(executor("te-1", P)) as cluster:
        worker = await registered(cluster)
        bad = ReportSlots(
            leader_id=leader_of(cluster), instance_id=worker.instance_id, slot_report=report
        )
        refusal = await refusal_of(cluster, worker, bad, InvalidParams)
        assert refusal.data["path"] == "params.slot_report"


async def test_a_report_that_gives_an_allocation_to_another_job_is_refused(
    autojump_clock: trio.abc.Clock,
) -> None:
    """An executor cannot move a lease from one job to another."""
    async with running() as cluster:
        worker, _, _, slot = await leased(cluster)
        status = SlotStatus(slot.slot_id, LICENCE, slot.allocation_id, JobId("c" * 32))
        bad = ReportSlots(
            leader_id=leader_of(cluster), instance_id=worker.instance_id, slot_report=[status]
        )
        await refusal_of(cluster, worker, bad, InvalidParams)


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
async def test_an_impossible_report_in_a_beat_is_no_beat(
    report: list[SlotStatus], autojump_clock: trio.abc.Clock
) -> None:
    """G15: the ResourceManager survives it; who goes on so is lost like one that is silent."""
    async with running(executor("te-1", P)) as cluster:
        worker = await registered(cluster)
        worker.answers[HeartbeatOfExecutor] = SlotReport(report)
        before = picture(cluster)
        await trio.sleep(45)
        assert picture(cluster) == before
        await trio.sleep(20)
        assert list(cluster.services.newsroom.state.executors) == [TE1]
        assert cluster.news_of(LeaderRevoked) == []
        await registered(cluster, "another")


async def test_a_late_answer_to_a_beat_takes_no_slot_away(autojump_clock: trio.abc.Clock) -> None:
    """X401, D15: a report is no evidence against what was granted after it was asked for."""
    async with running() as cluster:
        worker = await registered(cluster)
        late: PendingCall[SlotReport] = PendingCall()
        free = SlotReport(worker.report())
        worker.answers[HeartbeatOfExecutor] = late
        await trio.sleep(10.5)
        del worker.answers[HeartbeatOfExecutor]
        _, client, job, slot = await leased(cluster, worker)
        before = picture(cluster)
        late.succeed(free)
        await settled()
        assert picture(cluster) == before
        assert cluster.services.newsroom.state.slots[slot.slot_id].state is SlotState.ALLOCATED
        assert (await client.call(ReleaseSlot(job, R1))).released


async def test_a_report_of_an_unknown_instance_is_not_known(
    autojump_clock: trio.abc.Clock,
) -> None:
    """D13, G17, B12, G14: the executor must register again; notices of it change nothing."""
    async with running(executor("te-1", P)) as cluster:
        client, _, slot = await granted(cluster)
        before = picture(cluster)
        leader, stale = leader_of(cluster), InstanceId(NOBODY)
        report = ReportSlots(leader_id=leader, instance_id=stale, slot_report=[])
        assert not (await client.call(report)).known
        notice = NotifySlotAvailable(
            leader_id=leader,
            instance_id=stale,
            slot_id=slot.slot_id,
            allocation_id=slot.allocation_id,
        )
        await client.call(notice)
        await client.call(DisconnectTaskExecutor(leader_id=leader, instance_id=stale, cause=""))
        await settled()
        assert picture(cluster) == before


async def test_a_slot_is_not_available_while_another_allocation_has_it(
    autojump_clock: trio.abc.Clock,
) -> None:
    """D08: the right instance, the wrong allocation, and a slot of another executor."""
    async with running(executor("te-1", P)) as cluster:
        worker, _, _, slot = await leased(cluster)
        before = picture(cluster)
        for slot_id, allocation in (
            (slot.slot_id, AllocationId(NOBODY)),
            (SlotId("te-1_0"), slot.allocation_id),
            (SlotId("licences_9"), slot.allocation_id),
        ):
            await worker.call(
                NotifySlotAvailable(
                    leader_id=leader_of(cluster),
                    instance_id=worker.instance_id,
                    slot_id=slot_id,
                    allocation_id=allocation,
                )
            )
        await settled()
        assert picture(cluster) == before


@pytest.mark.parametrize("holder", [None, "x", 7, ["b" * 32], {"b": 1}])
async def test_an_executor_that_says_occupied_without_by_whom_is_believed_no_further(
    holder: object, autojump_clock: trio.abc.Clock
) -> None:
    """D23: a holder that is no allocation id is a refusal like any other, and breaks nothing."""
    async with running() as cluster:
        worker = await registered(cluster)
        worker.answers[RequestSlotOfExecutor] = SlotOccupied("taken", allocation_id=holder)
        client = cluster.client()
        job = await cluster.open_job(client)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.call, AllocateSlot(job, R1, LICENCE))
            await settled()
            assert cluster.news_of(LeaderRevoked) == []
            state = cluster.services.newsroom.state
            assert [view.state for view in state.slots.values()] == [SlotState.FREE]
            nursery.cancel_scope.cancel()
