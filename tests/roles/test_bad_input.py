"""What roles refuse that is not about leaders: ids of nothing, and slots and tasks of others."""

import trio

from daemon.roles.mailbox import NearPeer
from protocol.errors import (
    LeaderIdMismatch,
    MethodNotFound,
    NotLeader,
    SlotAllocationFailed,
    SlotNotFound,
    SlotOccupied,
    UnknownJob,
    UnknownRequest,
    UnknownTask,
    UnknownTaskExecutor,
)
from protocol.ids import (
    RESOURCE_MANAGER,
    AllocationId,
    JobId,
    LeaderId,
    RequestId,
    ResourceId,
    SlotId,
    TaskId,
    job_master,
)
from protocol.messages.client import (
    AllocateSlot,
    CancelTask,
    CloseJob,
    DrainExecutor,
    ExplainSlot,
    ReleaseSlot,
    RevokeLeader,
    RunTask,
)
from protocol.messages.job_master import (
    FindJobMaster,
)
from protocol.messages.resource_manager import (
    CancelSlotRequest,
    ExplainSlotRequest,
    RegisterJobMaster,
    RequestSlot,
)
from protocol.messages.task_executor import (
    FreeSlot,
    HeartbeatOfExecutor,
    RequestSlotOfExecutor,
    SubmitTask,
)
from tests.roles.cluster import ADDRESS, P, executor, running
from tests.roles.scripted import (
    LICENCE,
    NOBODY,
    R1,
    R2,
    TE1,
    ScriptedExecutor,
    granted,
    job_leader,
    leader_of,
    leased,
    picture,
    refusal_of,
    settled,
)

# requests at the ResourceManager


async def test_a_slot_request_without_a_registered_job_master_is_refused(
    autojump_clock: trio.abc.Clock,
) -> None:
    """B02, B14: an unknown job, and a job whose JobMaster is another."""
    async with running(executor("te-1", P)) as cluster:
        client, job, _ = await granted(cluster)

        def request(job_id: JobId, job_master_id: LeaderId) -> RequestSlot:
            return RequestSlot(
                leader_id=leader_of(cluster),
                job_id=job_id,
                job_master_id=job_master_id,
                allocation_id=AllocationId("b" * 32),
                target_address=ADDRESS,
                profile=P,
            )

        unknown = request(JobId(NOBODY), job_leader(cluster, job))
        refusal = await refusal_of(cluster, client, unknown, UnknownJob)
        assert refusal.data["job_id"] == NOBODY
        await refusal_of(cluster, client, request(job, LeaderId(NOBODY)), LeaderIdMismatch)


async def test_who_was_not_elected_cannot_register_as_the_job_master_of_a_job_of_the_daemon(
    autojump_clock: trio.abc.Clock,
) -> None:
    """G07: the requests of the elected one stay."""
    async with running(executor("te-1", P)) as cluster:
        client, job, _ = await granted(cluster)
        impostor = RegisterJobMaster(
            leader_id=leader_of(cluster),
            job_id=job,
            job_master_id=LeaderId(NOBODY),
            address="connection",
        )
        await refusal_of(cluster, client, impostor, LeaderIdMismatch)
        assert (await client.call(ReleaseSlot(job, R1))).released


async def test_what_is_not_there_is_not_cancelled_explained_or_drained(
    autojump_clock: trio.abc.Clock,
) -> None:
    """G18, F37, F42: acknowledged where doing it twice is the same; refused where it is not."""
    async with running(executor("te-1", P)) as cluster:
        client, job, _ = await granted(cluster)
        leader = leader_of(cluster)
        nothing = AllocationId(NOBODY)
        cancel = CancelSlotRequest(leader_id=leader, allocation_id=nothing)
        assert not (await client.call(cancel)).cancelled
        explain = ExplainSlotRequest(leader_id=leader, allocation_id=nothing)
        await refusal_of(cluster, client, explain, UnknownRequest)
        await refusal_of(cluster, client, ExplainSlot(job, RequestId(NOBODY)), UnknownRequest)
        await refusal_of(cluster, client, DrainExecutor(ResourceId("te-9")), UnknownTaskExecutor)
        await refusal_of(cluster, client, CancelTask(TaskId(NOBODY)), UnknownTask)
        await refusal_of(cluster, client, CloseJob(JobId(NOBODY)), UnknownJob)
        nobody = RevokeLeader(job_master(JobId(NOBODY)))
        await refusal_of(cluster, client, nobody, NotLeader)


async def test_a_request_is_released_once(autojump_clock: trio.abc.Clock) -> None:
    """F37, F42: the second time there is nothing, and nothing changes."""
    async with running(executor("te-1", P)) as cluster:
        client, job, _ = await granted(cluster)
        assert (await client.call(ReleaseSlot(job, R1))).released
        await settled()
        before = picture(cluster)
        assert not (await client.call(ReleaseSlot(job, R1))).released
        assert not (await client.call(ReleaseSlot(job, RequestId(NOBODY)))).released
        await settled()
        assert picture(cluster) == before


# executors themselves


