"""Leaders that a test plays, on the mailboxes that the daemon's own roles call."""

import math
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import trio

from daemon.roles.mailbox import Envelope, Mailbox
from daemon.wire.peers import Caller
from protocol.errors import NotLeader, SlotdError
from protocol.ids import RESOURCE_MANAGER, Component, Fence, InstanceId, JobId, LeaderId, job_master
from protocol.messages.calls import EMPTY, Request
from protocol.messages.job_master import (
    ExecutorRegisteredAtJob,
    OfferSlots,
    RegisterExecutorAtJob,
    SlotsAccepted,
)
from protocol.messages.resource_manager import (
    JobMasterRegistered,
    RegisterJobMaster,
    RegisterTaskExecutor,
    ReportSlots,
    RequestSlot,
    SlotReportTaken,
    SlotRequestRegistered,
    TaskExecutorRegistered,
)
from tests.roles.cluster import ADDRESS, Cluster
from tests.roles.scripted import SILENCE, settled

Q = TypeVar("Q", bound=Request[Any])


class ScriptedLeader:
    """A role that does what its test says; ``heard`` is what it was asked, in order, and when."""

    next_deadline = math.inf

    def __init__(self, fence: Fence) -> None:
        self.leader_id: LeaderId = fence.leader_id
        self.heard: list[tuple[float, Request[Any]]] = []
        self.callers: list[Caller] = []
        self.answers: dict[type[Request[Any]], Any] = {}

    def handle(self, envelope: Envelope, now: float) -> None:
        request = envelope.request
        self.heard.append((now, request))
        self.callers.append(envelope.caller)
        answer = self.answers[type(request)] if type(request) in self.answers else _usual(request)
        if isinstance(answer, SlotdError):
            raise answer
        if answer is not SILENCE:
            envelope.reply.succeed(answer)

    def withdraw(self, envelope: Envelope, now: float) -> None:
        pass

    def expire(self, now: float) -> None:
        pass

    def all_of(self, kind: type[Q]) -> list[tuple[float, Q]]:
        """The requests of one kind, and when they came."""
        return [(at, request) for at, request in self.heard if isinstance(request, kind)]

    def times_of(self, kind: type[Request[Any]]) -> list[float]:
        return [at for at, _ in self.all_of(kind)]

    async def call(self, request: Request[Any]) -> Any:
        """Call back who called last."""
        return await self.callers[-1].peer.call(request)


def _usual(request: Request[Any]) -> Any:
    match request:
        case RegisterTaskExecutor():
            return TaskExecutorRegistered(InstanceId("e" * 32), 10.0, 50.0)
        case ReportSlots():
            return SlotReportTaken(True)
        case RegisterJobMaster():
            return JobMasterRegistered(10.0, 50.0)
        case RequestSlot():
            return SlotRequestRegistered(True)
        case RegisterExecutorAtJob():
            return ExecutorRegisteredAtJob(10.0, 50.0)
        case OfferSlots():
            return SlotsAccepted([slot.allocation_id for slot in request.slots])
        case _:
            return EMPTY


@asynccontextmanager
async def _leading(
    cluster: Cluster,
    component: Component,
    sit: Callable[[Mailbox | None, Fence | None], None],
    answers: Mapping[type[Request[Any]], Any],
) -> AsyncGenerator[ScriptedLeader, None]:
    election = cluster.services.election
    async with election.campaign(component, ADDRESS) as candidacy, trio.open_nursery() as nursery:
        election.revoke(component, "a test plays the leader")
        fence = await candidacy.granted()
        await settled()
        leader, mailbox = ScriptedLeader(fence), Mailbox(fence)
        leader.answers = dict(answers)
        sit(mailbox, fence)
        nursery.start_soon(mailbox.serve, leader)
        candidacy.confirm(fence)
        try:
            yield leader
        finally:
            sit(None, None)
            mailbox.close(NotLeader("the test is over"))
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def resource_manager(
    cluster: Cluster, answers: Mapping[type[Request[Any]], Any] | None = None
) -> AsyncGenerator[ScriptedLeader, None]:
    """In a daemon that has none of its own."""

    def sit(mailbox: Mailbox | None, _: Fence | None) -> None:
        cluster.host.switchboard.seat.mailbox = mailbox

    async with _leading(cluster, RESOURCE_MANAGER, sit, answers or {}) as leader:
        yield leader


@asynccontextmanager
async def job_leader_of(
    cluster: Cluster, job_id: JobId, answers: Mapping[type[Request[Any]], Any] | None = None
) -> AsyncGenerator[ScriptedLeader, None]:
    """In place of the JobMaster of an open job, whose term is revoked."""
    dispatcher = cluster.host.switchboard.dispatcher
    assert dispatcher is not None
    job = dispatcher.job(job_id)

    def sit(mailbox: Mailbox | None, fence: Fence | None) -> None:
        job.mailbox, job.fence = mailbox, fence

    async with _leading(cluster, job_master(job_id), sit, answers or {}) as leader:
        yield leader
