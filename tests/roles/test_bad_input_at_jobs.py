"""What a JobMaster does not believe: offers, failures and ends that are another's to tell."""

from typing import Any

import pytest
import trio

from protocol.errors import (
    InvalidParams,
    NoResourceAvailable,
    SlotNotFound,
    UnknownJob,
    UnknownTaskExecutor,
)
from protocol.ids import (
    AllocationId,
    JobId,
    LeaderId,
    ResourceId,
    job_master,
)
from protocol.messages.client import (
    AllocateSlot,
    RevokeLeader,
    RunTask,
    TaskFinished,
    TaskOutput,
)
from protocol.messages.job_master import (
    DisconnectExecutorFromJob,
    FailSlot,
    NotifyAllocationFailure,
    TaskFinishedAtExecutor,
    TaskOutputOfExecutor,
)
from tests.roles.cluster import P, executor, running
from tests.roles.scripted import (
    NOBODY,
    R1,
    R2,
    ScriptedExecutor,
    granted,
    job_leader,
    leased,
    picture,
    refusal_of,
    registered,
    settled,
)


async def test_offers_of_strangers_are_refused(autojump_clock: trio.abc.Clock) -> None:
    """C46, H04: not registered at the job, a job that does not exist, or in another's name."""
    async with running(executor("te-1", P)) as cluster:
        client, job, slot = await granted(cluster)
        stranger = ScriptedExecutor(cluster.host, "stranger")
        leader = job_leader(cluster, job)

        async def refused(resource_id: str, job_id: JobId, error: type[Exception]) -> None:
            before = picture(cluster)
            stranger.resource_id = ResourceId(resource_id)
            with pytest.raises(error):
                await stranger.offer(job_id, leader, AllocationId("b" * 32))
            await settled()
            assert picture(cluster) == before

        await refused("stranger", job, UnknownTaskExecutor)
        await refused("stranger", JobId(NOBODY), UnknownJob)
        await refused("te-1", job, UnknownTaskExecutor)
        assert (await client.call(AllocateSlot(job, R1, P))) == slot


async def test_an_executor_cannot_register_at_a_job_in_the_name_of_a_living_one(
    autojump_clock: trio.abc.Clock,
) -> None:
    """The commands of the job go where its slots are, not to who took the name."""
    async with running(executor("te-1", P)) as cluster:
        _, job, _ = await granted(cluster)
        impostor = ScriptedExecutor(cluster.host, "te-1")
        before = picture(cluster)
        with pytest.raises(InvalidParams) as refusal:
            await impostor.register_at(job, job_leader(cluster, job))
        assert refusal.value.data["path"] == "params.resource_id"
        await settled()
        assert picture(cluster) == before
        assert impostor.asked == []


async def test_an_allocation_that_is_held_elsewhere_is_not_accepted(
    autojump_clock: trio.abc.Clock,
) -> None:
    """C07, C10, promise 1: refused in the answer; the slot stays where it is."""
    async with running(executor("te-1", P)) as cluster:
        client, job, slot = await granted(cluster)
        worker = await registered(cluster)
        leader = job_leader(cluster, job)
        await worker.register_at(job, leader)
        before = picture(cluster)
        assert (await worker.offer(job, leader, slot.allocation_id)).accepted == []
        await settled()
        assert picture(cluster) == before
        assert await client.call(AllocateSlot(job, R1, P)) == slot


async def test_a_slot_is_failed_by_its_executor_alone(autojump_clock: trio.abc.Clock) -> None:
    """C11, C46: not by one that has no such slot, is not registered, or uses another's name."""
    async with running(executor("te-1", P)) as cluster:
        client, job, slot = await granted(cluster)
        worker = await registered(cluster)
        leader = job_leader(cluster, job)

        def failing(resource_id: str, allocation_id: str) -> FailSlot:
            return FailSlot(
                leader_id=leader,
                job_id=job,
                resource_id=ResourceId(resource_id),
                allocation_id=AllocationId(allocation_id),
                cause="it says so",
            )

        own = failing("licences", slot.allocation_id)
        await refusal_of(cluster, worker, own, UnknownTaskExecutor)
        await worker.register_at(job, leader)
        await refusal_of(cluster, worker, own, SlotNotFound)
        await refusal_of(cluster, worker, failing("licences", NOBODY), SlotNotFound)
        another = failing("te-1", slot.allocation_id)
        await refusal_of(cluster, worker, another, UnknownTaskExecutor)
        assert await client.call(AllocateSlot(job, R1, P)) == slot


