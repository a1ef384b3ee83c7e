"""A TaskExecutor and its ResourceManager, played by the test: registered, silent, gone, back."""

import pytest
import trio

from daemon.roles.supervision import FatalError
from protocol.errors import LeaderIdMismatch, NotLeader, PeerGone, SlotAllocationFailed
from protocol.ids import RESOURCE_MANAGER, AllocationId, InstanceId, JobId, ResourceId, slot_id
from protocol.messages.calls import EMPTY
from protocol.messages.client import RevokeLeader
from protocol.messages.resource_manager import (
    DisconnectTaskExecutor,
    NotifySlotAvailable,
    RegisterTaskExecutor,
    ReportSlots,
    SlotReportTaken,
)
from protocol.messages.task_executor import (
    DisconnectFromExecutor,
    FreeSlot,
    HeartbeatOfExecutor,
    RequestSlotOfExecutor,
    SlotReport,
)
from protocol.messages.values import Hardware, SlotStatus
from tests.roles.cluster import ADDRESS, P, executor, running, started
from tests.roles.scripted import SILENCE
from tests.roles.scripted_leaders import ScriptedLeader, resource_manager

TE1 = ResourceId("te-1")
SLOT = slot_id(TE1, 0)
FREE = SlotStatus(SLOT, P)
ALLOCATION, JOB = AllocationId("b" * 32), JobId("c" * 32)
INSTANCE = InstanceId("e" * 32)
ALONE = {"roles": ("task-executor",)}
BEAT = HeartbeatOfExecutor(sender=RESOURCE_MANAGER)


def registration(leader: ScriptedLeader) -> RegisterTaskExecutor:
    return RegisterTaskExecutor(
        leader_id=leader.leader_id,
        resource_id=TE1,
        host="host-1",
        address=ADDRESS,
        hardware=Hardware(8.0, 16384),
    )


def first_report(leader: ScriptedLeader) -> ReportSlots:
    return ReportSlots(leader_id=leader.leader_id, instance_id=INSTANCE, slot_report=[FREE])


def slot_request(leader: ScriptedLeader) -> RequestSlotOfExecutor:
    return RequestSlotOfExecutor(
        leader_id=leader.leader_id,
        slot_id=SLOT,
        job_id=JOB,
        allocation_id=ALLOCATION,
        target_address=ADDRESS,
        profile=P,
    )


async def test_an_executor_registers_at_once_and_then_reports(
    autojump_clock: trio.abc.Clock,
) -> None:
    """E01, E25, E31, B16, X216: two steps; the registration says nothing of slots."""
    async with started(executor("te-1", P), **ALONE) as cluster:
        await trio.sleep(3)
        async with resource_manager(cluster) as leader:
            await trio.sleep(30)
            assert leader.heard == [(3.0, registration(leader)), (3.0, first_report(leader))]


async def test_while_nobody_leads_an_executor_waits_and_then_registers_at_the_next(
    autojump_clock: trio.abc.Clock,
) -> None:
    """E02, E26, E27: under the new leader's id; the silence of the former one concerns nobody."""
    async with started(executor("te-1", P), **ALONE) as cluster:
        async with resource_manager(cluster) as first:
            await trio.sleep(10)
        await trio.sleep(10)
        async with resource_manager(cluster) as second:
            await trio.sleep(49.9)
            assert second.heard == [(20.0, registration(second)), (20.0, first_report(second))]
        assert first.leader_id != second.leader_id
        assert len(first.heard) == 2


async def test_an_executor_whose_resource_manager_is_silent_registers_again(
    autojump_clock: trio.abc.Clock,
) -> None:
    """E26, X505, X506, K03: after 50 s without a beat and a short pause; a beat puts it off."""
    async with (
        started(executor("te-1", P), **ALONE) as cluster,
        resource_manager(cluster) as leader,
    ):
        await trio.sleep(20)
        await leader.call(BEAT)
        await trio.sleep(80)
        again = pytest.approx(70.1)
        assert leader.times_of(RegisterTaskExecutor) == [0.0, again]
        assert leader.times_of(ReportSlots) == [0.0, again]
        assert leader.times_of(DisconnectTaskExecutor) == [], "it would lose its slots"


async def test_an_executor_that_is_told_to_go_registers_again(
    autojump_clock: trio.abc.Clock,
) -> None:
    """E30, X505: at once, but for a pause that keeps a quarrel from being a hot loop."""
    async with (
        started(executor("te-1", P), **ALONE) as cluster,
        resource_manager(cluster) as leader,
    ):
        await trio.sleep(5)
        await leader.call(DisconnectFromExecutor(RESOURCE_MANAGER, "no heartbeat"))
        await trio.sleep(40)
        assert leader.times_of(RegisterTaskExecutor) == [0.0, pytest.approx(5.1)]


