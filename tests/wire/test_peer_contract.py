"""What every Peer does, near or far. A new kind of peer is added to ``PEERS`` alone."""

import math
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from daemon.roles.mailbox import Envelope, Mailbox, NearPeer
from daemon.wire.limits import WireCounters, WireLimits
from daemon.wire.peers import Caller, Peer, Reply, Withdraw
from daemon.wire.sessions import Session
from daemon.wire.wire_peer import speak
from protocol.errors import NoResourceAvailable, PeerGone, SlotOccupied
from protocol.ids import AllocationId, JobId, RequestId, ResourceId, SlotId, TaskId
from protocol.messages.calls import EMPTY, Notification, Request
from protocol.messages.client import AllocateSlot, ReleaseSlot, SlotReleased, TaskOutput
from protocol.messages.session import Hello
from protocol.messages.task_executor import FreeSlot
from protocol.messages.values import GrantedSlot, Locality
from protocol.resources import ResourceProfile
from tests.wire.ends import TOKEN, NotingGateway, not_for_ever, open_wire

JOB = JobId("a" * 32)
ALLOCATION = AllocationId("c" * 32)
RELEASE = ReleaseSlot(JOB, RequestId("b" * 32))
FREE = FreeSlot(ALLOCATION, "no longer needed")
GRANTED = GrantedSlot(
    RequestId("b" * 32),
    ALLOCATION,
    SlotId("te-1_0"),
    ResourceId("te-1"),
    "h",
    0,
    ResourceProfile(1.0, 512, {"gpu": 1.0}),
    Locality.HOST_LOCAL,
)


@attrs.frozen
class Callee:
    """Who is called: what it was asked, how it answers, and how it dies."""

    peer: Peer
    gateway: NotingGateway
    die: Callable[[], None]


@asynccontextmanager
async def far() -> AsyncGenerator[Callee, None]:
    """Across a wire: the callee listens, we dialled."""
    async with open_wire() as wire:
        client = wire.connect()
        session = Session(
            NotingGateway(),
            door=None,
            limits=WireLimits(),
            counters=WireCounters(),
            where="there",
        )
        async with speak(session, client.stream, Hello(1, "t/1", TOKEN)):
            yield Callee(session, wire.gateway, wire.session.close)


@asynccontextmanager
async def called_back() -> AsyncGenerator[Callee, None]:
    """Across a wire: the callee dialled, we listen and call it back."""
    async with open_wire() as wire:
        gateway = NotingGateway()
        client = wire.connect()
        dialled = Session(
            gateway, door=None, limits=WireLimits(), counters=WireCounters(), where="here"
        )
        async with speak(dialled, client.stream, Hello(1, "t/1", TOKEN)):
            yield Callee(wire.session, gateway, dialled.close)


@attrs.define(eq=False)
class PassingRole:
    """A role that passes what its mailbox has on to a gateway, and fails it when it dies."""

    gateway: NotingGateway
    mailbox: Mailbox
    handled: dict[Envelope, Withdraw] = attrs.field(factory=dict[Envelope, Withdraw])
    next_deadline: float = math.inf

    def handle(self, envelope: Envelope, now: float) -> None:
        submit = self.gateway.submit
        self.handled[envelope] = submit(envelope.request, envelope.reply, envelope.caller)

    def withdraw(self, envelope: Envelope, now: float) -> None:
        self.handled[envelope]()

    def expire(self, now: float) -> None:
        pass

    async def deliver(self, notification: Notification) -> None:
        self.gateway.notice(notification, nobody)

    def die(self) -> None:
        gone = PeerGone("the role is gone")
        self.mailbox.close(gone)
        for envelope in self.handled:
            envelope.reply.fail(gone)


nobody: Any = None


@asynccontextmanager
async def near() -> AsyncGenerator[Callee, None]:
    """In this process: through the mailbox of a role."""
    role = PassingRole(NotingGateway(), Mailbox())
    peer = NearPeer(role.mailbox.submit, nobody, role.deliver)
    with not_for_ever():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(role.mailbox.serve, role)
            yield Callee(peer, role.gateway, role.die)
            nursery.cancel_scope.cancel()


PEERS: list[Callable[[], AbstractAsyncContextManager[Callee]]] = [far, called_back, near]
"""The factories: each opens a Callee around a NotingGateway."""

for_every_peer = pytest.mark.parametrize("open_callee", PEERS)
Open = Callable[[], AbstractAsyncContextManager[Callee]]


def answering(answer: object) -> Callable[[Request[Any], Reply, Caller], None]:
    return lambda request, reply, caller: reply.succeed(answer)