async def test_a_pending_request_is_not_failed_by_an_executor(
    autojump_clock: trio.abc.Clock,
) -> None:
    """Only the ResourceManager gives a request up that waits there."""
    async with running(executor("te-1", P)) as cluster:
        client, job, _ = await granted(cluster)
        worker = await registered(cluster)
        await worker.register_at(job, job_leader(cluster, job))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.call, AllocateSlot(job, R2, P))
            await settled()
            (waiting,) = cluster.services.newsroom.state.requests
            fail = FailSlot(
                leader_id=job_leader(cluster, job),
                job_id=job,
                resource_id=worker.resource_id,
                allocation_id=waiting,
                cause="it says so",
            )
            await refusal_of(cluster, worker, fail, SlotNotFound)
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("error", ["Any", "error_from_wire", "ERRORS_BY_CODE", "SlotdError", ""])
async def test_a_failure_with_an_unknown_error_is_no_resource(
    error: str, autojump_clock: trio.abc.Clock
) -> None:
    """H18: whatever name comes over the wire, the job lives and its client has an answer."""
    async with running(executor("te-1", P)) as cluster:
        client, job, _ = await granted(cluster)
        answers: list[NoResourceAvailable] = []

        async def wait() -> None:
            with pytest.raises(NoResourceAvailable) as refusal:
                await client.call(AllocateSlot(job, R2, P))
            answers.append(refusal.value)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await settled()
            (waiting,) = cluster.services.newsroom.state.requests
            notice = NotifyAllocationFailure(
                leader_id=job_leader(cluster, job),
                job_id=job,
                allocation_id=waiting,
                cause="given up",
                error=error,
            )
            await client.call(notice)
        assert [answer.message for answer in answers] == ["given up"]
        assert job in cluster.services.newsroom.state.jobs


async def test_the_failure_of_an_unknown_allocation_changes_nothing(
    autojump_clock: trio.abc.Clock,
) -> None:
    """C11: acknowledged; so is the goodbye of an executor that the job does not know."""
    async with running(executor("te-1", P)) as cluster:
        client, job, _ = await granted(cluster)
        leader = job_leader(cluster, job)
        before = picture(cluster)
        notice = NotifyAllocationFailure(
            leader_id=leader, job_id=job, allocation_id=AllocationId(NOBODY), cause="given up"
        )
        await client.call(notice)
        goodbye = DisconnectExecutorFromJob(
            leader_id=leader, job_id=job, resource_id=ResourceId("te-9"), cause="bye"
        )
        await client.call(goodbye)
        await settled()
        assert picture(cluster) == before


async def test_a_task_is_reported_by_the_executor_that_runs_it(
    autojump_clock: trio.abc.Clock,
) -> None:
    """What another executor says of it, or to a leader of yesterday, reaches nobody."""
    async with running(executor("te-1", P)) as cluster:
        worker, client, job, _ = await leased(cluster)
        task = (await client.call(RunTask(job, R1, ["lease"]))).task_id
        await settled()
        yesterday = job_leader(cluster, job)
        await client.call(RevokeLeader(job_master(job)))
        await settled()

        def tell(resource_id: str, leader: LeaderId) -> None:
            about: dict[str, Any] = {
                "job_id": job,
                "leader_id": leader,
                "resource_id": ResourceId(resource_id),
                "task_id": task,
            }
            switchboard = cluster.host.switchboard
            output = TaskOutputOfExecutor(**about, stream="stdout", offset=0, data=resource_id)
            switchboard.notice(output, worker)
            switchboard.notice(TaskFinishedAtExecutor(**about, exit_code=0), worker)

        before = picture(cluster)
        tell("te-1", job_leader(cluster, job))
        tell("licences", yesterday)
        await settled()
        assert picture(cluster) == before
        tell("licences", job_leader(cluster, job))
        output, end = await client.until(TaskOutput), await client.until(TaskFinished)
        assert (output.data, end.exit_code, client.received) == ("licences", 0, [])
