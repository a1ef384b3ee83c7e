"""What a connection does with requests, both ways: PROTOCOL "Lines", promises 4 and 5."""

from typing import Any

import orjson
import pytest
import structlog.testing
import trio
import trio.testing

from daemon.wire.limits import WireLimits
from daemon.wire.peers import Caller, Reply
from protocol.errors import (
    InternalError,
    InvalidParams,
    InvalidRequest,
    LineTooLong,
    MethodNotFound,
    NoResourceAvailable,
    Overloaded,
    ParseError,
    PeerGone,
    RequestCancelled,
)
from protocol.ids import RESOURCE_MANAGER, JobId, RequestId, TaskId
from protocol.messages.calls import EMPTY, Request
from protocol.messages.client import AllocateSlot, ReleaseSlot, SlotReleased, TaskOutput
from protocol.messages.job_master import TaskFinishedAtExecutor
from protocol.messages.session import Ping
from protocol.messages.task_executor import HeartbeatOfExecutor, SlotReport
from tests.wire.ends import ALLOCATE, HELLO, JOB, RawClient, open_wire

PONG = {"jsonrpc": "2.0", "id": 9, "result": {}}
PING = {"id": 9, "method": "ping"}
OUTPUT = TaskOutput(task_id=TaskId("t"), stream="stdout", offset=0, data="x" * 1000)


def release(key: int, request: str = "b" * 32) -> dict[str, Any]:
    return {"id": key, "method": "slot.release", "params": {"job_id": JOB, "request_id": request}}


def released(request: Request[Any], reply: Reply, caller: Caller) -> None:
    reply.succeed(SlotReleased(True))


async def test_requests_of_one_chunk_are_started_in_the_order_of_their_lines() -> None:
    async with open_wire() as wire:
        wire.gateway.job = released
        client = await wire.known()
        ids = [f"{number:032x}" for number in range(50)]
        await client.send(*(release(n, name) for n, name in enumerate(ids)))
        answers = [await client.receive() for _ in ids]
        assert [answer["id"] for answer in answers] == list(range(50))
        assert wire.gateway.story == [ReleaseSlot(JobId(JOB), RequestId(name)) for name in ids]


async def test_answers_come_in_any_order() -> None:
    async with open_wire() as wire:
        client = await wire.known()
        await client.send(release(1), release(2), release(3))
        await trio.testing.wait_all_tasks_blocked()
        replies = [reply for _, reply in wire.gateway.asked]
        replies[2].succeed(SlotReleased(True))
        replies[0].fail(NoResourceAvailable("nothing fits", nearest="te-1_0"))
        assert await client.receive() == {"jsonrpc": "2.0", "id": 3, "result": {"released": True}}
        assert await client.receive() == {
            "jsonrpc": "2.0",
            "id": 1,
            "error": {
                "code": 3001,
                "message": "nothing fits",
                "data": {"type": "NoResourceAvailable", "nearest": "te-1_0"},
            },
        }


async def test_the_first_answer_counts() -> None:
    async with open_wire() as wire:
        client = await wire.known()
        await client.send(release(1))
        await trio.testing.wait_all_tasks_blocked()
        reply = wire.gateway.asked[0][1]
        reply.succeed(SlotReleased(False))
        reply.succeed(SlotReleased(True))
        reply.fail(NoResourceAvailable("too late"))
        assert await client.receive() == {"jsonrpc": "2.0", "id": 1, "result": {"released": False}}
        assert await client.ask(PING) == PONG


