"""The client for scripts, against a real listener."""

import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from daemon.wire.access import Access, write_access
from daemon.wire.door import Door
from daemon.wire.listener import Listener, address_of, open_listeners
from daemon.wire.peers import Caller, Reply
from protocol import client as clients
from protocol.client import Client, connect, open_client
from protocol.errors import (
    MethodNotFound,
    NoResourceAvailable,
    Overloaded,
    PeerGone,
    RequestCancelled,
    SlotdError,
    SlotOccupied,
    Unauthenticated,
)
from protocol.ids import (
    RESOURCE_MANAGER,
    AllocationId,
    JobId,
    LeaderId,
    RequestId,
    ResourceId,
    TaskId,
)
from protocol.messages.calls import EMPTY, Request
from protocol.messages.client import ReleaseSlot, SlotReleased, TaskOutput
from protocol.messages.job_master import TaskFinishedAtExecutor
from protocol.messages.session import Ping
from protocol.messages.task_executor import FreeSlot, HeartbeatOfExecutor, SlotReport
from tests.wire.ends import TOKEN, WELCOME, NotingGateway, not_for_ever

JOB = JobId("a" * 32)
RELEASE = ReleaseSlot(JOB, RequestId("b" * 32))
FREE = FreeSlot(AllocationId("c" * 32), "unused")
BEAT = HeartbeatOfExecutor(sender=RESOURCE_MANAGER)


