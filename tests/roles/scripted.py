"""Roles that a test plays: an executor at the end of a connection, and what must not change."""

from collections.abc import Callable
from typing import Any, TypeVar

import attrs
import pytest
import trio.testing

from daemon.roles.host import Host
from daemon.roles.mailbox import NearPeer
from daemon.wire.peers import Peer, PendingCall
from protocol.errors import SlotdError
from protocol.ids import (
    RESOURCE_MANAGER,
    AllocationId,
    Component,
    InstanceId,
    JobId,
    LeaderId,
    RequestId,
    ResourceId,
    job_master,
    slot_id,
)
from protocol.messages.calls import EMPTY, Notification, Request
from protocol.messages.client import AllocateSlot
from protocol.messages.job_master import (
    ExecutorRegisteredAtJob,
    OfferSlots,
    RegisterExecutorAtJob,
    SlotsAccepted,
)
from protocol.messages.resource_manager import (
    RegisterTaskExecutor,
    ReportSlots,
    SlotReportTaken,
    TaskExecutorRegistered,
)
from protocol.messages.task_executor import (
    FreeSlot,
    HeartbeatOfExecutor,
    RequestSlotOfExecutor,
    SlotReport,
)
from protocol.messages.values import GrantedSlot, Hardware, SlotOffer, SlotStatus
from protocol.resources import ResourceProfile
from protocol.snapshot import Snapshot
from tests.roles.cluster import Client, Cluster, P

R = TypeVar("R")

LICENCE = ResourceProfile(0.0, 0, {"licence": 1.0})
R1, R2 = RequestId("a1" * 16), RequestId("a2" * 16)
TE1 = ResourceId("te-1")
NOBODY = "f" * 32
"""An id that nothing has."""


SILENCE = object()
"""As an answer: there is none."""


class Answering(Peer):
    """Whoever is at the other end answers at once, as ``answer`` says, or not at all.

    A PendingCall as an answer is answered by the test, later.
    """

    def __init__(self, answer: Callable[[Request[Any]], Any]) -> None:
        self._answer = answer
        self.hung_up = trio.Event()

    def start(self, request: Request[R]) -> PendingCall[R]:
        call: PendingCall[R] = PendingCall()
        try:
            answer = self._answer(request)
            if isinstance(answer, PendingCall):
                return answer
            if answer is not SILENCE:
                call.succeed(answer)
        except SlotdError as refusal:
            call.fail(refusal)
        return call

    async def notify(self, notification: Notification) -> None:
        await trio.lowlevel.checkpoint()

    async def gone(self) -> None:
        await self.hung_up.wait()


class ScriptedExecutor(Client):
    """An executor that does what its test says; ``asked`` is what it was called for, in order."""

    def __init__(self, host: Host, resource_id: str, slots: int = 1) -> None:
        super().__init__(host)
        self.resource_id = ResourceId(resource_id)
        self.held: list[tuple[AllocationId, JobId] | None] = [None] * slots
        self.asked: list[Request[Any]] = []
        self.answers: dict[type[Request[Any]], Any] = {}
        self.instance_id = InstanceId("")
        self.peer = Answering(self._answer)

    def _answer(self, request: Request[Any]) -> Any:
        self.asked.append(request)
        planned = self.answers.get(type(request))
        if isinstance(planned, SlotdError):
            raise planned
        match request:
            case _ if planned is not None:
                return planned
            case HeartbeatOfExecutor():
                return SlotReport(self.report())
            case RequestSlotOfExecutor():
                number = int(request.slot_id.rpartition("_")[2])
                self.held[number] = (request.allocation_id, request.job_id)
            case FreeSlot():
                self.held = [h if h and h[0] != request.allocation_id else None for h in self.held]
            case _:
                pass
        return EMPTY

    def report(self) -> list[SlotStatus]:
        return [
            SlotStatus(slot_id(self.resource_id, number), LICENCE, *(held or (None, None)))
            for number, held in enumerate(self.held)
        ]

    async def register(self, leader_id: LeaderId) -> TaskExecutorRegistered:
        registered = await self.call(
            RegisterTaskExecutor(
                leader_id=leader_id,
                resource_id=self.resource_id,
                host="host-2",
                address="connection",
                hardware=Hardware(0.0, 0, {"licence": 1.0}),
            )
        )
        self.instance_id = registered.instance_id
        return registered

    async def report_slots(self, leader_id: LeaderId) -> SlotReportTaken:
        return await self.call(
            ReportSlots(
                leader_id=leader_id, instance_id=self.instance_id, slot_report=self.report()
            )
        )

    async def register_at(self, job_id: JobId, leader_id: LeaderId) -> ExecutorRegisteredAtJob:
        return await self.call(
            RegisterExecutorAtJob(
                leader_id=leader_id, job_id=job_id, resource_id=self.resource_id, host="host-2"
            )
        )

    async def offer(
        self, job_id: JobId, leader_id: LeaderId, allocation_id: AllocationId, number: int = 0
    ) -> SlotsAccepted:
        return await self.call(
            OfferSlots(
                leader_id=leader_id,
                job_id=job_id,
                resource_id=self.resource_id,
                slots=[SlotOffer(allocation_id, number, LICENCE)],
            )
        )


def leader_of(cluster: Cluster, component: Component = RESOURCE_MANAGER) -> LeaderId:
    return cluster.services.newsroom.state.leaders[component].leader_id


def job_leader(cluster: Cluster, job_id: JobId) -> LeaderId:
    return leader_of(cluster, job_master(job_id))


async def registered(cluster: Cluster, name: str = "licences", slots: int = 1) -> ScriptedExecutor:
    """A scripted executor that is registered and has reported."""
    while RESOURCE_MANAGER not in cluster.services.newsroom.state.leaders:
        await cluster.services.newsroom.wait_for_news()
    worker = ScriptedExecutor(cluster.host, name, slots)
    await worker.register(leader_of(cluster))
    assert (await worker.report_slots(leader_of(cluster))).known
    return worker


async def settled() -> None:
    """Wait until every role has done what it has to do now."""
    await trio.testing.wait_all_tasks_blocked()


async def granted(
    cluster: Cluster, profile: ResourceProfile = P
) -> tuple[Client, JobId, GrantedSlot]:
    """A client with one job that holds one slot."""
    client = cluster.client()
    job = await cluster.open_job(client)
    slot = await client.call(AllocateSlot(job, R1, profile))
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


def picture(cluster: Cluster) -> tuple[Snapshot, dict[ResourceId, list[SlotStatus]]]:
    """All that a refused call must leave as it is, the number of the newest event included."""
    snapshot = cluster.services.newsroom.state.snapshot(0.0)
    executors = [attrs.evolve(view, last_heartbeat=0.0) for view in snapshot.executors]
    reports = {name: executor.report() for name, executor in cluster.host.executors.items()}
    return attrs.evolve(snapshot, executors=executors), reports


async def refusal_of(
    cluster: Cluster,
    caller: Client,
    request: Request[Any],
    error: type[SlotdError],
    *,
    executor: str | None = None,
) -> SlotdError:
    """The error of a call that is refused and changes nothing.

    ``executor``: a hosted one that is called itself; else the call goes where its method belongs.
    """
    submit = cluster.host.switchboard.submit
    if executor is not None:
        submit = cluster.host.executors[ResourceId(executor)].mailbox.submit
    await settled()
    before = picture(cluster)
    with pytest.raises(error) as refusal:
        await NearPeer(submit, caller).call(request)
    await settled()
    assert picture(cluster) == before
    assert type(refusal.value) is error
    return refusal.value