@for_every_peer
@pytest.mark.parametrize(
    ("request_", "answer"),
    [(RELEASE, SlotReleased(True)), (FREE, EMPTY), (AllocateSlot(JOB, task="map"), GRANTED)],
)
async def test_the_callee_gets_the_request_and_the_caller_the_answer(
    open_callee: Open, request_: Request[Any], answer: object
) -> None:
    async with open_callee() as callee:
        callee.gateway.job = answering(answer)
        assert await callee.peer.call(request_) == answer
        assert callee.gateway.story == [request_]


@for_every_peer
async def test_a_refusal_is_raised_as_its_class_with_its_message_and_data(
    open_callee: Open,
) -> None:
    """X302: an answer is of its declared type or an error, never a third thing."""

    def refuse(request: Request[Any], reply: Reply, caller: Caller) -> None:
        reply.fail(SlotOccupied("taken", allocation_id=ALLOCATION))

    async with open_callee() as callee:
        callee.gateway.job = refuse
        with pytest.raises(SlotOccupied) as caught:
            await callee.peer.call(FREE)
        assert caught.value.message == "taken"
        assert caught.value.data == {"type": "SlotOccupied", "allocation_id": ALLOCATION}


@for_every_peer
async def test_a_refusal_may_be_raised_instead_of_answered(open_callee: Open) -> None:
    def refuse(request: Request[Any], reply: Reply, caller: Caller) -> None:
        raise NoResourceAvailable("nothing fits")

    async with open_callee() as callee:
        callee.gateway.job = refuse
        with pytest.raises(NoResourceAvailable, match="nothing fits"):
            await callee.peer.call(FREE)


@for_every_peer
async def test_calls_that_are_started_in_order_arrive_in_order(open_callee: Open) -> None:
    async with open_callee() as callee:
        callee.gateway.job = answering(EMPTY)
        frees = [FreeSlot(ALLOCATION, str(number)) for number in range(20)]
        calls = [callee.peer.start(free) for free in frees]
        for call in calls:
            assert await call.answer() == EMPTY
        assert callee.gateway.story == frees


@for_every_peer
async def test_answers_find_their_calls_in_any_order(open_callee: Open) -> None:
    async with open_callee() as callee:
        first, second = callee.peer.start(RELEASE), callee.peer.start(RELEASE)
        await trio.testing.wait_all_tasks_blocked()
        (_, reply_to_first), (_, reply_to_second) = callee.gateway.asked
        reply_to_second.succeed(SlotReleased(True))
        assert await second.answer() == SlotReleased(True)
        reply_to_first.succeed(SlotReleased(False))
        assert await first.answer() == SlotReleased(False)


@for_every_peer
async def test_the_death_of_the_callee_reaches_every_caller_once(open_callee: Open) -> None:
    async with open_callee() as callee:
        outcomes: list[str] = []

        async def call() -> None:
            try:
                await callee.peer.call(RELEASE)
            except PeerGone:
                outcomes.append("gone")

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(call)
            await trio.testing.wait_all_tasks_blocked()
            assert len(callee.gateway.asked) == 5
            callee.die()
        assert outcomes == ["gone"] * 5
        for _, reply in callee.gateway.asked:
            reply.succeed(SlotReleased(True))
        await trio.testing.wait_all_tasks_blocked()
        assert outcomes == ["gone"] * 5


@for_every_peer
async def test_a_dead_callee_is_gone_for_later_calls(open_callee: Open) -> None:
    async with open_callee() as callee:
        callee.die()
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(PeerGone):
            await callee.peer.call(RELEASE)


@for_every_peer
async def test_a_call_that_is_cancelled_is_withdrawn_and_its_late_answer_dropped(
    open_callee: Open,
) -> None:
    async with open_callee() as callee:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(callee.peer.call, RELEASE)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        assert callee.gateway.story == [RELEASE, ("withdrawn", 0)]
        callee.gateway.asked[0][1].succeed(SlotReleased(True))
        callee.gateway.job = answering(EMPTY)
        assert await callee.peer.call(FREE) == EMPTY


@for_every_peer
async def test_a_call_that_was_answered_is_not_withdrawn(open_callee: Open) -> None:
    async with open_callee() as callee:
        callee.gateway.job = answering(EMPTY)
        call = callee.peer.start(FREE)
        assert await call.answer() == EMPTY
        call.abandon()
        await trio.testing.wait_all_tasks_blocked()
        assert callee.gateway.story == [FREE]


@for_every_peer
async def test_a_notification_arrives_between_the_calls_around_it(open_callee: Open) -> None:
    output = TaskOutput(task_id=TaskId("t"), stream="stdout", offset=0, data="hello\n")
    async with open_callee() as callee:
        callee.gateway.job = answering(EMPTY)
        await callee.peer.call(FREE)
        await callee.peer.notify(output)
        await callee.peer.call(FREE)
        assert callee.gateway.story == [FREE, output, FREE]
