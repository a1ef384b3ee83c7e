"""Who gets in: PROTOCOL "Hello", DESIGN "Security by default"."""

from typing import Any

import pytest
import structlog.testing
import trio
import trio.testing

from daemon.wire.limits import WireLimits
from protocol.errors import (
    InvalidParams,
    InvalidRequest,
    LineTooLong,
    SlotdError,
    Unauthenticated,
    UnsupportedProtocol,
)
from tests.wire.ends import ALLOCATE, HELLO, TOKEN, RawClient, open_wire

GOOD: dict[str, Any] = {"protocol": 1, "client": "t/1", "token": TOKEN}


def hello(**changes: Any) -> dict[str, Any]:
    params = {**GOOD, **changes}
    return {"id": 1, "method": "hello", "params": {k: v for k, v in params.items() if v != "-"}}


async def test_who_knows_the_token_is_told_about_the_daemon() -> None:
    async with open_wire() as wire:
        assert await wire.connect().ask(hello()) == {
            "jsonrpc": "2.0",
            "id": 1,
            "result": {
                "protocol": 1,
                "server": "slotd/0",
                "daemon_id": "d" * 32,
                "cluster": "slotd",
                "roles": ["resource-manager"],
                "max_line_bytes": 1 << 20,
                "heartbeat_interval": 10.0,
            },
        }
        assert wire.listener.strangers == 0
        assert "t/1" in wire.session.name


@pytest.mark.parametrize(
    ("first", "error"),
    [
        (hello(token="wrong"), Unauthenticated),
        (hello(token=TOKEN + "x"), Unauthenticated),
        (hello(token=TOKEN[:-1]), Unauthenticated),
        (hello(token=TOKEN.upper()), Unauthenticated),
        (hello(token=""), Unauthenticated),
        (hello(token=None), Unauthenticated),
        (hello(token="-"), Unauthenticated),
        (hello(token=17), Unauthenticated),
        (hello(token="é"), Unauthenticated),
        ({"id": 1, "method": "ping"}, Unauthenticated),
        ({"id": 1, **ALLOCATE}, Unauthenticated),
        ({"id": 1, "method": "nonsense"}, Unauthenticated),
        (hello(protocol=2), UnsupportedProtocol),
        (hello(protocol=2, token="wrong"), UnsupportedProtocol),
        (hello(protocol="1"), InvalidParams),
        (hello(protocol="-"), InvalidParams),
        (hello(client=""), InvalidParams),
        (hello(client="-"), InvalidParams),
        (hello(client="x\x1b[2J"), InvalidParams),
    ],
)
async def test_whoever_does_not_say_a_good_hello_is_told_why_and_closed(
    first: dict[str, Any], error: type[SlotdError], autojump_clock: trio.testing.MockClock
) -> None:
    async with open_wire() as wire:
        client = wire.connect()
        refusal = await client.refused(first)
        assert (refusal["code"], refusal["data"]["type"]) == (error.code, error.__name__)
        assert await client.receive() is None
        assert wire.gateway.story == []
        assert wire.listener.counters.refused == 1


async def test_another_protocol_is_refused_with_those_that_are_spoken(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_wire() as wire:
        refusal = await wire.connect().refused(hello(protocol=9))
        assert refusal["data"]["supported"] == [1]


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"not json\n",
        b"[]\n",
        b'{"method":"hello","params":{"protocol":1,"client":"t","token":"%s"}}\n' % TOKEN.encode(),
        b'{"id":null,"method":"hello"}\n',
        b'{"id":1,"result":{}}\n',
        b'{"method":"$/cancelRequest","params":{"id":1}}\n',
    ],
)
async def test_a_first_line_that_is_no_request_is_refused_and_closed(
    line: bytes, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_wire() as wire:
        client = wire.connect()
        await client.send_bytes(line)
        answer = await client.receive()
        assert answer["id"] is None
        assert answer["error"]["data"]["type"] == "Unauthenticated"
        assert await client.receive() is None


async def test_silence_is_refused_after_ten_seconds(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_wire() as wire:
        client = wire.connect()
        assert (await client.receive())["error"]["code"] == Unauthenticated.code
        assert trio.current_time() == 10
        assert await client.receive() is None


async def test_a_hello_that_drips_in_has_ten_seconds_in_all(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def drip(client: RawClient) -> None:
        for _ in range(9):
            await client.send_bytes(b" ")
            await trio.sleep(1.5)

    async with open_wire() as wire:
        client = wire.connect()
        wire.nursery.start_soon(drip, client)
        assert (await client.receive())["error"]["code"] == Unauthenticated.code
        assert trio.current_time() == 10


async def test_who_said_hello_may_be_silent(autojump_clock: trio.testing.MockClock) -> None:
    async with open_wire() as wire:
        client = await wire.known()
        await trio.sleep(3600)
        assert await client.ask({"id": 2, "method": "ping"}) == {
            "jsonrpc": "2.0",
            "id": 2,
            "result": {},
        }


async def test_a_stranger_may_send_eight_kibibytes(autojump_clock: trio.testing.MockClock) -> None:
    async with open_wire() as wire:
        client = wire.connect()
        await client.send_bytes(b"x" * (8 * 1024 + 1))
        answer = await client.receive()
        assert answer["error"]["code"] == LineTooLong.code
        assert await client.receive() is None


async def test_the_limit_is_raised_for_what_follows_hello_in_one_chunk() -> None:
    async with open_wire() as wire:
        client = wire.connect()
        long = {"id": 1, "method": "ping", "params": {"x": "y" * 100_000}}
        await client.send(HELLO, long)
        assert "result" in await client.receive()
        assert await client.receive() == {"jsonrpc": "2.0", "id": 1, "result": {}}


async def test_hello_is_said_once() -> None:
    async with open_wire() as wire:
        client = await wire.known()
        assert (await client.refused(hello()))["code"] == InvalidRequest.code
        assert await client.ask({"id": 2, "method": "ping"}) == {
            "jsonrpc": "2.0",
            "id": 2,
            "result": {},
        }


async def test_one_stranger_too_many_is_turned_away_until_another_says_hello(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_wire(WireLimits(unauthenticated=3)) as wire:
        first, *_ = [wire.connect() for _ in range(3)]
        await trio.testing.wait_all_tasks_blocked()
        assert wire.listener.strangers == 3
        assert await wire.connect().receive() is None
        assert "result" in await first.ask(HELLO)
        assert "result" in await wire.connect().ask(HELLO)
        assert wire.listener.counters.turned_away == 1
        assert trio.current_time() == 0


async def test_the_default_bound_is_sixty_four_strangers() -> None:
    assert WireLimits().unauthenticated == 64


@pytest.mark.parametrize("first", [hello(), hello(token="wr0ng-s3cret"), hello(client=TOKEN * 20)])
async def test_no_token_reaches_the_log_or_a_representation(
    first: dict[str, Any], autojump_clock: trio.testing.MockClock
) -> None:
    with structlog.testing.capture_logs() as logs:
        async with open_wire() as wire:
            answer = await wire.connect().ask(first)
            told = repr((logs, wire.listener, wire.listener.sessions))
    if "error" in answer and first["params"]["client"] == "t/1":
        told += repr(answer)
    assert TOKEN not in told
    assert "wr0ng-s3cret" not in told
    assert logs
