"""Real sockets on 127.0.0.1: what memory streams cannot show."""

import errno
import gc
import logging
import os
import socket
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import attrs
import orjson
import pytest
import trio
import trio.lowlevel
import trio.testing

from daemon.wire.door import Door
from daemon.wire.limits import WireLimits
from daemon.wire.listener import Listener, address_of, open_listeners, watch_for_silence
from daemon.wire.sessions import Session
from daemon.wire.wire_peer import dial
from protocol.errors import LineTooLong, PeerGone, RequestCancelled, Unauthenticated
from protocol.messages.calls import EMPTY
from protocol.messages.session import Ping
from tests.wire.ends import HELLO, TOKEN, WELCOME, NotingGateway, RawClient, not_for_ever

PING = {"id": 9, "method": "ping"}


@attrs.define(eq=False)
class Front:
    """A listener on a real port."""

    listener: Listener
    gateway: NotingGateway
    address: str
    sessions: trio.Nursery
    clients: AsyncExitStack

    async def connect(self) -> RawClient:
        """A client that is closed at the end."""
        stream = await open_stream(self.address)
        return RawClient(await self.clients.enter_async_context(stream))


async def open_stream(address: str) -> trio.SocketStream:
    host, _, port = address.rpartition(":")
    return await trio.open_tcp_stream(host, int(port))


@asynccontextmanager
async def open_front(limits: WireLimits | None = None) -> AsyncGenerator[Front, None]:
    gateway = NotingGateway()
    listener = Listener(Door(TOKEN, WELCOME), gateway, limits or WireLimits())
    with not_for_ever():
        async with trio.open_nursery() as front, trio.open_nursery() as sessions:
            sockets = await open_listeners("127.0.0.1", 0)
            front.start_soon(listener.serve, sockets, sessions)
            async with AsyncExitStack() as clients:
                yield Front(listener, gateway, address_of(sockets[0]), sessions, clients)
            front.cancel_scope.cancel()
            sessions.cancel_scope.cancel()


async def until_alone(front: Front, accepted: int) -> None:
    """Wait until so many connections were accepted in all, and none is left."""
    while front.listener.counters.accepted < accepted or front.sessions.child_tasks:
        await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", "", "127.0.0.1.nip"])
async def test_nothing_listens_beyond_loopback(host: str) -> None:
    """Promise 6."""
    with pytest.raises(ValueError, match="not a loopback address"):
        await open_listeners(host, 0)


async def test_port_zero_is_any_free_port_and_is_told() -> None:
    (listener,) = await open_listeners("127.0.0.1", 0)
    async with listener:
        host, _, port = address_of(listener).rpartition(":")
        assert host == "127.0.0.1"
        assert int(port) > 0


async def test_a_session_over_tcp_calls_and_is_called() -> None:
    async with open_front() as front:
        async with dial(front.address, TOKEN, NotingGateway(), client="me/1") as there:
            assert await there.call(Ping()) == EMPTY
            (here,) = front.listener.sessions
            assert await here.call(Ping()) == EMPTY
            assert "127.0.0.1:" in here.name
            assert here.name.endswith(" me/1")
        await until_alone(front, 1)
        assert front.gateway.story == ["hung up"]


async def test_a_wrong_token_is_refused_to_whoever_dials() -> None:
    async with open_front() as front:
        with pytest.raises(Unauthenticated) as caught:
            async with dial(front.address, "wr0ng-s3cret", NotingGateway()):
                pytest.fail("we are in")
        assert "wr0ng-s3cret" not in str(caught.value)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere", "127.0.0.1:", ":1", "h:٣"])
async def test_who_does_not_answer_is_gone(address: str) -> None:
    with pytest.raises(PeerGone, match=r"expected host:port|nobody answers at"):
        async with dial(address, TOKEN, NotingGateway()):
            pytest.fail("somebody is there")


async def test_an_error_of_the_block_is_not_hidden_in_a_group() -> None:
    async with open_front() as front:
        with pytest.raises(KeyError):
            async with dial(front.address, TOKEN, NotingGateway()):
                raise KeyError("mine")
        with trio.move_on_after(0.05) as scope:
            async with dial(front.address, TOKEN, NotingGateway()):
                await trio.sleep_forever()
        assert scope.cancelled_caught


async def test_a_line_in_one_byte_pieces_over_tcp() -> None:
    async with open_front() as front:
        client = await front.connect()
        for byte in orjson.dumps(HELLO) + b"\n" + orjson.dumps(PING) + b"\n":
            await client.send_bytes(bytes([byte]))
        assert "result" in await client.receive()
        assert (await client.receive())["id"] == 9


