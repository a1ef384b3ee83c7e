"""How an executor finds a JobMaster at an address: dialled, asked, dialled again, hung up."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from daemon.high_availability.elections import LeaderInformation
from daemon.roles.mailbox import Mailbox
from daemon.roles.newsroom import Newsroom
from daemon.roles.peer_book import NearCaller, PeerBook
from daemon.roles.services import Services
from daemon.roles.task_executor.executor_gateway import ExecutorGateway
from daemon.roles.task_executor.job_finder import JobFinder
from daemon.settings import Settings
from daemon.wire.limits import WireCounters, WireLimits
from daemon.wire.peers import Gateway, Peer
from daemon.wire.sessions import Session
from daemon.wire.wire_peer import speak
from protocol.errors import NotLeader, PeerGone
from protocol.ids import AllocationId, JobId, LeaderId
from protocol.messages.calls import Request
from protocol.messages.job_master import FindJobMaster, JobMasterLeader
from protocol.messages.session import Hello
from protocol.messages.task_executor import FreeSlot
from tests.roles.embedded_elections import new_election
from tests.roles.scripted import Answering
from tests.wire.ends import TOKEN, NotingGateway, open_wire

JOB = JobId("a" * 32)
WHERE = "127.0.0.1:4001"
LEADER = JobMasterLeader(LeaderId("b" * 32), WHERE)


@attrs.define(eq=False)
class Network:
    """Who is dialled and when; ``answer`` is what the other end does.

    The first ``silent`` connections are never answered.
    """

    answer: Callable[[Request[Any]], Any]
    dialled: list[float] = attrs.field(factory=list[float])
    heard: list[LeaderId | None] = attrs.field(factory=list[LeaderId | None])
    peers: list[Answering] = attrs.field(factory=list[Answering])
    silent: int = 0
    open: int = 0
    over: trio.Event = attrs.field(factory=trio.Event)

    @asynccontextmanager
    async def dial(self, address: str, _: Gateway) -> AsyncGenerator[Peer, None]:
        assert address == WHERE
        self.dialled.append(trio.current_time())
        if len(self.dialled) <= self.silent:
            await trio.sleep_forever()
        await trio.lowlevel.checkpoint()
        peer = Answering(self.answer)
        self.peers.append(peer)
        self.open += 1
        yield peer
        self.open -= 1

    def announce(self, _: Peer | None, leader: LeaderInformation | None) -> None:
        self.heard.append(None if leader is None else leader.fence.leader_id)

    async def find(self) -> None:
        caller = NearCaller("te-1")
        services = Services(
            Settings(Path("/nonexistent")), new_election(), Newsroom(trio.current_time), "token"
        )
        mailbox = Mailbox()
        book = PeerBook(services, mailbox.submit, _unheard, lambda _: None)
        finder = JobFinder(services, book, caller, self.dial, ExecutorGateway(mailbox))
        await finder.find(JOB, WHERE, self.announce, self.over)


async def _unheard(_: object) -> None:
    raise AssertionError("nothing is notified here")


async def test_a_leader_is_announced_until_its_connection_breaks(
    autojump_clock: trio.abc.Clock,
) -> None:
    """E08, E18: what worked is dialled again soon, before the slot's timer runs out."""
    network = Network(lambda request: LEADER)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(network.find)
        await trio.sleep(3600)
        assert network.heard == [LEADER.leader_id]
        network.peers[0].hung_up.set()
        await trio.sleep(1)
        assert network.heard == [LEADER.leader_id, None, LEADER.leader_id]
        assert network.dialled == [0.0, pytest.approx(3600.1)]
        network.over.set()
    assert network.open == 0


@pytest.mark.parametrize("error", [PeerGone, NotLeader])
async def test_who_is_not_there_is_tried_again_after_a_pause(
    error: type[PeerGone | NotLeader], autojump_clock: trio.abc.Clock
) -> None:
    """J05: the pause after an error; nobody is announced meanwhile."""

    def refuse(_: Request[Any]) -> Any:
        raise error("not here")

    network = Network(refuse)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(network.find)
        await trio.sleep(25)
        assert network.dialled == [0.0, pytest.approx(10), pytest.approx(20)]
        network.over.set()
    assert set(network.heard) == {None}


async def test_who_takes_the_connection_and_says_nothing_is_given_up(
    autojump_clock: trio.abc.Clock,
) -> None:
    """One call, one timeout; a hello that is never answered would hold the slot otherwise."""
    network = Network(lambda request: LEADER, silent=1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(network.find)
        await trio.sleep(11)
        assert network.dialled == [0.0, pytest.approx(10)]
        assert network.heard[-1] == LEADER.leader_id
        network.over.set()


async def test_a_search_ends_at_once_during_a_pause(autojump_clock: trio.abc.Clock) -> None:
    """E20: the job has no slot here any more; nobody is dialled again."""

    def refuse(_: Request[Any]) -> Any:
        raise PeerGone("not here")

    network = Network(refuse)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(network.find)
        await trio.sleep(1)
        network.over.set()
    assert trio.current_time() == pytest.approx(1)
    assert network.dialled == [0.0]


async def test_what_was_said_before_hanging_up_arrives() -> None:
    """An answer that was given is not lost with the connection that its giver closes."""
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
            session.start(FindJobMaster(JOB))
            last = session.start(FreeSlot(AllocationId("c" * 32), "over"))
        with pytest.raises(PeerGone):
            last.result()
        await trio.testing.wait_all_tasks_blocked()
        asked = [request for request, _ in wire.gateway.asked]
        assert asked == [FindJobMaster(JOB), FreeSlot(AllocationId("c" * 32), "over")]