async def test_an_executor_gives_a_slot_once(autojump_clock: trio.abc.Clock) -> None:
    """E06, E07, E34: no such slot, a slot that is held, an allocation that has another one."""
    async with running(executor("te-1", P, P)) as cluster:
        client, job, slot = await granted(cluster)

        def request(slot_id: str, allocation_id: str) -> RequestSlotOfExecutor:
            return RequestSlotOfExecutor(
                leader_id=leader_of(cluster),
                slot_id=SlotId(slot_id),
                job_id=job,
                allocation_id=AllocationId(allocation_id),
                target_address=ADDRESS,
                profile=P,
            )

        mine, other = slot.slot_id, "te-1_1" if slot.slot_id == "te-1_0" else "te-1_0"
        absent = request("te-1_7", NOBODY)
        await refusal_of(cluster, client, absent, SlotNotFound, executor=TE1)
        taken = request(mine, NOBODY)
        refusal = await refusal_of(cluster, client, taken, SlotOccupied, executor=TE1)
        assert refusal.data["allocation_id"] == slot.allocation_id
        twice = request(other, slot.allocation_id)
        await refusal_of(cluster, client, twice, SlotAllocationFailed, executor=TE1)


async def test_a_task_goes_into_a_slot_of_its_own_job_alone(
    autojump_clock: trio.abc.Clock,
) -> None:
    """E15: an unknown allocation, that of another job, a leader that is not connected."""
    async with running(executor("te-1", P, P)) as cluster:
        client, one, first = await granted(cluster)
        two = await cluster.open_job(client, "two")
        second = await client.call(AllocateSlot(two, R2, P))

        def submit(job: JobId, leader: LeaderId, allocation_id: AllocationId) -> SubmitTask:
            return SubmitTask(
                leader_id=leader,
                job_id=job,
                allocation_id=allocation_id,
                task_id=TaskId("t"),
                command=["/no/such/program"],
            )

        leader = job_leader(cluster, one)
        for allocation in (AllocationId(NOBODY), second.allocation_id):
            task = submit(one, leader, allocation)
            await refusal_of(cluster, client, task, SlotNotFound, executor=TE1)
        wrong = submit(one, job_leader(cluster, two), first.allocation_id)
        await refusal_of(cluster, client, wrong, LeaderIdMismatch, executor=TE1)
        unknown = submit(JobId(NOBODY), leader, first.allocation_id)
        await refusal_of(cluster, client, unknown, NotLeader, executor=TE1)


async def test_an_executor_frees_nothing_that_it_does_not_have(
    autojump_clock: trio.abc.Clock,
) -> None:
    """E45: acknowledged; a beat of a job that has nothing there changes nothing either."""
    async with running(executor("te-1", P)) as cluster:
        client, _, _ = await granted(cluster)
        before = picture(cluster)
        stranger = ScriptedExecutor(cluster.host, "stranger")
        mailbox = cluster.host.executors[TE1].mailbox
        peer = NearPeer(mailbox.submit, stranger)
        await peer.call(FreeSlot(AllocationId(NOBODY), "not yours"))
        await peer.call(HeartbeatOfExecutor(sender=job_master(JobId(NOBODY)), allocated=[]))
        await settled()
        assert picture(cluster) == before
        assert (await client.call(RevokeLeader(RESOURCE_MANAGER))) is not None


# clients


async def test_a_command_needs_a_slot(autojump_clock: trio.abc.Clock) -> None:
    """task.run for a request that is unknown, waits, or was released."""
    async with running(executor("te-1", P)) as cluster:
        client, job, _ = await granted(cluster)
        unknown = RunTask(job, RequestId(NOBODY), ["true"])
        await refusal_of(cluster, client, unknown, UnknownRequest)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.call, AllocateSlot(job, R2, P))
            await settled()
            waits = RunTask(job, R2, ["true"])
            await refusal_of(cluster, client, waits, UnknownRequest)
            nursery.cancel_scope.cancel()
        await client.call(ReleaseSlot(job, R1))
        await refusal_of(cluster, client, RunTask(job, R1, ["true"]), UnknownRequest)


async def test_an_executor_that_refuses_a_command_is_heard_by_the_client(
    autojump_clock: trio.abc.Clock,
) -> None:
    """The error of the executor is the answer to task.run; the slot stays."""
    async with running() as cluster:
        worker, client, job, slot = await leased(cluster)
        worker.answers[SubmitTask] = SlotAllocationFailed("licences run no commands")
        run = RunTask(job, R1, ["true"])
        refusal = await refusal_of(cluster, client, run, SlotAllocationFailed)
        assert refusal.message == "licences run no commands"
        assert await client.call(AllocateSlot(job, R1, LICENCE)) == slot


async def test_methods_of_executors_are_not_served_by_a_daemon(
    autojump_clock: trio.abc.Clock,
) -> None:
    """A method of the other side."""
    async with running(executor("te-1", P)) as cluster:
        client, job, slot = await granted(cluster)
        free = FreeSlot(slot.allocation_id, "mine")
        await refusal_of(cluster, client, free, MethodNotFound)
        await refusal_of(cluster, client, FindJobMaster(job), MethodNotFound, executor=TE1)