@pytest.mark.parametrize(
    ("message", "error", "says"),
    [
        ({"id": 1, "method": "slot.alocate"}, MethodNotFound, "did you mean slot.allocate?"),
        ({"id": 1, "method": "task.output"}, MethodNotFound, "notification to a client"),
        ({"id": 1, "method": "$/cancelRequest"}, MethodNotFound, "without an id"),
        ({"id": 1, "method": "slot.allocate"}, InvalidParams, "params.job_id is missing"),
        ({"id": 1, "method": "slot.allocate", "params": []}, InvalidParams, "an object"),
        ({"id": 1, "method": 7}, InvalidRequest, "string"),
    ],
)
async def test_a_bad_request_is_refused_changes_nothing_and_the_next_is_served(
    message: dict[str, Any], error: type[Exception], says: str
) -> None:
    async with open_wire() as wire:
        client = await wire.known()
        refusal = await client.refused(message)
        assert refusal["data"]["type"] == error.__name__
        assert says in refusal["message"]
        assert wire.gateway.story == []
        assert await client.ask(PING) == PONG


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"\n", InvalidRequest),
        (b"\r\n", InvalidRequest),
        (b"not json\n", ParseError),
        (b'{"id":1,"method":"\xff"}\n', ParseError),
        (b"[" * 3000 + b"]" * 3000 + b"\n", ParseError),
        (b"[]\n", InvalidRequest),
        (b'"hello"\n', InvalidRequest),
        (b'{"id":null,"method":"ping"}\n', InvalidRequest),
        (b'{"id":1}\n', InvalidRequest),
        (b'{"method":"slot.allocate","params":{"job_id":"x"}}\n', InvalidRequest),
        (b'{"method":"job_master.task_output","params":{}}\n', InvalidParams),
        (b'{"method":"$/cancelRequest","params":{"id":[1]}}\n', InvalidParams),
        (b'{"method":"$/cancelRequest"}\n', InvalidParams),
        (b'{"method":"ping","params":7}\n', InvalidParams),
    ],
)
async def test_a_bad_line_is_answered_without_an_id_and_the_connection_lives(
    line: bytes, error: type[Exception]
) -> None:
    async with open_wire() as wire:
        client = await wire.known()
        await client.send_bytes(line)
        answer = await client.receive()
        assert answer["id"] is None
        assert answer["error"]["data"]["type"] == error.__name__
        assert wire.gateway.story == []
        assert await client.ask(PING) == PONG
        assert wire.listener.counters.bad_lines == 1


async def test_a_line_in_one_byte_pieces_is_one_request() -> None:
    async with open_wire() as wire:
        wire.gateway.job = released
        client = wire.connect()
        for byte in orjson.dumps(HELLO) + b"\r\n" + orjson.dumps(release(1)) + b"\n":
            await client.send_bytes(bytes([byte]))
            await trio.testing.wait_all_tasks_blocked()
        assert "result" in await client.receive()
        assert (await client.receive())["result"] == {"released": True}


