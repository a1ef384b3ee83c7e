"""Who registers where, how often, with what answer; and who is dropped because it is silent."""

from typing import Any

import pytest
import trio

from daemon.roles.mailbox import NearPeer
from protocol.errors import InvalidParams, LeaderIdMismatch, SlotAllocationFailed, SlotdError
from protocol.ids import (
    RESOURCE_MANAGER,
    AllocationId,
    JobId,
    LeaderId,
    RequestId,
    ResourceId,
    SlotId,
    job_master,
)
from protocol.messages.calls import EMPTY, Request
from protocol.messages.client import AllocateSlot, SlotLost
from protocol.messages.job_master import HeartbeatOfJobMaster, RegisterExecutorAtJob
from protocol.messages.resource_manager import (
    DisconnectJobMaster,
    DisconnectTaskExecutor,
    JobMasterRegistered,
    RegisterJobMaster,
    RegisterTaskExecutor,
    ReportSlots,
    RequestSlot,
)
from protocol.messages.task_executor import (
    DisconnectFromExecutor,
    HeartbeatOfExecutor,
    RequestSlotOfExecutor,
)
from protocol.messages.values import GrantedSlot, Hardware, HeldSlot
from protocol.news import ExecutorRegistered
from protocol.snapshot import ExecutorState, SlotState, TakeSnapshot
from tests.roles.cluster import ADDRESS, Client, Cluster, P, executor, running
from tests.roles.scripted import (
    LICENCE,
    SILENCE,
    Answering,
    ScriptedExecutor,
    job_leader,
    leader_of,
    refusal_of,
    registered,
    settled,
)

R1 = RequestId("a1" * 16)
MINE, OTHERS = LeaderId("d1" * 16), LeaderId("d2" * 16)
JOB = JobId("c" * 32)
ALLOCATION = AllocationId("b" * 32)


def at_job_master(cluster: Cluster, job_master_id: LeaderId, address: str) -> RegisterJobMaster:
    return RegisterJobMaster(
        leader_id=leader_of(cluster), job_id=JOB, job_master_id=job_master_id, address=address
    )


def slot_request(cluster: Cluster, job_master_id: LeaderId) -> RequestSlot:
    return RequestSlot(
        leader_id=leader_of(cluster),
        job_id=JOB,
        job_master_id=job_master_id,
        allocation_id=ALLOCATION,
        target_address=ADDRESS,
        profile=LICENCE,
    )


async def script(cluster: Cluster) -> tuple[Client, list[Request[Any]]]:
    """A connection that plays a JobMaster, and what it was asked."""
    await settled()
    client, asked = cluster.client(), list[Request[Any]]()

    def answer(request: Request[Any]) -> object:
        asked.append(request)
        return EMPTY

    client.peer = Answering(answer)
    return client, asked