class Daemon:
    """The wire of a daemon, and nothing behind it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.gateway = NotingGateway()
        self.listener = Listener(Door(TOKEN, WELCOME), self.gateway)

    @property
    def caller(self) -> Any:
        """The only connection."""
        (session,) = self.listener.sessions
        return session

    async def asked(self, count: int) -> None:
        """Wait until so many requests came."""
        while len(self.gateway.asked) < count:
            await trio.lowlevel.checkpoint()


@asynccontextmanager
async def open_daemon() -> AsyncGenerator[Daemon, None]:
    sockets = await open_listeners("127.0.0.1", 0)
    daemon = Daemon(address_of(sockets[0]))
    with not_for_ever():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(daemon.listener.serve, sockets, nursery)
            yield daemon
            nursery.cancel_scope.cancel()


def output(number: int) -> TaskOutput:
    return TaskOutput(task_id=TaskId("t"), stream="stdout", offset=number, data="x")


async def test_a_call_is_answered_with_its_answer_or_raises_the_refusal() -> None:
    def work(request: Request[Any], reply: Reply, caller: Caller) -> None:
        if request == RELEASE:
            reply.succeed(SlotReleased(True))
        else:
            reply.fail(NoResourceAvailable("nothing fits", nearest="te-1_0"))

    async with open_daemon() as daemon, open_client(daemon.address, TOKEN) as client:
        daemon.gateway.job = work
        assert client.welcome == WELCOME
        assert await client.call(RELEASE) == SlotReleased(True)
        assert await client.call(Ping()) == EMPTY
        with pytest.raises(NoResourceAvailable) as caught:
            await client.call(FREE)
        assert caught.value.data["nearest"] == "te-1_0"


async def test_the_access_file_is_found_by_the_state_dir_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_daemon() as daemon:
        write_access(tmp_path, Access(daemon.address, TOKEN))
        async with connect(tmp_path) as client:
            assert client.welcome == WELCOME
        monkeypatch.setenv("SLOTD_STATE_DIR", str(tmp_path))
        async with connect(client="me/1"):
            assert daemon.caller.name.endswith(" me/1")


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "does not exist"), ("{", "is not an access file"), ("{}", "is not an access file"),
     ('{"address":"127.0.0.1:1","token":"t"}', "no slotd answers at 127.0.0.1:1")],
)  # fmt: skip
async def test_without_a_daemon_the_error_says_where_it_was_looked_for(
    tmp_path: Path, content: str | None, says: str
) -> None:
    if content is not None:
        (tmp_path / "access.json").write_text(content)
    with pytest.raises(PeerGone, match=says):
        async with connect(tmp_path):
            pytest.fail("we are in")


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:http", ""])
async def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(PeerGone, match="no slotd answers at"):
        async with open_client(address, TOKEN):
            pytest.fail("we are in")


async def test_a_wrong_token_is_refused() -> None:
    async with open_daemon() as daemon:
        with pytest.raises(Unauthenticated) as caught:
            async with open_client(daemon.address, "wr0ng"):
                pytest.fail("we are in")
        assert "wr0ng" not in str(caught.value)


async def test_calls_may_wait_side_by_side_and_one_that_is_cancelled_is_withdrawn() -> None:
    async with open_daemon() as daemon, open_client(daemon.address, TOKEN) as client:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.call, RELEASE)
            await daemon.asked(1)
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as inner:
                    inner.start_soon(client.call, FREE)
                    await daemon.asked(2)
                    scope.cancel()
            while ("withdrawn", 1) not in daemon.gateway.story:
                await trio.lowlevel.checkpoint()
            daemon.gateway.asked[0][1].succeed(SlotReleased(True))
        assert ("withdrawn", 0) not in daemon.gateway.story


async def test_every_call_ends_with_peer_gone_when_the_daemon_dies() -> None:
    outcomes: list[str] = []

    async def call(client: Client) -> None:
        with contextlib.suppress(PeerGone):
            await client.call(RELEASE)
            return
        outcomes.append("gone")

    async with open_daemon() as daemon, open_client(daemon.address, TOKEN) as client:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(call, client)
            await daemon.asked(3)
            daemon.caller.close()
        assert outcomes == ["gone"] * 3
        with pytest.raises(PeerGone):
            await client.call(Ping())
        assert [told async for told in client] == []


async def test_notifications_come_in_order_and_end_with_the_connection() -> None:
    async with open_daemon() as daemon, open_client(daemon.address, TOKEN) as client:
        for number in range(100):
            await daemon.caller.notify(output(number))
        daemon.listener.say_goodbye(RequestCancelled("the daemon shuts down"))
        told = [told async for told in client]
        assert told == [output(number) for number in range(100)]


async def test_notifications_that_nobody_reads_are_dropped_aloud(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clients, "MAX_NOTIFICATIONS", 10)
    async with open_daemon() as daemon, open_client(daemon.address, TOKEN) as client:
        for number in range(15):
            await daemon.caller.notify(output(number))
        assert await client.call(Ping()) == EMPTY
        with pytest.raises(Overloaded, match="5 notifications"):
            await anext(client)
        assert await anext(client) == output(5)


async def test_a_script_serves_what_the_daemon_asks() -> None:
    async def serve(request: Request[Any]) -> Any:
        if isinstance(request, HeartbeatOfExecutor):
            return SlotReport([])
        raise SlotOccupied("taken", allocation_id="c" * 32)

    async with open_daemon() as daemon, open_client(daemon.address, TOKEN, serve=serve):
        assert await daemon.caller.call(BEAT) == SlotReport([])
        with pytest.raises(SlotOccupied, match="taken"):
            await daemon.caller.call(FREE)
        assert await daemon.caller.call(Ping()) == EMPTY


async def test_requests_of_the_daemon_are_begun_in_order() -> None:
    begun: list[str] = []

    async def serve(request: Request[Any]) -> Any:
        assert isinstance(request, FreeSlot)
        begun.append(request.cause)
        await trio.lowlevel.checkpoint()
        return EMPTY

    async with open_daemon() as daemon, open_client(daemon.address, TOKEN, serve=serve):
        calls = [daemon.caller.start(FreeSlot(FREE.allocation_id, str(n))) for n in range(30)]
        for call in calls:
            await call.answer()
        assert begun == [str(number) for number in range(30)]


async def test_a_request_that_the_daemon_withdraws_is_cancelled() -> None:
    ended = trio.Event()

    async def serve(request: Request[Any]) -> Any:
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    async with open_daemon() as daemon, open_client(daemon.address, TOKEN, serve=serve):
        call = daemon.caller.start(BEAT)
        assert await daemon.caller.call(Ping()) == EMPTY
        call.abandon()
        await ended.wait()
        assert await daemon.caller.call(Ping()) == EMPTY


async def test_a_client_that_serves_nothing_says_so() -> None:
    async with open_daemon() as daemon, open_client(daemon.address, TOKEN):
        with pytest.raises(MethodNotFound, match="served by a TaskExecutor, not by this client"):
            await daemon.caller.call(BEAT)


async def test_a_bug_of_the_script_ends_its_client_with_that_bug() -> None:
    class Bug(Exception):
        pass

    async def serve(request: Request[Any]) -> Any:
        raise Bug

    async def meet_it(daemon: Daemon) -> None:
        async with open_client(daemon.address, TOKEN, serve=serve) as client:
            daemon.caller.start(BEAT)
            await client.call(RELEASE)

    async with open_daemon() as daemon:
        with pytest.raises(Bug):
            await meet_it(daemon)


async def test_a_script_tells_the_daemon() -> None:
    finished = TaskFinishedAtExecutor(
        job_id=JOB,
        leader_id=LeaderId("1" * 32),
        resource_id=ResourceId("te-1"),
        task_id=TaskId("t"),
        exit_code=3,
    )
    async with open_daemon() as daemon, open_client(daemon.address, TOKEN) as client:
        await client.notify(finished)
        await client.call(Ping())
        assert daemon.gateway.story == [finished]


async def test_what_does_not_speak_like_a_slotd_is_gone() -> None:
    async def babble(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.send_all(b"220 mail.example ESMTP\r\n")
            await stream.receive_some(1)

    async with trio.open_nursery() as nursery:
        (listener,) = await open_listeners("127.0.0.1", 0)
        nursery.start_soon(trio.serve_listeners, babble, [listener])
        with pytest.raises(PeerGone, match="does not speak like a slotd"):
            async with open_client(address_of(listener), TOKEN):
                pytest.fail("we are in")
        nursery.cancel_scope.cancel()


def test_every_refusal_is_one_kind_of_exception() -> None:
    assert issubclass(PeerGone, SlotdError)