async def test_who_sends_too_long_a_line_reads_why_before_the_connection_is_cut() -> None:
    async with open_front(WireLimits(max_line_bytes=1000)) as front:
        client = await front.connect()
        await client.send(HELLO)
        await client.send_bytes(b"x" * 300_000)
        assert "result" in await client.receive()
        assert (await client.receive())["error"]["code"] == LineTooLong.code
        assert await client.receive() is None


async def test_a_stranger_is_told_no_before_the_connection_is_cut() -> None:
    async with open_front() as front:
        client = await front.connect()
        await client.send_bytes(b"GET / HTTP/1.1\r\n" + b"x" * 100_000)
        assert (await client.receive())["error"]["code"] == Unauthenticated.code
        assert await client.receive() is None


async def test_a_goodbye_reaches_clients_that_wait() -> None:
    async with open_front() as front:
        client = await front.connect()
        await client.send(HELLO, {"id": 1, "method": "job.open", "params": {"name": "x"}})
        assert "result" in await client.receive()
        while not front.gateway.asked:
            await trio.lowlevel.checkpoint()
        front.listener.say_goodbye(RequestCancelled("the daemon shuts down"))
        assert (await client.receive())["error"]["code"] == RequestCancelled.code
        assert await client.receive() is None
        await client.stream.aclose()
        await until_alone(front, 1)


CONNECTIONS = int(os.environ.get("SLOTD_TEST_CONNECTIONS", "1000"))
"""`make stress` opens 10,000."""


async def test_connections_opened_and_dropped_leave_nothing_behind() -> None:
    await open_and_drop(CONNECTIONS)


async def open_and_drop(connections: int) -> None:
    """A third are dropped at once, a third after garbage, a third after a good hello."""

    async def drop(address: str, kind: int) -> None:
        async with await open_stream(address) as stream:
            if kind == 1:
                await stream.send_all(b"garbage\n{")
            elif kind == 2:
                await stream.send_all(orjson.dumps(HELLO) + b"\n")

    async with open_front() as front:
        async with trio.open_nursery() as warm_up:
            for kind in range(3):
                warm_up.start_soon(drop, front.address, kind)
        await until_alone(front, 3)
        before, tasks = tracked_objects(), trio.lowlevel.current_statistics().tasks_living
        batches = connections // 30
        for _ in range(batches):
            async with trio.open_nursery() as batch:
                for number in range(30):
                    batch.start_soon(drop, front.address, number % 3)
        await until_alone(front, 3 + 30 * batches)
        assert front.listener.sessions == []
        assert front.listener.strangers == 0
        after = tracked_objects()
        assert after[Session] == 0
        assert trio.lowlevel.current_statistics().tasks_living == tasks
        assert after.total() - before.total() < 5000, after - before  # Trio keeps some deadlines
        assert front.listener.counters.bugs == 0
        client = await front.connect()
        assert "result" in await client.ask(HELLO)


def tracked_objects() -> Counter[type]:
    gc.collect()
    return Counter(type(tracked) for tracked in gc.get_objects())


@attrs.define(eq=False)
class Exhausted(trio.abc.Listener[trio.SocketStream]):
    """A listener whose process has no file descriptor left, twice."""

    inner: trio.SocketListener
    failures: int = 2

    async def accept(self) -> trio.SocketStream:
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EMFILE, "too many open files")
        return await self.inner.accept()

    async def aclose(self) -> None:
        await self.inner.aclose()


async def test_running_out_of_file_descriptors_is_waited_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL, "trio.serve_listeners")
    listener = Listener(Door(TOKEN, WELCOME), NotingGateway())
    async with trio.open_nursery() as nursery:
        (inner,) = await open_listeners("127.0.0.1", 0)
        nursery.start_soon(listener.serve, [Exhausted(inner)], nursery)
        host, port = inner.socket.getsockname()
        async with await trio.open_tcp_stream(host, port) as stream:
            assert "result" in await RawClient(stream).ask(HELLO)
        nursery.cancel_scope.cancel()


async def test_the_kernel_notices_a_vanished_host_but_not_before_we_would() -> None:
    """It counts a peer that does not read as gone, too; a paused pager must not end sooner."""
    async with open_front() as front:
        stream = (await front.connect()).stream
        assert isinstance(stream, trio.SocketStream)
        watch_for_silence(stream, WireLimits().write_timeout_s)
        assert stream.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        kernel_ms = stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        assert kernel_ms == WireLimits().write_timeout_s * 1000