async def test_a_line_too_long_is_the_last_one_that_is_answered(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_wire(WireLimits(max_line_bytes=10_000)) as wire:
        client = await wire.known()
        await client.send_bytes(orjson.dumps(PING) + b"\n" + b"x" * 10_001)
        assert await client.receive() == PONG
        answer = await client.receive()
        assert (answer["id"], answer["error"]["code"]) == (None, LineTooLong.code)
        assert await client.receive() is None
        await trio.testing.wait_all_tasks_blocked()
        assert wire.gateway.story == ["hung up"]


async def test_unknown_parameters_are_ignored_and_counted() -> None:
    async with open_wire() as wire:
        client = await wire.known()
        await client.send({"id": 1, "method": "slot.allocate", "params": {"job_id": JOB, "x": 1}})
        assert await client.ask(PING) == PONG
        assert wire.gateway.story == [AllocateSlot(JobId(JOB))]
        assert wire.listener.counters.unknown_params == 1


async def test_an_id_is_used_again_only_after_its_answer() -> None:
    async with open_wire() as wire:
        client = await wire.known()
        await client.send(release(1))
        refusal = await client.refused(release(1))
        assert refusal["code"] == InvalidRequest.code
        assert len(wire.gateway.asked) == 1
        wire.gateway.asked[0][1].succeed(SlotReleased(True))
        assert (await client.receive())["result"] == {"released": True}
        await client.send(release(1))
        await trio.testing.wait_all_tasks_blocked()
        assert len(wire.gateway.asked) == 2


async def test_more_requests_in_flight_than_the_bound_are_refused() -> None:
    async with open_wire(WireLimits(requests_in_flight=2)) as wire:
        client = await wire.known()
        await client.send(release(1), release(2))
        assert (await client.refused(release(3)))["code"] == Overloaded.code
        wire.gateway.asked[0][1].succeed(SlotReleased(True))
        assert (await client.receive())["id"] == 1
        await client.send(release(4))
        await trio.testing.wait_all_tasks_blocked()
        assert len(wire.gateway.asked) == 3
        assert wire.listener.counters.overloaded == 1


async def test_a_request_that_is_cancelled_is_withdrawn_and_answered() -> None:
    async with open_wire() as wire:
        client = await wire.known()
        await client.send(release(1), {"method": "$/cancelRequest", "params": {"id": 1}})
        answer = await client.receive()
        assert (answer["id"], answer["error"]["code"]) == (1, RequestCancelled.code)
        assert wire.gateway.story[1:] == [("withdrawn", 0)]
        wire.gateway.asked[0][1].succeed(SlotReleased(True))
        assert await client.ask(PING) == PONG


@pytest.mark.parametrize("key", [1, 77, "1"])
async def test_cancelling_what_is_answered_or_unknown_does_nothing(key: int | str) -> None:
    async with open_wire() as wire:
        wire.gateway.job = released
        client = await wire.known()
        assert (await client.ask(release(1)))["result"] == {"released": True}
        await client.send({"method": "$/cancelRequest", "params": {"id": key}})
        assert await client.ask(PING) == PONG
        assert len(wire.gateway.story) == 1


async def test_a_connection_that_closes_withdraws_its_requests_and_then_hangs_up() -> None:
    async with open_wire() as wire:
        client = await wire.known()
        await client.send(release(1), release(2))
        await trio.testing.wait_all_tasks_blocked()
        await client.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert wire.gateway.story[2:] == [("withdrawn", 0), ("withdrawn", 1), "hung up"]
        for _, reply in wire.gateway.asked:
            reply.succeed(SlotReleased(True))
        assert wire.listener.sessions == []
        assert not wire.gateway.callers[0].try_notify(OUTPUT)


async def test_a_connection_that_never_said_hello_hangs_up_unnoticed() -> None:
    async with open_wire() as wire:
        client = wire.connect()
        await trio.testing.wait_all_tasks_blocked()
        await client.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert wire.gateway.story == []
        assert wire.listener.strangers == 0


async def test_what_was_answered_before_the_peer_stopped_sending_still_reaches_it() -> None:
    """`printf ... | nc -N`: the half-closed connection gets its answers, then ends."""
    async with open_wire() as wire:
        wire.gateway.job = released
        client = wire.connect()
        await client.send(HELLO, release(1))
        await client.stream.send_eof()
        assert "result" in await client.receive()
        assert (await client.receive())["result"] == {"released": True}
        assert await client.receive() is None


class Bug(Exception):
    pass


async def test_a_bug_fails_the_request_that_met_it_and_no_other() -> None:
    def buggy(request: Request[Any], reply: Reply, caller: Caller) -> None:
        raise Bug("the details")

    with structlog.testing.capture_logs() as logs:
        async with open_wire() as wire:
            client = await wire.known()
            wire.gateway.job = buggy
            refusal = await client.refused(release(1))
            wire.gateway.job = released
            assert (await client.ask(release(1)))["result"] == {"released": True}
            assert wire.listener.counters.bugs == 1
    assert refusal["code"] == InternalError.code
    assert "the details" not in refusal["message"]
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["a bug"]


async def test_an_answer_that_cannot_be_written_is_an_internal_error() -> None:
    def wrong(request: Request[Any], reply: Reply, caller: Caller) -> None:
        reply.succeed({"a": {object()}} if "b" in repr(request) else object())

    with structlog.testing.capture_logs():
        async with open_wire() as wire:
            wire.gateway.job = wrong
            client = await wire.known()
            assert (await client.refused(release(1)))["code"] == InternalError.code
            assert (await client.refused(release(2, "c" * 32)))["code"] == InternalError.code
            assert await client.ask(PING) == PONG


async def test_a_bug_at_the_end_of_a_connection_stays_there(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with structlog.testing.capture_logs() as logs:
        async with open_wire() as wire:
            client = await wire.known()
            wire.gateway.story = None  # type: ignore[assignment]  # makes hung_up raise
            await client.stream.aclose()
            await trio.testing.wait_all_tasks_blocked()
            assert wire.listener.sessions == []
            other = wire.connect()
            assert "result" in await other.ask(HELLO)
            wire.gateway.story = []
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["a bug"]


async def test_a_notification_reaches_the_gateway_and_is_not_answered() -> None:
    finished = {
        "job_id": JOB,
        "leader_id": "1" * 32,
        "resource_id": "te-1",
        "task_id": "t",
        "exit_code": 0,
    }
    async with open_wire() as wire:
        client = await wire.known()
        await client.send(
            {"method": "job_master.task_finished", "params": finished},
            {"method": "$/setTrace", "params": {"value": "off"}},
        )
        assert await client.ask(PING) == PONG
        (notification,) = wire.gateway.story
        assert isinstance(notification, TaskFinishedAtExecutor)
        assert notification.exit_code == 0


async def test_both_ends_call_over_one_connection() -> None:
    async with open_wire() as wire:
        client = await wire.known()
        call = wire.session.start(HeartbeatOfExecutor(sender=RESOURCE_MANAGER))
        asked = await client.receive()
        assert asked == {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "task_executor.heartbeat",
            "params": {"from": "resource_manager"},
        }
        await client.send({"id": 1, "result": {"slot_report": []}})
        assert await call.answer() == SlotReport([])
        assert await client.ask({"id": 1, "method": "ping"}) == {**PONG, "id": 1}


async def test_calls_are_sent_in_the_order_in_which_they_were_started() -> None:
    async with open_wire() as wire:
        client = await wire.known()
        calls = [wire.session.start(Ping()) for _ in range(3)]
        assert [(await client.receive())["id"] for _ in calls] == [1, 2, 3]


async def test_a_refusal_comes_back_as_its_class_with_its_data() -> None:
    async with open_wire() as wire:
        client = await wire.known()
        call = wire.session.start(Ping())
        await client.receive()
        await client.send(
            {"id": 1, "error": {"code": 3001, "message": "no", "data": {"nearest": "x"}}}
        )
        with pytest.raises(NoResourceAvailable, match="no") as caught:
            await call.answer()
        assert caught.value.data == {"type": "NoResourceAvailable", "nearest": "x"}


async def test_a_malformed_answer_fails_its_call_and_is_reported_to_the_peer() -> None:
    async with open_wire() as wire:
        client = await wire.known()
        call = wire.session.start(HeartbeatOfExecutor(sender=RESOURCE_MANAGER))
        await client.receive()
        await client.send({"id": 1, "result": {"slot_report": [{"slot_id": "te-1"}]}})
        with pytest.raises(Exception, match=r"result\.slot_report\[0\]\.slot_id"):
            await call.answer()
        report = await client.receive()
        assert report["id"] is None
        assert "result.slot_report[0].slot_id" in report["error"]["message"]
        assert await client.ask(PING) == PONG


async def test_a_report_about_a_line_of_ours_is_not_answered() -> None:
    with structlog.testing.capture_logs():
        async with open_wire() as wire:
            client = await wire.known()
            await client.send({"id": None, "error": {"code": -32700, "message": "what?"}})
            await client.send({"id": 99, "result": {}})
            assert await client.ask(PING) == PONG


async def test_a_call_that_is_cancelled_is_withdrawn_at_the_peer(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_wire() as wire:
        client = await wire.known()
        with trio.move_on_after(3) as scope:
            await wire.session.call(Ping())
        assert scope.cancelled_caught
        assert (await client.receive())["method"] == "ping"
        assert await client.receive() == {
            "jsonrpc": "2.0",
            "method": "$/cancelRequest",
            "params": {"id": 1},
        }
        await client.send({"id": 1, "result": {}})
        assert await client.ask(PING) == PONG


async def test_every_call_ends_with_peer_gone_when_the_peer_hangs_up() -> None:
    async with open_wire() as wire:
        client = await wire.known()
        session = wire.session
        calls = [session.start(Ping()) for _ in range(3)]
        await client.stream.aclose()
        await session.gone()
        for call in [*calls, session.start(Ping())]:
            with pytest.raises(PeerGone):
                await call.answer()
        with pytest.raises(PeerGone):
            await session.notify(OUTPUT)


async def test_a_notification_is_refused_while_the_buffer_is_full() -> None:
    async with open_wire(WireLimits(outbound_bytes=3000)) as wire:
        client = wire.connect_unbuffered()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send, HELLO)
            assert "result" in await client.receive()
        session = wire.session
        sent = 0
        while session.try_notify(OUTPUT):
            sent += 1
            await trio.testing.wait_all_tasks_blocked()
        assert sent > 3
        assert not session.try_notify(OUTPUT)
        with pytest.raises(Overloaded):
            await session.call(Ping())
        offsets = [(await client.receive())["method"] for _ in range(sent)]
        assert offsets == ["task.output"] * sent
        await trio.testing.wait_all_tasks_blocked()
        assert session.try_notify(OUTPUT)


async def test_a_notification_that_waits_is_sent_when_there_is_room() -> None:
    async with open_wire(WireLimits(outbound_bytes=3000)) as wire:
        client = wire.connect_unbuffered()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send, HELLO)
            assert "result" in await client.receive()

        async def tell() -> None:
            for _ in range(20):
                await wire.session.notify(OUTPUT)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(tell)
            for _ in range(20):
                assert (await client.receive())["method"] == "task.output"


async def test_who_does_not_read_its_answers_asks_nothing_more() -> None:
    """Back-pressure is on this client alone, and bounded: nothing is read while it is full."""
    limits = WireLimits(outbound_bytes=3000, write_timeout_s=1e6)
    async with open_wire(limits) as wire:
        wire.gateway.job = released
        client = wire.connect_unbuffered()
        other = await wire.known()

        async def ask(client: RawClient) -> None:
            await client.send(HELLO)
            for number in range(1000):
                await client.send(release(number))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, client)
            await trio.testing.wait_all_tasks_blocked()
            started = len(wire.gateway.asked)
            assert 0 < started < 100
            assert (await other.ask(release(1)))["result"] == {"released": True}
            assert "result" in await client.receive()
            for number in range(1000):
                assert (await client.receive())["id"] == number
        assert len(wire.gateway.asked) == 1001


