"""A JobMaster and its ResourceManager, played by the test: registered, silent, gone, back."""

import pytest
import trio

from protocol.errors import NoResourceAvailable, PeerGone, UnknownJob
from protocol.ids import RESOURCE_MANAGER, JobId, RequestId, job_master
from protocol.messages.calls import EMPTY
from protocol.messages.client import AllocateSlot, CloseJob, OpenJob, RevokeLeader
from protocol.messages.job_master import HeartbeatOfJobMaster
from protocol.messages.resource_manager import (
    CancelSlotRequest,
    DisconnectJobMaster,
    RegisterJobMaster,
    RequestSlot,
)
from protocol.news import JobClosedNews
from tests.roles.cluster import ADDRESS, Client, Cluster, P, started
from tests.roles.scripted import SILENCE, job_leader, settled
from tests.roles.scripted_leaders import ScriptedLeader, resource_manager

R1 = RequestId("a1" * 16)
ALONE = {"roles": ("job-master",)}


def registration(cluster: Cluster, leader: ScriptedLeader, job: JobId) -> RegisterJobMaster:
    return RegisterJobMaster(
        leader_id=leader.leader_id,
        job_id=job,
        job_master_id=job_leader(cluster, job),
        address=ADDRESS,
    )


async def opened(cluster: Cluster) -> tuple[Client, JobId]:
    client = cluster.client()
    return client, (await client.call(OpenJob("job"))).job_id


async def test_a_job_master_registers_at_once_at_each_leader(
    autojump_clock: trio.abc.Clock,
) -> None:
    """H06, H09, G24, X508: none while nobody leads; the next under its own id."""
    async with started(**ALONE) as cluster:
        _, job = await opened(cluster)
        await trio.sleep(5)
        async with resource_manager(cluster) as first:
            await trio.sleep(10)
            assert first.heard == [(5.0, registration(cluster, first, job))]
        await trio.sleep(10)
        async with resource_manager(cluster) as second:
            await trio.sleep(10)
            assert second.heard == [(25.0, registration(cluster, second, job))]


async def test_a_new_term_of_a_job_master_registers_under_its_own_id(
    autojump_clock: trio.abc.Clock,
) -> None:
    """H09, H15: the ResourceManager stays, the JobMaster changes."""
    async with started(**ALONE) as cluster, resource_manager(cluster) as leader:
        client, job = await opened(cluster)
        await trio.sleep(5)
        before = registration(cluster, leader, job)
        await client.call(RevokeLeader(job_master(job)))
        await trio.sleep(5)
        after = registration(cluster, leader, job)
        assert leader.heard == [(0.0, before), (5.0, after)]
        assert before.job_master_id != after.job_master_id


async def test_a_silent_resource_manager_is_registered_at_again_and_asked_again(
    autojump_clock: trio.abc.Clock,
) -> None:
    """H08, X505, K03: after 50 s; without a goodbye, which would cancel what waits there."""
    async with started(**ALONE) as cluster, resource_manager(cluster) as leader:
        client, job = await opened(cluster)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.call, AllocateSlot(job, R1, P))
            await trio.sleep(20)
            beat = HeartbeatOfJobMaster(job_id=job, sender=RESOURCE_MANAGER)
            assert await leader.call(beat) == EMPTY
            await trio.sleep(60)
            assert leader.times_of(RegisterJobMaster) == [0.0, 70.0]
            (first_at, first), (again_at, again) = leader.all_of(RequestSlot)
            assert (first_at, again_at) == (0.0, 70.0)
            assert first.allocation_id == again.allocation_id
            assert leader.times_of(DisconnectJobMaster) == []
            assert leader.times_of(CancelSlotRequest) == []
            nursery.cancel_scope.cancel()


async def test_a_request_that_is_not_answered_fails_as_such(
    autojump_clock: trio.abc.Clock,
) -> None:
    """L16, C12, X006: a timeout is told as one, with the method that was called."""
    async with (
        started(**ALONE) as cluster,
        resource_manager(cluster, {RequestSlot: SILENCE}) as leader,
    ):
        client, job = await opened(cluster)
        await settled()
        with pytest.raises(
            NoResourceAvailable, match=r"resource_manager\.request_slot: no answer within 10 s"
        ):
            await client.call(AllocateSlot(job, R1, P))
        assert trio.current_time() == 10.0
        await settled()
        assert len(leader.times_of(CancelSlotRequest)) == 1


async def test_empty_beats_are_signs_of_life(autojump_clock: trio.abc.Clock) -> None:
    """K09, K02, K03: they carry nothing, and the connection stays for as long as they come."""
    async with started(**ALONE) as cluster, resource_manager(cluster) as leader:
        _, job = await opened(cluster)
        await settled()
        for _ in range(10):
            await trio.sleep(49)
            await leader.call(HeartbeatOfJobMaster(job_id=job, sender=RESOURCE_MANAGER))
        assert leader.times_of(RegisterJobMaster) == [0.0]


async def test_a_job_that_is_closed_says_goodbye_once_and_is_gone(
    autojump_clock: trio.abc.Clock,
) -> None:
    """H16, G23, K14: closed once; nobody leads it; after its goodbye it says nothing more."""
    async with started(**ALONE) as cluster, resource_manager(cluster) as leader:
        client, job = await opened(cluster)
        await trio.sleep(1)
        job_master_id = job_leader(cluster, job)
        await client.call(CloseJob(job))
        assert job_master(job) not in cluster.services.newsroom.state.leaders
        assert cluster.services.election.leader_of(job_master(job)) is None
        await trio.sleep(200)
        goodbye = DisconnectJobMaster(
            leader_id=leader.leader_id,
            job_id=job,
            job_master_id=job_master_id,
            cause="closed by its client",
        )
        assert leader.heard[1:] == [(1.0, goodbye)]
        assert [news.job_id for news in cluster.news_of(JobClosedNews)] == [job]
        with pytest.raises(UnknownJob):
            await client.call(CloseJob(job))


@pytest.mark.parametrize("answer", [SILENCE, PeerGone("nobody is there")])
async def test_a_job_closes_although_its_registration_was_never_answered(
    answer: object, autojump_clock: trio.abc.Clock
) -> None:
    """H10, J11, X508: at once, and without a goodbye to whom it was not registered at."""
    async with (
        started(**ALONE) as cluster,
        resource_manager(cluster, {RegisterJobMaster: answer}) as leader,
    ):
        client, job = await opened(cluster)
        await trio.sleep(3)
        assert (await client.call(CloseJob(job))).released == 0
        assert trio.current_time() == 3.0
        await trio.sleep(100)
        assert {type(request) for _, request in leader.heard} == {RegisterJobMaster}
        assert max(leader.times_of(RegisterJobMaster)) <= 3.0


async def test_a_job_opens_and_closes_where_nobody_leads(autojump_clock: trio.abc.Clock) -> None:
    """H10, X003: without any ResourceManager."""
    async with started(**ALONE) as cluster:
        client, job = await opened(cluster)
        await trio.sleep(3)
        assert (await client.call(CloseJob(job))).released == 0
        assert trio.current_time() == 3.0