@pytest.mark.parametrize(
    ("answer", "period"),
    [
        (SlotReportTaken(False), 0.1),
        (NotLeader("not any more"), 0.1),
        (PeerGone("its connection broke"), 0.1),
        (SILENCE, 10.1),
    ],
    ids=["unknown instance", "refused", "gone", "silent"],
)
async def test_when_the_first_report_fails_all_starts_over(
    answer: object, period: float, autojump_clock: trio.abc.Clock
) -> None:
    """E31, G17: it registers again, and reports again."""
    async with (
        started(executor("te-1", P), **ALONE) as cluster,
        resource_manager(cluster, {ReportSlots: answer}) as leader,
    ):
        await trio.sleep(2.5 * period)
        times = [pytest.approx(n * period) for n in range(3)]
        assert leader.times_of(RegisterTaskExecutor) == times
        assert leader.times_of(ReportSlots) == times


async def test_a_slot_request_is_refused_until_the_registration_was_answered(
    autojump_clock: trio.abc.Clock,
) -> None:
    """E32, E03, X216: early, late, and of another leader; then it is granted."""
    async with started(executor("te-1", P), **ALONE) as cluster:
        async with resource_manager(cluster, {RegisterTaskExecutor: SILENCE}) as leader:
            await trio.sleep(1)
            with pytest.raises(SlotAllocationFailed):
                await leader.call(slot_request(leader))
            leader.answers.clear()
            await trio.sleep(60)
            assert await leader.call(slot_request(leader)) == EMPTY
        async with resource_manager(cluster) as second:
            await trio.sleep(1)
            with pytest.raises(LeaderIdMismatch):
                await second.call(slot_request(leader))


async def test_an_executor_answers_beats_with_its_slots_of_that_moment_and_sends_none(
    autojump_clock: trio.abc.Clock,
) -> None:
    """E25, K01, K11, K12: what changes between two beats is seen in the second."""
    async with (
        started(executor("te-1", P), **ALONE) as cluster,
        resource_manager(cluster) as leader,
    ):
        await trio.sleep(1)
        assert await leader.call(BEAT) == SlotReport([FREE])
        await leader.call(slot_request(leader))
        held = SlotStatus(SLOT, P, ALLOCATION, JOB)
        assert await leader.call(BEAT) == SlotReport([held])
        await leader.call(FreeSlot(ALLOCATION, "over"))
        assert await leader.call(BEAT) == SlotReport([FREE])
        await trio.sleep(40)
        assert [type(request) for _, request in leader.heard] == [
            RegisterTaskExecutor,
            ReportSlots,
            NotifySlotAvailable,
        ]


async def test_a_slot_that_no_job_master_takes_is_free_after_ten_seconds(
    autojump_clock: trio.abc.Clock,
) -> None:
    """E05, E19, B12, X214: the ResourceManager hears whose slot it was, from which instance."""
    async with (
        started(executor("te-1", P), **ALONE) as cluster,
        resource_manager(cluster) as leader,
    ):
        await trio.sleep(1)
        await leader.call(slot_request(leader))
        await trio.sleep(30)
        told = NotifySlotAvailable(
            leader_id=leader.leader_id,
            instance_id=INSTANCE,
            slot_id=SLOT,
            allocation_id=ALLOCATION,
        )
        assert leader.all_of(NotifySlotAvailable) == [(11.0, told)]


async def test_an_executor_that_can_register_nowhere_ends_the_daemon(
    autojump_clock: trio.abc.Clock,
) -> None:
    """E29, B11: after registration-timeout, without a restart."""
    with pytest.RaisesGroup(
        pytest.RaisesExc(FatalError, match="no ResourceManager registered this .* within 100 s"),
        flatten_subgroups=True,
    ):
        async with started(executor("te-1", P), registration_timeout_s=100.0, **ALONE):
            await trio.sleep(1000)
    assert trio.current_time() == 100.0


async def test_patience_begins_anew_when_a_connection_is_lost(
    autojump_clock: trio.abc.Clock,
) -> None:
    """E29: it stops while the executor is registered, and starts again when it is not any more."""
    with pytest.RaisesGroup(FatalError, flatten_subgroups=True):
        async with running(executor("te-1", P), registration_timeout_s=100.0) as cluster:
            await trio.sleep(500)
            election = cluster.services.election
            async with election.campaign(RESOURCE_MANAGER, "elsewhere:1"):
                await cluster.client().call(RevokeLeader(RESOURCE_MANAGER))
                await trio.sleep(1000)
    assert trio.current_time() == pytest.approx(600.0)


async def test_an_executor_that_drains_says_goodbye_and_tells_of_no_free_slot(
    autojump_clock: trio.abc.Clock,
) -> None:
    """E43, X513, G23: the goodbye names the instance; nothing is registered again after it."""
    async with (
        started(executor("te-1", P), **ALONE) as cluster,
        resource_manager(cluster) as leader,
    ):
        await trio.sleep(1)
        await leader.call(slot_request(leader))
        await cluster.host.executors[TE1].drain("it stops")
        await trio.sleep(30)
        assert leader.heard[2:] == [
            (
                1.0,
                DisconnectTaskExecutor(
                    leader_id=leader.leader_id, instance_id=INSTANCE, cause="it stops"
                ),
            )
        ]