async def ask_without_end(client: RawClient) -> None:
    await client.send(HELLO)
    while True:
        await client.send(*(release(number) for number in range(100)))


async def test_a_client_that_never_reads_is_closed_and_slows_nobody(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Promise 5: five minutes without a byte taken."""
    async with open_wire(WireLimits(outbound_bytes=50_000)) as wire:
        wire.gateway.job = released
        client = wire.connect_unbuffered()
        other = await wire.known()
        with pytest.raises(trio.BrokenResourceError):
            await ask_without_end(client)
        assert trio.current_time() == 300
        await trio.testing.wait_all_tasks_blocked()
        assert wire.listener.counters.silent == 1
        assert len(wire.listener.sessions) == 1
        assert (await other.ask(release(1)))["result"] == {"released": True}
        assert trio.current_time() == 300


async def test_a_goodbye_answers_what_was_asked_and_closes(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_wire() as wire:
        client, stranger = await wire.known(), wire.connect()
        await client.send(release(1), release(2))
        await trio.testing.wait_all_tasks_blocked()
        wire.listener.say_goodbye(RequestCancelled("the daemon shuts down"))
        answers = [await client.receive(), await client.receive()]
        assert [answer["id"] for answer in answers] == [1, 2]
        assert {answer["error"]["message"] for answer in answers} == {"the daemon shuts down"}
        assert await client.receive() is None
        assert await stranger.receive() is None
        assert wire.gateway.story[2:] == [("withdrawn", 0), ("withdrawn", 1), "hung up"]


async def test_ping_is_answered_without_the_gateway() -> None:
    async with open_wire() as wire:
        client = await wire.known()
        assert await client.ask(PING) == PONG
        assert wire.gateway.asked == []
        call = wire.session.start(Ping())
        await client.receive()
        await client.send({"id": 1, "result": {}})
        assert await call.answer() == EMPTY


async def test_allocations_are_not_answered_by_their_arrival() -> None:
    async with open_wire() as wire:
        client = await wire.known()
        await client.send({"id": 1, **ALLOCATE})
        assert await client.ask(PING) == PONG
