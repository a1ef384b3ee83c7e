"""What roles refuse that is not about leaders: names, ids and reports that cannot be true."""

from typing import Any

import pytest
import trio

from daemon.roles.mailbox import NearPeer
from daemon.wire.peers import PendingCall
from protocol.errors import (
    InvalidParams,
    LeaderIdMismatch,
    MethodNotFound,
    NoResourceAvailable,
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
    InstanceId,
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
    TaskFinished,
    TaskOutput,
)
from protocol.messages.job_master import (
    DisconnectExecutorFromJob,
    FailSlot,
    FindJobMaster,
    NotifyAllocationFailure,
    TaskFinishedAtExecutor,
    TaskOutputOfExecutor,
)
from protocol.messages.resource_manager import (
    CancelSlotRequest,
    DisconnectTaskExecutor,
    ExplainSlotRequest,
    NotifySlotAvailable,
    RegisterJobMaster,
    ReportSlots,
    RequestSlot,
)
from protocol.messages.task_executor import (
    FreeSlot,
    HeartbeatOfExecutor,
    RequestSlotOfExecutor,
    SlotReport,
    SubmitTask,
)
from protocol.messages.values import GrantedSlot, SlotStatus
from protocol.news import LeaderRevoked
from protocol.snapshot import SlotState
from tests.roles.cluster import ADDRESS, Client, Cluster, P, executor, running
from tests.roles.scripted import (
    LICENCE,
    ScriptedExecutor,
    job_leader,
    leader_of,
    picture,
    refusal_of,
    registered,
    settled,
)

R1, R2 = RequestId("a1" * 16), RequestId("a2" * 16)
TE1 = ResourceId("te-1")
NOBODY = "f" * 32


async def granted(cluster: Cluster, profile: object = P) -> tuple[Client, JobId, GrantedSlot]:
    """A client with one job that holds one slot."""
    client = cluster.client()
    job = await cluster.open_job(client)
    slot = await client.call(AllocateSlot(job, R1, LICENCE if profile is LICENCE else P))
    await settled()
    return client, job, slot


async def leased(
    cluster: Cluster, worker: ScriptedExecutor | None = None
) -> tuple[ScriptedExecutor, Client, JobId, GrantedSlot]:
    """A scripted executor whose only slot is held by a job."""
    worker = worker or await registered(cluster)
    client = cluster.client()
    job = await cluster.open_job(client)
    granted: list[GrantedSlot] = []

    async def allocate() -> None:
        granted.append(await client.call(AllocateSlot(job, R1, LICENCE)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(allocate)
        await settled()
        assert worker.held[0] is not None
        leader = job_leader(cluster, job)
        await worker.register_at(job, leader)
        allocation = worker.held[0][0]
        assert (await worker.offer(job, leader, allocation)).accepted == [allocation]
    await settled()
    return worker, client, job, granted[0]


# executors at the ResourceManager


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
    """H13: the ResourceManager survives it; who goes on so is lost like one that is silent."""
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


# executors at a JobMaster


async def test_offers_of_strangers_are_refused(autojump_clock: trio.abc.Clock) -> None:
    """C46: not registered at the job, a job that does not exist, or in another's name."""
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
