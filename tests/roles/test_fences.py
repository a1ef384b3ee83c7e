"""A fence of yesterday, and nobody who leads: every fenced method refuses, and changes nothing."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio

from protocol.errors import LeaderIdMismatch, NotLeader, SlotAllocationFailed, SlotdError
from protocol.ids import (
    RESOURCE_MANAGER,
    AllocationId,
    InstanceId,
    JobId,
    LeaderId,
    RequestId,
    ResourceId,
    SlotId,
    TaskId,
    job_master,
)
from protocol.messages.calls import FencedRequest
from protocol.messages.client import (
    AllocateSlot,
    DrainExecutor,
    ExplainSlot,
    ReleaseSlot,
    RevokeLeader,
    RunTask,
)
from protocol.messages.job_master import (
    DisconnectExecutorFromJob,
    FailSlot,
    FindJobMaster,
    NotifyAllocationFailure,
    OfferSlots,
    RegisterExecutorAtJob,
    TaskFinishedAtExecutor,
    TaskOutputOfExecutor,
)
from protocol.messages.resource_manager import (
    CancelSlotRequest,
    DisconnectJobMaster,
    DisconnectTaskExecutor,
    ExplainSlotRequest,
    FindResourceManager,
    NotifySlotAvailable,
    RegisterJobMaster,
    RegisterTaskExecutor,
    ReportSlots,
    RequestSlot,
)
from protocol.messages.task_executor import RequestSlotOfExecutor, SubmitTask
from protocol.messages.values import Hardware, SlotOffer
from protocol.methods import REQUESTS
from tests.roles.cluster import ADDRESS, Client, Cluster, P, executor, running
from tests.roles.scripted import job_leader, leader_of, picture, refusal_of, settled

R1 = RequestId("a1" * 16)
TE1 = ResourceId("te-1")


@attrs.frozen
class Today:
    """What a stale message can name: all of it is valid but for the leader."""

    job: JobId
    job_master: LeaderId
    allocation: AllocationId
    slot: SlotId
    instance: InstanceId


Make = Callable[[LeaderId, Today], FencedRequest[Any]]

RESOURCE_MANAGERS: dict[type[FencedRequest[Any]], Make] = {
    RegisterTaskExecutor: lambda fence, today: RegisterTaskExecutor(
        leader_id=fence,
        resource_id=ResourceId("te-2"),
        host="host",
        address="connection",
        hardware=Hardware(1.0, 512),
    ),
    RegisterJobMaster: lambda fence, today: RegisterJobMaster(
        leader_id=fence,
        job_id=today.job,
        job_master_id=today.job_master,
        address="connection",
    ),
    RequestSlot: lambda fence, today: RequestSlot(
        leader_id=fence,
        job_id=today.job,
        job_master_id=today.job_master,
        allocation_id=AllocationId("b" * 32),
        target_address=ADDRESS,
        profile=P,
    ),
    CancelSlotRequest: lambda fence, today: CancelSlotRequest(
        leader_id=fence, allocation_id=today.allocation
    ),
    NotifySlotAvailable: lambda fence, today: NotifySlotAvailable(
        leader_id=fence,
        instance_id=today.instance,
        slot_id=today.slot,
        allocation_id=today.allocation,
    ),
    ReportSlots: lambda fence, today: ReportSlots(
        leader_id=fence, instance_id=today.instance, slot_report=[]
    ),
    ExplainSlotRequest: lambda fence, today: ExplainSlotRequest(
        leader_id=fence, allocation_id=today.allocation
    ),
    DisconnectTaskExecutor: lambda fence, today: DisconnectTaskExecutor(
        leader_id=fence, instance_id=today.instance, cause="a late goodbye"
    ),
    DisconnectJobMaster: lambda fence, today: DisconnectJobMaster(
        leader_id=fence,
        job_id=today.job,
        job_master_id=today.job_master,
        cause="a late goodbye",
    ),
}

JOB_MASTERS: dict[type[FencedRequest[Any]], Make] = {
    RegisterExecutorAtJob: lambda fence, today: RegisterExecutorAtJob(
        leader_id=fence, job_id=today.job, resource_id=ResourceId("te-2"), host="host"
    ),
    OfferSlots: lambda fence, today: OfferSlots(
        leader_id=fence,
        job_id=today.job,
        resource_id=TE1,
        slots=[SlotOffer(AllocationId("b" * 32), 1, P)],
    ),
    FailSlot: lambda fence, today: FailSlot(
        leader_id=fence,
        job_id=today.job,
        resource_id=TE1,
        allocation_id=today.allocation,
        cause="gone",
    ),
    NotifyAllocationFailure: lambda fence, today: NotifyAllocationFailure(
        leader_id=fence, job_id=today.job, allocation_id=today.allocation, cause="gone"
    ),
    DisconnectExecutorFromJob: lambda fence, today: DisconnectExecutorFromJob(
        leader_id=fence, job_id=today.job, resource_id=TE1, cause="gone"
    ),
}

TASK_EXECUTORS: dict[type[FencedRequest[Any]], Make] = {
    RequestSlotOfExecutor: lambda fence, today: RequestSlotOfExecutor(
        leader_id=fence,
        slot_id=SlotId("te-1_1"),
        job_id=today.job,
        allocation_id=AllocationId("b" * 32),
        target_address=ADDRESS,
    ),
    SubmitTask: lambda fence, today: SubmitTask(
        leader_id=fence,
        job_id=today.job,
        allocation_id=today.allocation,
        task_id=TaskId("t"),
        command=["/no/such/program"],
    ),
}


def named(case: object) -> str:
    return case.METHOD if isinstance(case, type) and issubclass(case, FencedRequest) else ""


async def work(cluster: Cluster) -> tuple[Client, Today]:
    """A job with one slot of te-1, whose other slot is free."""
    client = cluster.client()
    job = await cluster.open_job(client)
    slot = await client.call(AllocateSlot(job, R1, P))
    await settled()
    instance = cluster.services.newsroom.state.executors[TE1].instance_id
    leader = job_leader(cluster, job)
    return client, Today(job, leader, slot.allocation_id, slot.slot_id, instance)


def test_every_fenced_method_is_tried_here() -> None:
    fenced = {request for request in REQUESTS.values() if issubclass(request, FencedRequest)}
    assert fenced == {*RESOURCE_MANAGERS, *JOB_MASTERS, *TASK_EXECUTORS}


@pytest.mark.parametrize(("method", "make"), RESOURCE_MANAGERS.items(), ids=named)
async def test_a_fence_of_an_earlier_resource_manager_is_refused(
    method: type[FencedRequest[Any]], make: Make, autojump_clock: trio.abc.Clock
) -> None:
    """L11, G06, X305, promise 4: the leader id of the term before."""
    async with running(executor("te-1", P, P)) as cluster:
        client, today = await work(cluster)
        yesterday = leader_of(cluster)
        await client.call(RevokeLeader(RESOURCE_MANAGER))
        await cluster.executors_registered(2)
        await trio.sleep(1)
        instance = cluster.services.newsroom.state.executors[TE1].instance_id
        stale = make(yesterday, attrs.evolve(today, instance=instance))
        refusal = await refusal_of(cluster, client, stale, LeaderIdMismatch)
        assert yesterday in refusal.message
        assert refusal.data["leader_id"] == leader_of(cluster)


@pytest.mark.parametrize(("method", "make"), JOB_MASTERS.items(), ids=named)
async def test_a_fence_of_an_earlier_job_master_is_refused(
    method: type[FencedRequest[Any]], make: Make, autojump_clock: trio.abc.Clock
) -> None:
    """X013, L11, promise 4: the leader id of the term before."""
    async with running(executor("te-1", P, P)) as cluster:
        client, today = await work(cluster)
        await client.call(RevokeLeader(job_master(today.job)))
        await trio.sleep(1)
        stale = make(today.job_master, today)
        refusal = await refusal_of(cluster, client, stale, LeaderIdMismatch)
        assert refusal.data["leader_id"] == job_leader(cluster, today.job)


@pytest.mark.parametrize(("method", "make"), TASK_EXECUTORS.items(), ids=named)
async def test_an_executor_refuses_leaders_of_yesterday(
    method: type[FencedRequest[Any]], make: Make, autojump_clock: trio.abc.Clock
) -> None:
    """B15, E04, E15: the ResourceManager and the JobMaster of the terms before."""
    async with running(executor("te-1", P, P)) as cluster:
        client, today = await work(cluster)
        fences = {RequestSlotOfExecutor: leader_of(cluster), SubmitTask: today.job_master}
        await client.call(RevokeLeader(RESOURCE_MANAGER))
        await client.call(RevokeLeader(job_master(today.job)))
        await trio.sleep(1)
        stale = make(fences[method], today)
        await refusal_of(cluster, client, stale, LeaderIdMismatch, executor=TE1)


async def test_what_an_executor_tells_an_earlier_job_master_reaches_nobody(
    autojump_clock: trio.abc.Clock,
) -> None:
    """Notifications are fenced like requests; nobody is there to be told so."""
    async with running(executor("te-1", P, P)) as cluster:
        client, today = await work(cluster)
        await client.call(RevokeLeader(job_master(today.job)))
        await trio.sleep(1)
        before = picture(cluster)
        about: dict[str, Any] = {
            "job_id": today.job,
            "leader_id": today.job_master,
            "resource_id": TE1,
            "task_id": TaskId("t"),
        }
        switchboard = cluster.host.switchboard
        switchboard.notice(TaskOutputOfExecutor(**about, stream="stdout", offset=0), client)
        switchboard.notice(TaskFinishedAtExecutor(**about, exit_code=0), client)
        await settled()
        assert picture(cluster) == before
        assert client.received == []


@pytest.mark.parametrize(
    "make",
    [
        *RESOURCE_MANAGERS.values(),
        lambda fence, today: FindResourceManager(),
        lambda fence, today: DrainExecutor(TE1),
    ],
)
async def test_where_no_resource_manager_leads_nothing_is_taken(
    make: Make, autojump_clock: trio.abc.Clock
) -> None:
    """L11, promise 4: NotLeader, whatever fence is named; another candidate has the term."""
    async with running(executor("te-1", P, P)) as cluster:
        client, today = await work(cluster)
        yesterday = leader_of(cluster)
        async with cluster.services.election.campaign(RESOURCE_MANAGER, "elsewhere:1"):
            await client.call(RevokeLeader(RESOURCE_MANAGER))
            await refusal_of(cluster, client, make(yesterday, today), NotLeader)


@pytest.mark.parametrize(
    "make",
    [
        *JOB_MASTERS.values(),
        lambda fence, today: FindJobMaster(today.job),
        lambda fence, today: AllocateSlot(today.job),
        lambda fence, today: ReleaseSlot(today.job, R1),
        lambda fence, today: ExplainSlot(today.job, R1),
        lambda fence, today: RunTask(today.job, R1, ["true"]),
    ],
)
async def test_where_no_job_master_leads_nothing_is_taken(
    make: Make, autojump_clock: trio.abc.Clock
) -> None:
    """L11, H15, promise 4: the job is open, its JobMaster is between two terms."""
    async with running(executor("te-1", P, P)) as cluster:
        client, today = await work(cluster)
        async with cluster.services.election.campaign(job_master(today.job), "elsewhere:1"):
            await client.call(RevokeLeader(job_master(today.job)))
            await refusal_of(cluster, client, make(today.job_master, today), NotLeader)


@pytest.mark.parametrize(
    ("method", "error"), [(RequestSlotOfExecutor, SlotAllocationFailed), (SubmitTask, NotLeader)]
)
async def test_an_executor_without_leaders_takes_nothing(
    method: type[FencedRequest[Any]],
    error: type[SlotdError],
    autojump_clock: trio.abc.Clock,
) -> None:
    """E03, E15: it is registered nowhere, and connected to no JobMaster."""
    async with running(executor("te-1", P, P)) as cluster:
        client, today = await work(cluster)
        fences = {RequestSlotOfExecutor: leader_of(cluster), SubmitTask: today.job_master}
        election = cluster.services.election
        async with (
            election.campaign(RESOURCE_MANAGER, "elsewhere:1"),
            election.campaign(job_master(today.job), "elsewhere:1"),
        ):
            await client.call(RevokeLeader(RESOURCE_MANAGER))
            await client.call(RevokeLeader(job_master(today.job)))
            call = TASK_EXECUTORS[method](fences[method], today)
            await refusal_of(cluster, client, call, error, executor=TE1)