async def leased(worker: ScriptedExecutor, cluster: Cluster) -> tuple[Client, JobId, GrantedSlot]:
    """A job that holds the worker's slot."""
    client = cluster.client()
    job = await cluster.open_job(client)
    granted: list[GrantedSlot] = []

    async def allocate() -> None:
        granted.append(await client.call(AllocateSlot(job, R1, LICENCE)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(allocate)
        await settled()
        assert worker.held[0] is not None
        await worker.register_at(job, job_leader(cluster, job))
        await worker.offer(job, job_leader(cluster, job), worker.held[0][0])
    await settled()
    return client, job, granted[0]


# at the ResourceManager


async def test_a_job_master_registers_as_often_as_it_likes(
    autojump_clock: trio.abc.Clock,
) -> None:
    """B01, B05, G05, G10: its request stays; it is called over the newest connection."""
    async with running() as cluster:
        first, asked_first = await script(cluster)
        hello = at_job_master(cluster, MINE, "connection")
        assert await first.call(hello) == JobMasterRegistered(10.0, 50.0)
        await first.call(slot_request(cluster, MINE))
        second, asked_second = await script(cluster)
        assert await second.call(hello) == JobMasterRegistered(10.0, 50.0)
        await settled()
        assert list(cluster.services.newsroom.state.requests) == [ALLOCATION]
        asked_first.clear()
        await trio.sleep(25)
        assert asked_first == []
        assert HeartbeatOfJobMaster(job_id=JOB, sender=RESOURCE_MANAGER) in asked_second


async def test_another_leader_of_a_job_replaces_the_one_that_is_registered(
    autojump_clock: trio.abc.Clock,
) -> None:
    """G10, B02, B14, X309: the old one's requests are withdrawn, and it is heard no more."""
    async with running(start_up_time_s=-1.0) as cluster:
        old, asked = await script(cluster)
        await old.call(at_job_master(cluster, MINE, "connection"))
        await old.call(slot_request(cluster, MINE))
        new, _ = await script(cluster)
        await new.call(at_job_master(cluster, OTHERS, "connection"))
        await settled()
        assert cluster.services.newsroom.state.requests == {}
        await refusal_of(cluster, old, slot_request(cluster, MINE), LeaderIdMismatch)
        asked.clear()
        await trio.sleep(25)
        assert asked == []
        assert (await new.call(slot_request(cluster, OTHERS))).registered


async def test_the_goodbye_of_a_job_master_withdraws_its_requests_and_no_others(
    autojump_clock: trio.abc.Clock,
) -> None:
    """G23, G20: a late goodbye of the one before changes nothing."""
    async with running() as cluster:
        me, asked = await script(cluster)
        await me.call(at_job_master(cluster, MINE, "connection"))
        await me.call(slot_request(cluster, MINE))
        for leader, left in ((OTHERS, [ALLOCATION]), (MINE, [])):
            await me.call(
                DisconnectJobMaster(
                    leader_id=leader_of(cluster), job_id=JOB, job_master_id=leader, cause="bye"
                )
            )
            await settled()
            assert list(cluster.services.newsroom.state.requests) == left
        asked.clear()
        await trio.sleep(100)
        assert asked == [], "K14: who is gone gets no beats"


@pytest.mark.parametrize("address", ["10.0.0.1:99", "localhost:6123"])
async def test_who_cannot_be_called_back_is_declined(
    address: str, autojump_clock: trio.abc.Clock
) -> None:
    """G08, G12: neither this connection nor this daemon; nothing is registered."""
    async with running() as cluster:
        await settled()
        client = cluster.client()
        job_master_there = at_job_master(cluster, MINE, address)
        executor_there = RegisterTaskExecutor(
            leader_id=leader_of(cluster),
            resource_id=ResourceId("te-9"),
            host="h",
            address=address,
            hardware=Hardware(1.0, 1),
        )
        for request in (job_master_there, executor_there):
            refusal = await refusal_of(cluster, client, request, InvalidParams)
            assert refusal.data["path"] == "params.address"
            assert address in refusal.message


async def test_of_two_registrations_under_way_the_newer_wins(
    autojump_clock: trio.abc.Clock,
) -> None:
    """G11, G13, X407, X416: registering is one step, so it is done in the order of arrival."""
    async with running() as cluster:
        worker = await registered(cluster)
        hello = RegisterTaskExecutor(
            leader_id=leader_of(cluster),
            resource_id=worker.resource_id,
            host="host-2",
            address="connection",
            hardware=Hardware(0.0, 0),
        )
        peer = NearPeer(cluster.host.switchboard.submit, worker)
        calls = [peer.start(hello), peer.start(hello)]
        older, newer = [await call.answer() for call in calls]
        assert len({worker.instance_id, older.instance_id, newer.instance_id}) == 3
        for instance, known in ((newer, True), (older, False)):
            report = ReportSlots(
                leader_id=leader_of(cluster),
                instance_id=instance.instance_id,
                slot_report=worker.report(),
            )
            assert (await worker.call(report)).known is known
        worker.asked.clear()
        await trio.sleep(95)
        beats = [request for request in worker.asked if isinstance(request, HeartbeatOfExecutor)]
        assert len(beats) in (9, 10), "one an interval: only the newest is watched"


async def test_the_goodbye_of_an_executor_takes_its_slots_away(
    autojump_clock: trio.abc.Clock,
) -> None:
    """G23, G17, K14: it gets no more beats; its reports are unknown until it registers again."""
    async with running() as cluster:
        worker = await registered(cluster)
        goodbye = DisconnectTaskExecutor(
            leader_id=leader_of(cluster), instance_id=worker.instance_id, cause="it stops"
        )
        await worker.call(goodbye)
        await settled()
        state = cluster.services.newsroom.state
        assert (state.executors, state.slots) == ({}, {})
        worker.asked.clear()
        await trio.sleep(100)
        assert worker.asked == []
        assert not (await worker.report_slots(leader_of(cluster))).known


async def test_a_silent_executor_is_dropped_and_told(autojump_clock: trio.abc.Clock) -> None:
    """G15, K03, K11: after 50 s; a beat an interval, each with a time of its own."""
    async with running() as cluster:
        worker = await registered(cluster)
        await trio.sleep(20)
        worker.answers[HeartbeatOfExecutor] = SILENCE
        worker.asked.clear()
        before = trio.current_time()
        while worker.resource_id in cluster.services.newsroom.state.executors:
            await cluster.services.newsroom.wait_for_news()
        await settled()
        beats = [request for request in worker.asked if isinstance(request, HeartbeatOfExecutor)]
        assert trio.current_time() - before in (pytest.approx(40), pytest.approx(50))
        assert worker.asked == [
            *beats,
            DisconnectFromExecutor(RESOURCE_MANAGER, "no heartbeat"),
        ]
        assert cluster.services.newsroom.state.slots == {}
        await trio.sleep(100)
        assert len(worker.asked) == len(beats) + 1, "K14: none after it was dropped"


async def test_an_executor_that_answers_beats_stays(autojump_clock: trio.abc.Clock) -> None:
    """K02, K04, K06, G21: for ever; the snapshot says when it was heard of last, and its sizes."""
    async with running() as cluster:
        worker = await registered(cluster, slots=2)
        await trio.sleep(505)
        assert len(cluster.news_of(ExecutorRegistered)) == 1
        snapshot = await cluster.client().call(TakeSnapshot())
        (view,) = snapshot.executors
        assert (view.resource_id, view.instance_id) == (worker.resource_id, worker.instance_id)
        assert (view.host, view.state) == ("host-2", ExecutorState.REGISTERED)
        assert (view.slots, view.free) == (2, 2)
        assert 0 <= snapshot.at - view.last_heartbeat <= 10


async def test_the_whole_request_reaches_the_executor_that_owns_the_slot(
    autojump_clock: trio.abc.Clock,
) -> None:
    """B04, B07, B09, B15, D05, X304: slot, job, allocation, target, profile and leader id."""
    async with running(executor("te-1", P)) as cluster:
        worker = await registered(cluster)
        me, _ = await script(cluster)
        await me.call(at_job_master(cluster, MINE, "connection"))
        assert (await me.call(slot_request(cluster, MINE))).registered
        await settled()
        asked = [a for a in worker.asked if not isinstance(a, HeartbeatOfExecutor)]
        assert asked == [
            RequestSlotOfExecutor(
                leader_id=leader_of(cluster),
                slot_id=SlotId("licences_0"),
                job_id=JOB,
                allocation_id=ALLOCATION,
                target_address=ADDRESS,
                profile=LICENCE,
            )
        ]
        assert not (await me.call(slot_request(cluster, MINE))).registered, "B13, X301: noted"
        assert asked == [a for a in worker.asked if not isinstance(a, HeartbeatOfExecutor)]


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [(SlotAllocationFailed("broken"), 0.0), (SILENCE, 10.0)],
    ids=["refused", "silent"],
)
async def test_what_one_executor_does_not_grant_is_asked_of_another(
    answer: SlotdError | object, seconds: float, autojump_clock: trio.abc.Clock
) -> None:
    """D22, X303, X308: a refusal at once, silence after the timeout of a call."""
    async with running() as cluster:
        one = await registered(cluster, "one")
        one.answers[RequestSlotOfExecutor] = answer
        two = await registered(cluster, "two")
        me, _ = await script(cluster)
        await me.call(at_job_master(cluster, MINE, "connection"))
        await me.call(slot_request(cluster, MINE))
        before = trio.current_time()
        while two.held == [None]:
            await cluster.services.newsroom.wait_for_news()
        assert trio.current_time() - before == pytest.approx(seconds)
        assert two.held == [(ALLOCATION, JOB)]
        await settled()
        slots = cluster.services.newsroom.state.slots
        assert slots[SlotId("two_0")].state is SlotState.ALLOCATED


# at a JobMaster


async def test_an_executor_registers_at_a_job_twice_and_keeps_its_slots(
    autojump_clock: trio.abc.Clock,
) -> None:
    """H03, C44"""
    async with running() as cluster:
        worker = await registered(cluster)
        client, job, slot = await leased(worker, cluster)
        leader = job_leader(cluster, job)
        assert await worker.register_at(job, leader) == await worker.register_at(job, leader)
        await settled()
        assert await client.call(AllocateSlot(job, R1, LICENCE)) == slot
        assert client.received == []


async def test_an_executor_that_cannot_be_called_back_is_declined_by_a_job(
    autojump_clock: trio.abc.Clock,
) -> None:
    """H03"""
    async with running() as cluster:
        client = cluster.client()
        job = await cluster.open_job(client)
        hello = RegisterExecutorAtJob(
            leader_id=job_leader(cluster, job),
            job_id=job,
            resource_id=ResourceId("te-9"),
            host="h",
            address="10.0.0.1:99",
        )
        await refusal_of(cluster, client, hello, InvalidParams)


async def test_a_job_drops_a_silent_executor_tells_it_and_its_client(
    autojump_clock: trio.abc.Clock,
) -> None:
    """H05, H13, H14, C08, K03: each beat says what the job holds there; after 50 s it is over."""
    async with running() as cluster:
        worker = await registered(cluster)
        client, job, slot = await leased(worker, cluster)
        me = job_master(job)
        worker.asked.clear()
        answering = worker._answer

        def silent_to_the_job(request: Request[Any]) -> object:
            answer = answering(request)
            is_of_job = isinstance(request, HeartbeatOfExecutor) and request.sender == me
            return SILENCE if is_of_job else answer

        worker.peer = Answering(silent_to_the_job)
        await worker.register_at(job, job_leader(cluster, job))
        since = trio.current_time()
        lost = await client.until(SlotLost)
        assert (lost.request_id, lost.cause) == (R1, "no heartbeat")
        assert trio.current_time() - since == pytest.approx(50)
        await settled()
        mine = [
            request
            for request in worker.asked
            if not (isinstance(request, HeartbeatOfExecutor) and request.sender != me)
        ]
        beat = HeartbeatOfExecutor(sender=me, allocated=[HeldSlot(slot.allocation_id, 0)])
        assert mine == [beat] * 5 + [DisconnectFromExecutor(me, "no heartbeat")]
        assert worker.resource_id in cluster.services.newsroom.state.executors
