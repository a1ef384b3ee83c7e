"""Commands in slots: output, exit codes, cancel, and slots that go back only afterwards."""

from contextlib import suppress
from typing import TypeVar

import attrs
import pytest
import trio

from daemon.payload.payload import PayloadSpecification
from protocol.errors import NotLeader, UnknownRequest, UnknownTask
from protocol.ids import (
    RESOURCE_MANAGER,
    Component,
    RequestId,
    ResourceId,
    SlotId,
    TaskId,
    job_master,
)
from protocol.messages.calls import Request
from protocol.messages.client import (
    AllocateSlot,
    CancelTask,
    CloseJob,
    ReleaseSlot,
    RevokeLeader,
    RunTask,
    TaskCancelled,
    TaskFinished,
    TaskOutput,
)
from protocol.messages.task_executor import SubmitTask
from protocol.snapshot import SlotState
from tests.roles.cluster import Client, Cluster, P, executor, prepare, running

R = TypeVar("R")
R1, R2 = (RequestId(f"{n:032x}") for n in (0xA1, 0xA2))


async def start(cluster: Cluster, client: Client, script: str, stdin: str | None = None) -> TaskId:
    """Run a script in a slot of a new job."""
    job = await cluster.open_job(client)
    await client.call(AllocateSlot(job, R1, P))
    run = RunTask(job, R1, ["sh", "-c", script], {"GREETING": "hello"}, stdin=stdin)
    return (await client.call(run)).task_id


async def led(client: Client, request: Request[R]) -> R:
    """Ask the first leader that there is: in the very moment when it begins."""
    while True:
        try:
            return await client.call(request)
        except NotLeader:
            await trio.lowlevel.checkpoint()


async def test_output_and_exit_code_reach_the_client() -> None:
    """Both streams with offsets, the environment, stdin; then the end, after all output."""
    async with running(executor("te-1", P)) as cluster:
        client = cluster.client()
        task = await start(cluster, client, "cat; echo $GREETING; echo oops >&2; exit 9", "in\n")
        end = await client.until(TaskFinished)
        assert (end.task_id, end.exit_code, end.signal, end.cause) == (task, 9, None, None)
        chunks = [n for n in client.received if isinstance(n, TaskOutput)]
        for stream, text in (("stdout", "in\nhello\n"), ("stderr", "oops\n")):
            mine = [chunk for chunk in chunks if chunk.stream == stream]
            assert "".join(chunk.data or "" for chunk in mine) == text
            position = 0
            for chunk in mine:
                assert chunk.offset == position
                position += len(chunk.data or "")
        assert cluster.services.newsroom.state.tasks == {}


async def test_bytes_that_are_no_text_arrive_as_they_are() -> None:
    """``data_base64`` where UTF-8 does not do."""
    async with running(executor("te-1", P)) as cluster:
        client = cluster.client()
        await start(cluster, client, r"printf '\377\000'")
        chunk = await client.until(TaskOutput)
        assert (chunk.data, chunk.data_base64) == (None, "/wA=")


async def test_a_signal_is_reported_as_it_was() -> None:
    """Not turned into an exit code: that is the business of shells."""
    async with running(executor("te-1", P)) as cluster:
        client = cluster.client()
        await start(cluster, client, "kill -USR1 $$")
        end = await client.until(TaskFinished)
        assert (end.exit_code, end.signal) == (None, 10)


async def test_cancelling_ends_a_task_and_says_so() -> None:
    """TERM first; the cause is named; a second cancel finds nothing."""
    async with running(executor("te-1", P)) as cluster:
        client = cluster.client()
        task = await start(cluster, client, "trap 'exit 4' TERM; echo up; while :; do read x; done")
        await client.until(TaskOutput)
        assert (await client.call(CancelTask(task))).cancelled
        end = await client.until(TaskFinished)
        assert (end.task_id, end.cause) == (task, "cancelled")
        with pytest.raises(UnknownTask):
            await client.call(CancelTask(task))


async def test_a_slot_goes_back_only_after_its_command_has_ended() -> None:
    """F45, X116: ``slot.release`` ends the command first; the answer comes after its end."""
    async with running(executor("te-1", P)) as cluster:
        client = cluster.client()
        job = await cluster.open_job(client)
        await client.call(AllocateSlot(job, R1, P))
        await client.call(RunTask(job, R1, ["sleep", "1000"]))
        assert (await client.call(ReleaseSlot(job, R1))).released
        end = await client.until(TaskFinished)
        assert end.cause == "cancelled"
        assert cluster.services.newsroom.state.tasks == {}
        assert (await client.call(AllocateSlot(job, R2, P))).slot_number == 0


@pytest.mark.parametrize("component", [RESOURCE_MANAGER, None])
async def test_a_cancel_right_after_a_change_of_leader_is_not_forgotten(
    component: Component | None,
) -> None:
    """A new JobMaster knows the command before its executor is back: it ends all the same."""
    async with running(executor("te-1", P)) as cluster:
        client = cluster.client()
        task = await start(cluster, client, "echo up; exec sleep 1000")
        await client.until(TaskOutput)
        job = next(iter(cluster.services.newsroom.state.jobs))
        await client.call(RevokeLeader(component or job_master(job)))
        assert await led(client, CancelTask(task)) == TaskCancelled(cancelled=True)
        end = await client.until(TaskFinished)
        assert (end.task_id, end.cause) == (task, "cancelled")


