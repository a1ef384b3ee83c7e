"""Leaders that go and come back: what they knew is rebuilt, and nothing is granted twice."""

import pytest
import trio

from protocol.errors import NotLeader, UnknownRequest
from protocol.ids import RESOURCE_MANAGER, JobId, RequestId, TaskId, job_master
from protocol.messages.client import (
    AllocateSlot,
    CloseJob,
    OpenJob,
    ReleaseSlot,
    RevokeLeader,
    RunTask,
    TaskFinished,
    TaskOutput,
)
from protocol.news import PoolCounts
from protocol.snapshot import JobState, SlotState
from tests.roles.cluster import Cluster, P, executor, running

R1, R2, R3 = (RequestId(f"{n:032x}") for n in (0xA1, 0xA2, 0xA3))


async def settled(cluster: Cluster, slots: int) -> None:
    """Wait until the executors are registered again."""
    await cluster.executors_registered(slots)
    await trio.sleep(0.5)


async def taken_over(cluster: Cluster, job: JobId) -> None:
    """Wait until the second JobMaster of a job has its one slot back."""
    newsroom = cluster.services.newsroom
    while True:
        leader = newsroom.state.leaders.get(job_master(job))
        if leader and leader.epoch == 2 and newsroom.state.jobs[job].pool.allocated == 1:
            return
        await newsroom.wait_for_news()


async def test_a_new_resource_manager_learns_everything_from_the_executors(
    autojump_clock: trio.abc.Clock,
) -> None:
    """D45, E02, G03, G04, X306: a slot that is held stays held and is given to nobody."""
    async with running(executor("te-1", P, P)) as cluster:
        client = cluster.client()
        one, two = await cluster.open_job(client), await cluster.open_job(client)
        held = await client.call(AllocateSlot(one, R1, P))
        before = cluster.services.newsroom.state.leaders[RESOURCE_MANAGER]
        await client.call(RevokeLeader(RESOURCE_MANAGER))
        await settled(cluster, 2)
        after = cluster.services.newsroom.state.leaders[RESOURCE_MANAGER]
        assert after.epoch > before.epoch
        assert after.leader_id != before.leader_id
        view = cluster.services.newsroom.state.slots[held.slot_id]
        assert (view.state, view.allocation_id) == (SlotState.ALLOCATED, held.allocation_id)
        other = await client.call(AllocateSlot(two, R2, P))
        assert other.slot_id != held.slot_id


async def test_what_waited_at_the_old_resource_manager_is_asked_of_the_new_one(
    autojump_clock: trio.abc.Clock,
) -> None:
    """C15, C45, X014, X101, H06: a pending request survives, with the deadline it had."""
    async with running(executor("te-1", P)) as cluster:
        client = cluster.client()
        one, two = await cluster.open_job(client), await cluster.open_job(client)
        await client.call(AllocateSlot(one, R1, P))
        granted: list[float] = []

        async def wait() -> None:
            await client.call(AllocateSlot(two, R2, P))
            granted.append(trio.current_time())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await trio.sleep(10)
            await client.call(RevokeLeader(RESOURCE_MANAGER))
            await settled(cluster, 1)
            (request,) = cluster.services.newsroom.state.requests.values()
            assert request.job_id == two
            assert request.deadline == pytest.approx(300, abs=1)
            await client.call(CloseJob(one))
        assert granted


async def test_a_new_job_master_takes_its_slots_back(autojump_clock: trio.abc.Clock) -> None:
    """C17, E17, E18, H09, H15, X017: same slots, same requests; none is free in between."""
    async with running(executor("te-1", P, P)) as cluster:
        client = cluster.client()
        job = await cluster.open_job(client)
        first = await client.call(AllocateSlot(job, R1, P))
        await client.call(RevokeLeader(job_master(job)))
        await trio.sleep(1)
        state = cluster.services.newsroom.state
        assert state.jobs[job].state is JobState.RUNNING
        assert state.jobs[job].pool == PoolCounts(allocated=1)
        assert state.slots[first.slot_id].state is SlotState.ALLOCATED
        again = await client.call(AllocateSlot(job, R1, P))
        assert again.slot_id == first.slot_id
        other = await client.call(AllocateSlot(job, R2, P))
        assert other.slot_id != first.slot_id
        assert (await client.call(ReleaseSlot(job, R1))).released
        reused = await client.call(AllocateSlot(job, R3, P))
        assert reused.slot_id == first.slot_id


