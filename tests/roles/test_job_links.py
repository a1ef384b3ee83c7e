"""A TaskExecutor and the JobMaster of its slots, played by the test: offers, silence, beats."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio

from protocol.ids import AllocationId, JobId, ResourceId, SlotId, job_master
from protocol.messages.calls import EMPTY, Request
from protocol.messages.job_master import (
    DisconnectExecutorFromJob,
    FailSlot,
    HeartbeatOfJobMaster,
    OfferSlots,
    RegisterExecutorAtJob,
    SlotsAccepted,
)
from protocol.messages.resource_manager import RegisterJobMaster, RequestSlot
from protocol.messages.task_executor import DisconnectFromExecutor, HeartbeatOfExecutor
from protocol.messages.values import HeldSlot, SlotOffer
from protocol.snapshot import SlotState
from tests.roles.cluster import ADDRESS, Client, Cluster, P, executor, running
from tests.roles.scripted import SILENCE, Answering, leader_of, settled
from tests.roles.scripted_leaders import ScriptedLeader, job_leader_of

TE1 = ResourceId("te-1")
A1, A2 = AllocationId("b1" * 16), AllocationId("b2" * 16)


@attrs.define(eq=False)
class Game:
    """``began`` is when the leader was announced."""

    cluster: Cluster
    job: JobId
    leader: ScriptedLeader
    at_resource_manager: Client
    began: float

    async def ask(self, allocation_id: AllocationId) -> None:
        """As the JobMaster, ask the ResourceManager for a slot."""
        await self.at_resource_manager.call(
            RequestSlot(
                leader_id=leader_of(self.cluster),
                job_id=self.job,
                job_master_id=self.leader.leader_id,
                allocation_id=allocation_id,
                target_address=ADDRESS,
                profile=P,
            )
        )

    async def beat(self, *held: HeldSlot) -> None:
        """As the JobMaster, a beat with what it believes it holds."""
        await self.leader.call(
            HeartbeatOfExecutor(sender=job_master(self.job), allocated=list(held))
        )

    def offer(self, *slots: tuple[AllocationId, int]) -> OfferSlots:
        return OfferSlots(
            leader_id=self.leader.leader_id,
            job_id=self.job,
            resource_id=TE1,
            slots=[SlotOffer(allocation_id, number, P) for allocation_id, number in slots],
        )

    def state(self, number: int) -> SlotState:
        return self.cluster.services.newsroom.state.slots[SlotId(f"te-1_{number}")].state


@asynccontextmanager
async def game(
    answers: dict[type[Request[Any]], Any] | None = None, slots: int = 1
) -> AsyncGenerator[Game, None]:
    """A job whose JobMaster the test plays, registered at the daemon's ResourceManager."""
    async with running(executor("te-1", *[P] * slots)) as cluster:
        job = await cluster.open_job(cluster.client())
        async with job_leader_of(cluster, job, answers) as leader:
            client = cluster.client()
            client.peer = Answering(lambda _: EMPTY)
            await client.call(
                RegisterJobMaster(
                    leader_id=leader_of(cluster),
                    job_id=job,
                    job_master_id=leader.leader_id,
                    address="connection",
                )
            )
            yield Game(cluster, job, leader, client, trio.current_time())


async def test_a_slot_that_was_asked_for_is_offered_once(autojump_clock: trio.abc.Clock) -> None:
    """B03, B04, E08, E10, E39: one registration, one offer: allocation, number and profile."""
    async with game(slots=2) as play:
        await play.ask(A1)
        await trio.sleep(5)
        assert play.leader.heard == [
            (
                play.began,
                RegisterExecutorAtJob(
                    leader_id=play.leader.leader_id,
                    job_id=play.job,
                    resource_id=TE1,
                    host="host-1",
                ),
            ),
            (play.began, play.offer((A1, 0))),
        ]
        assert (play.state(0), play.state(1)) == (SlotState.ALLOCATED, SlotState.FREE)


async def test_a_second_slot_of_a_job_is_offered_over_the_same_connection(
    autojump_clock: trio.abc.Clock,
) -> None:
    """E08, E39: the leader known before the request, or after it."""
    async with game(slots=2) as play:
        await play.ask(A1)
        await trio.sleep(5)
        await play.ask(A2)
        await trio.sleep(5)
        assert play.leader.times_of(RegisterExecutorAtJob) == [play.began]
        assert [offer for _, offer in play.leader.all_of(OfferSlots)] == [
            play.offer((A1, 0)),
            play.offer((A2, 1)),
        ]


async def test_a_job_master_that_accepts_nothing_is_left(autojump_clock: trio.abc.Clock) -> None:
    """E11, E20, E44: the slot is free at once, the ResourceManager knows, nobody is watched."""
    async with game({OfferSlots: SlotsAccepted([])}) as play:
        await play.ask(A1)
        await settled()
        assert play.state(0) is SlotState.FREE
        await trio.sleep(200)
        assert len(play.leader.heard) == 2