async def test_a_slot_released_right_after_a_change_of_leader_goes_back() -> None:
    """F45, E17: the command in it is ended once the executor is back, not when it likes."""
    async with running(executor("te-1", P)) as cluster:
        client = cluster.client()
        await start(cluster, client, "exec sleep 1000")
        (view,) = cluster.services.newsroom.state.tasks.values()
        await client.call(RevokeLeader(job_master(view.job_id)))
        assert (await led(client, ReleaseSlot(view.job_id, view.request_id))).released
        assert cluster.services.newsroom.state.tasks == {}


@pytest.mark.parametrize("steps", range(8))
async def test_a_command_whose_leader_goes_while_it_is_submitted_is_not_half_there(
    steps: int,
) -> None:
    """Promise 4, F45: it runs and is known, or its call fails and nothing of it stays."""
    async with running(executor("te-1", P)) as cluster:
        client = cluster.client()
        job = await cluster.open_job(client)
        await client.call(AllocateSlot(job, R1, P))
        known: list[TaskId] = []

        async def run() -> None:
            with suppress(NotLeader):
                known.append((await client.call(RunTask(job, R1, ["sleep", "1000"]))).task_id)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            for _ in range(steps):
                await trio.lowlevel.checkpoint()
            await client.call(RevokeLeader(job_master(job)))
        with trio.fail_after(5):
            assert (await led(client, ReleaseSlot(job, R1))).released
            for task in known:
                assert (await client.until(TaskFinished)).task_id == task
            while cluster.host.executors[ResourceId("te-1")]._tasks._running:
                await trio.lowlevel.checkpoint()


async def test_a_command_submitted_right_after_a_change_of_leader_runs() -> None:
    """E17: the slot was granted; that its executor is not back yet is not the client's affair."""
    async with running(executor("te-1", P)) as cluster:
        client = cluster.client()
        job = await cluster.open_job(client)
        await client.call(AllocateSlot(job, R1, P))
        await client.call(RevokeLeader(job_master(job)))
        await led(client, RunTask(job, R1, ["true"]))
        assert (await client.until(TaskFinished)).exit_code == 0


async def test_closing_a_job_ends_its_commands() -> None:
    """C37, E21: the watcher is told, the slot is free once the processes are gone."""
    async with running(executor("te-1", P)) as cluster:
        client = cluster.client()
        job = await cluster.open_job(client)
        slot = await client.call(AllocateSlot(job, R1, P))
        await client.call(RunTask(job, R1, ["sleep", "1000"]))
        await client.call(CloseJob(job))
        assert (await client.until(TaskFinished)).cause == "closed by its client"
        while cluster.services.newsroom.state.slots[slot.slot_id].state is not SlotState.FREE:
            await cluster.services.newsroom.wait_for_news()


async def test_a_command_needs_a_slot() -> None:
    """A request without a slot runs nothing."""
    async with running(executor("te-1", P)) as cluster:
        client = cluster.client()
        job = await cluster.open_job(client)
        with pytest.raises(UnknownRequest):
            await client.call(RunTask(job, R1, ["true"]))


async def test_what_the_system_keeps_a_command_to_is_reported() -> None:
    """``enforced`` names the limits that were really set; here none was asked for."""
    async with running(executor("te-1", P)) as cluster:
        client = cluster.client()
        await start(cluster, client, "true")
        assert (await client.until(TaskFinished)).enforced is None
    limited = attrs.evolve(executor("te-1", P), prepare=prepare_limited)
    async with running(limited) as cluster:
        client = cluster.client()
        await start(cluster, client, "true")
        assert (await client.until(TaskFinished)).enforced == ["data_segment"]


def prepare_limited(request: SubmitTask, slot: SlotId) -> PayloadSpecification:
    return attrs.evolve(prepare(request, slot), memory_mb=512)


async def test_many_commands_one_after_the_other_in_few_slots() -> None:
    """Forty commands, two slots: each runs once, all slots are free in the end."""
    async with running(executor("te-1", P, P)) as cluster:
        client = cluster.client()
        job = await cluster.open_job(client)
        ends: list[TaskFinished] = []

        async def one(number: int) -> None:
            request = RequestId(f"{number:032x}")
            await client.call(AllocateSlot(job, request, P))
            mine = cluster.client()
            task = (await mine.call(RunTask(job, request, ["true"]))).task_id
            end = await mine.until(TaskFinished)
            assert end.task_id == task
            ends.append(end)
            await client.call(ReleaseSlot(job, request))

        async with trio.open_nursery() as nursery:
            for number in range(40):
                nursery.start_soon(one, number)
        assert [end.exit_code for end in ends] == [0] * 40


async def test_draining_the_host_leaves_no_command() -> None:
    """E38, E43: commands are ended, jobs closed, watchers told."""
    async with running(executor("te-1", P)) as cluster:
        client = cluster.client()
        await start(cluster, client, "echo up; sleep 1000")
        await client.until(TaskOutput)
        with trio.fail_after(20):
            await cluster.host.drain("the daemon stops")
        assert (await client.until(TaskFinished)).cause == "the daemon stops"