async def test_a_pending_request_fails_with_its_job_master(
    autojump_clock: trio.abc.Clock,
) -> None:
    """X004, X102: nobody hangs; the reason is said."""
    async with running(executor("te-1", P)) as cluster:
        client = cluster.client()
        one, two = await cluster.open_job(client), await cluster.open_job(client)
        await client.call(AllocateSlot(one, R1, P))
        failed: list[str] = []

        async def wait() -> None:
            with pytest.raises(NotLeader) as refusal:
                await client.call(AllocateSlot(two, R2, P))
            failed.append(refusal.value.message)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await trio.sleep(1)
            await client.call(RevokeLeader(job_master(two)))
        assert "revoked by an operator" in failed[0]
        await trio.sleep(1)
        assert cluster.services.newsroom.state.requests == {}


async def test_revoking_nobody_is_refused(autojump_clock: trio.abc.Clock) -> None:
    """A drill on a component without a leader changes nothing."""
    async with running() as cluster:
        with pytest.raises(NotLeader):
            await cluster.client().call(RevokeLeader(job_master(JobId("f" * 32))))


async def test_many_revocations_never_grant_a_slot_twice(
    autojump_clock: trio.abc.Clock,
) -> None:
    """L06, L15, X515, promise 1: thirty rounds of revoking both leaders under load."""
    async with running(executor("te-1", P, P), executor("te-2", P, P)) as cluster:
        client = cluster.client()
        job = (await client.call(OpenJob("busy"))).job_id
        held: dict[str, RequestId] = {}
        for number in range(30):
            request = RequestId(f"{number + 1:032x}")
            slot = await client.call(AllocateSlot(job, request, P))
            assert slot.slot_id not in held
            held[slot.slot_id] = request
            await client.call(RevokeLeader(RESOURCE_MANAGER if number % 2 else job_master(job)))
            await settled(cluster, 4)
            if len(held) == 3:
                slot_id, oldest = next(iter(held.items()))
                assert (await client.call(ReleaseSlot(job, oldest))).released
                del held[slot_id]
        allocated = [
            view.slot_id
            for view in cluster.services.newsroom.state.slots.values()
            if view.state is SlotState.ALLOCATED
        ]
        assert set(held) <= set(allocated)


@pytest.mark.parametrize("steps", range(0, 24, 2))
async def test_a_command_that_was_refused_because_its_leader_left_holds_nothing_back(
    steps: int,
) -> None:
    """Promise 4: at whatever moment of ``task.run`` the JobMaster goes, the slot can be used on."""
    async with running(executor("te-1", P)) as cluster:
        client = cluster.client()
        job = await cluster.open_job(client)
        await client.call(AllocateSlot(job, R1, P))
        started: list[TaskId] = []

        async def run() -> None:
            while not started:
                try:
                    task = await client.call(RunTask(job, R1, ["true"]))
                except (NotLeader, UnknownRequest):  # between two terms; its slot is not back yet
                    await trio.lowlevel.checkpoint()
                else:
                    started.append(task.task_id)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            for _ in range(steps):
                await trio.lowlevel.checkpoint()
            await client.call(RevokeLeader(job_master(job)))
        end = await client.until(TaskFinished)
        assert (end.task_id, end.exit_code) == (started[0], 0)
        await taken_over(cluster, job)
        with trio.fail_after(20):
            assert (await client.call(ReleaseSlot(job, R1))).released


async def test_a_running_command_survives_both_leaders() -> None:
    """A change of leader does not touch a command: its output and its end arrive."""
    async with running(executor("te-1", P)) as cluster:
        client = cluster.client()
        job = await cluster.open_job(client)
        await client.call(AllocateSlot(job, R1, P))
        script = "echo one; read line; echo two; exit 7"
        # the command waits for a line that comes through a pipe of its own
        command = [
            "sh",
            "-c",
            f"mkfifo $SLOT_TMPDIR/gate; echo $SLOT_TMPDIR; exec <$SLOT_TMPDIR/gate; {script}",
        ]
        task = (await client.call(RunTask(job, R1, command))).task_id
        scratch = (await client.until(TaskOutput)).data
        assert scratch is not None
        await client.call(RevokeLeader(RESOURCE_MANAGER))
        await client.call(RevokeLeader(job_master(job)))
        while cluster.services.newsroom.state.jobs[job].pool != PoolCounts(allocated=1):
            await cluster.services.newsroom.wait_for_news()
        gate = await trio.open_file(f"{scratch.strip()}/gate", "w")
        async with gate:
            await gate.write("go\n")
        text, end = await client.output_until_end()
        assert (text, end.task_id, end.exit_code) == ("one\ntwo\n", task, 7)