async def test_an_offer_without_answer_is_made_again_and_again(
    autojump_clock: trio.abc.Clock,
) -> None:
    """E12: as long as beats come; the slot's own timer, as long as a call, does not free it."""
    async with game({OfferSlots: SILENCE}) as play:
        await play.ask(A1)
        for _ in range(4):
            await trio.sleep(24)
            await play.beat()
            assert play.state(0) is SlotState.ALLOCATED
        play.leader.answers.clear()
        await trio.sleep(20)
        offers = play.leader.all_of(OfferSlots)
        assert [at - play.began for at, _ in offers] == [pytest.approx(10 * n) for n in range(11)]
        assert {offer == play.offer((A1, 0)) for _, offer in offers} == {True}
        assert play.state(0) is SlotState.ALLOCATED


async def test_a_job_master_that_is_silent_is_told_and_registered_at_again(
    autojump_clock: trio.abc.Clock,
) -> None:
    """E28, E18, I10, K03: after 50 s; its slots are offered again to whoever leads by then."""
    async with game() as play:
        await play.ask(A1)
        await trio.sleep(60)
        told = DisconnectExecutorFromJob(
            leader_id=play.leader.leader_id,
            job_id=play.job,
            resource_id=TE1,
            cause="no heartbeat from the JobMaster",
        )
        lost_at = play.began + 50.0
        assert play.leader.all_of(DisconnectExecutorFromJob) == [(lost_at, told)]
        assert play.leader.times_of(RegisterExecutorAtJob) == [play.began, lost_at]
        assert play.leader.all_of(OfferSlots)[-1] == (lost_at, play.offer((A1, 0)))
        assert play.state(0) is SlotState.ALLOCATED


async def test_beats_keep_a_connection_for_ever(autojump_clock: trio.abc.Clock) -> None:
    """K02, K03, E28: a beat re-arms the whole timeout."""
    async with game() as play:
        await play.ask(A1)
        await settled()
        for _ in range(10):
            await trio.sleep(49)
            await play.beat(HeldSlot(A1, 0))
        assert len(play.leader.heard) == 2


async def test_a_job_master_that_drops_an_executor_is_registered_at_again(
    autojump_clock: trio.abc.Clock,
) -> None:
    """E18, H05, I10: its slots are kept and offered again."""
    async with game() as play:
        await play.ask(A1)
        await trio.sleep(5)
        await play.leader.call(DisconnectFromExecutor(job_master(play.job), "no heartbeat"))
        await trio.sleep(5)
        again = play.began + 5
        assert play.leader.times_of(RegisterExecutorAtJob) == [play.began, again]
        assert play.leader.all_of(OfferSlots)[1:] == [(again, play.offer((A1, 0)))]


async def test_a_beat_mends_what_one_side_does_not_know(autojump_clock: trio.abc.Clock) -> None:
    """E33, C39, H14: what only the executor knows is freed; of the rest the JobMaster is told."""
    async with game(slots=2) as play:
        await play.ask(A1)
        await play.ask(A2)
        await trio.sleep(1)
        unknown = AllocationId("b3" * 16)
        await play.beat(HeldSlot(A1, 0), HeldSlot(unknown, 1))
        await trio.sleep(1)
        assert (play.state(0), play.state(1)) == (SlotState.ALLOCATED, SlotState.FREE)
        ((_, failed),) = play.leader.all_of(FailSlot)
        assert (failed.allocation_id, failed.resource_id) == (unknown, TE1)


async def test_a_job_whose_leader_is_gone_waits_ten_seconds_for_the_next(
    autojump_clock: trio.abc.Clock,
) -> None:
    """E18, E19, I08: without one in time the slot is free again."""
    async with game() as play:
        await play.ask(A1)
        await trio.sleep(5)
        election = play.cluster.services.election
        component = job_master(play.job)
        async with election.campaign(component, "elsewhere:1") as other:
            election.revoke(component, "a drill")  # to the JobMaster of the daemon
            election.revoke(component, "a drill")  # to nobody who is served here
            await other.granted()
            await trio.sleep(9.9)
            assert play.state(0) is SlotState.ALLOCATED
            await trio.sleep(0.2)
            assert play.state(0) is SlotState.FREE


async def test_a_silent_job_master_is_forgotten_and_its_requests_with_it(
    autojump_clock: trio.abc.Clock,
) -> None:
    """G16, G20, K11: by the ResourceManager, after 50 s; its slot stays where it is."""
    async with game() as play:
        asked: list[Request[Any]] = []

        def silent(request: Request[Any]) -> object:
            asked.append(request)
            return SILENCE

        play.at_resource_manager.peer = Answering(silent)
        again = RegisterJobMaster(
            leader_id=leader_of(play.cluster),
            job_id=play.job,
            job_master_id=play.leader.leader_id,
            address="connection",
        )
        await play.at_resource_manager.call(again)
        registered = trio.current_time()
        await play.ask(A1)
        await play.ask(A2)
        requests = play.cluster.services.newsroom.state.requests
        await trio.sleep(49.9)
        assert list(requests) == [A2]
        await trio.sleep(0.2)
        assert list(requests) == []
        assert trio.current_time() - registered < 50.2
        assert play.state(0) is SlotState.ALLOCATED
        beats = [request for request in asked if isinstance(request, HeartbeatOfJobMaster)]
        assert len(beats) == len(asked) == 5, "one an interval, and none after it was dropped"
