"""A whole daemon without sockets: every role as in production, clients that call it directly."""

import itertools
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import attrs
import trio

from daemon.high_availability.embedded import EmbeddedElection
from daemon.payload.payload import PayloadSpecification
from daemon.roles.host import Host
from daemon.roles.mailbox import NearPeer
from daemon.roles.newsroom import Newsroom
from daemon.roles.peer_book import NobodyThere
from daemon.roles.services import Services
from daemon.roles.task_executor.task_executor import ExecutorSpecification
from daemon.settings import Settings
from daemon.wire.peers import Gateway, Peer
from protocol.errors import PeerGone
from protocol.ids import JobId, LeaderId, ResourceId, SlotId
from protocol.messages.calls import Notification, Request
from protocol.messages.client import OpenJob, TaskFinished, TaskOutput
from protocol.messages.task_executor import SubmitTask
from protocol.messages.values import Hardware
from protocol.news import Event
from protocol.resources import ResourceProfile

R = TypeVar("R")
N = TypeVar("N")

P = ResourceProfile(1.0, 512)
B = ResourceProfile(2.0, 1024)

ADDRESS = "127.0.0.1:6123"


class Client:
    """A connection as the daemon sees it, whose reader never falls behind."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.peer: Peer = NobodyThere()
        self.received: list[Notification] = []
        self._arrival = trio.Event()
        self._is_gone = False

    async def call(self, request: Request[R]) -> R:
        return await NearPeer(self._host.switchboard.submit, self).call(request)

    def try_notify(self, notification: Notification) -> bool:
        if self._is_gone:
            return False
        self.received.append(notification)
        self._arrival.set()
        self._arrival = trio.Event()
        return True

    async def notify(self, notification: Notification) -> None:
        await trio.lowlevel.checkpoint()
        if not self.try_notify(notification):
            raise PeerGone("the client hung up")

    def hang_up(self) -> None:
        self._is_gone = True
        self._host.switchboard.hung_up(self)

    async def until(self, kind: type[R]) -> R:
        """The next notification of this kind that was not taken yet."""
        while True:
            for position, notification in enumerate(self.received):
                if isinstance(notification, kind):
                    del self.received[position]
                    return notification
            await self._arrival.wait()

    async def output_until_end(self) -> tuple[str, TaskFinished]:
        """Everything that one task printed, and its end."""
        end = await self.until(TaskFinished)
        chunks = [n for n in self.received if isinstance(n, TaskOutput)]
        return "".join(chunk.data or "" for chunk in chunks), end

    def events(self) -> list[Event]:
        return [n for n in self.received if isinstance(n, Event)]


@attrs.define(eq=False)
class Cluster:
    """Everything that a test may look at."""

    host: Host
    services: Services
    nursery: trio.Nursery

    def client(self) -> Client:
        return Client(self.host)

    async def open_job(self, client: Client, name: str = "job") -> JobId:
        return (await client.call(OpenJob(name))).job_id

    async def executors_registered(self, slots: int) -> None:
        """Wait until this many slots are known."""
        while len(self.services.newsroom.state.slots) < slots:
            await self.services.newsroom.wait_for_news()

    def cores(self) -> list[Any]:
        """Every core that lives now; tests look, nothing else does."""
        host = self.host
        cores: list[Any] = [executor._table for executor in host.executors.values()]
        if host.switchboard.seat.manager is not None:
            cores.append(host.switchboard.seat.manager._manager)
        if host.switchboard.dispatcher is not None:
            runners = host.switchboard.dispatcher._runners.values()
            cores += [runner._master._pool for runner in runners if runner._master is not None]
        return cores

    def news_of(self, kind: type[N]) -> list[N]:
        """What was published of one kind, oldest first."""
        events = self.services.newsroom.history()
        return [event.news for event in events if isinstance(event.news, kind)]

    def news(self) -> Counter[str]:
        return self.services.newsroom.counters


def prepare(request: SubmitTask, slot: SlotId) -> PayloadSpecification:
    return PayloadSpecification(
        request.task_id,
        tuple(request.command),
        {"PATH": "/usr/bin:/bin", "SLOT_ID": slot, **request.env},
        request.cwd,
        (request.stdin or "").encode(),
        Path("/tmp"),
        None,
        None,
    )


def executor(name: str, *profiles: ResourceProfile, host: str = "host-1") -> ExecutorSpecification:
    return ExecutorSpecification(
        ResourceId(name), host, list(profiles), Hardware(8.0, 16384), prepare
    )


def no_dial(_: str, __: Gateway) -> AbstractAsyncContextManager[Peer]:
    raise AssertionError("nobody to dial in this test")


@asynccontextmanager
async def running(*executors: ExecutorSpecification, **settings: Any) -> AsyncIterator[Cluster]:
    """A daemon with these executors, registered and reported."""
    async with started(*executors, **settings) as cluster:
        await cluster.executors_registered(sum(len(e.profiles) for e in executors))
        yield cluster


@asynccontextmanager
async def started(*executors: ExecutorSpecification, **settings: Any) -> AsyncIterator[Cluster]:
    """A daemon whose roles have just begun."""
    serial = itertools.count(1)

    def new_id() -> str:
        return f"{next(serial):032x}"

    newsroom = Newsroom(trio.current_time)
    election = EmbeddedElection(lambda: LeaderId(new_id()))
    services = Services(
        Settings(state_dir=Path("/nonexistent"), **settings),
        election,
        newsroom,
        "token",
        ADDRESS,
        new_id=new_id,
    )
    host = Host(services, list(executors), no_dial)
    async with trio.open_nursery() as nursery:
        await nursery.start(host.run)
        yield Cluster(host, services, nursery)
        nursery.cancel_scope.cancel()
