"""Lines and frames: PROTOCOL "Lines", without any I/O."""

import itertools
from collections import deque
from collections.abc import Iterable

import attrs
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.connection import (
    LINE_LIMIT_BEFORE_HELLO,
    BadLine,
    Connection,
    Fatal,
    Frame,
    NotificationFrame,
    RequestFrame,
    ResponseFrame,
    make_error,
    make_notification,
    make_request,
    make_response,
)
from protocol.errors import (
    InternalError,
    InvalidParams,
    InvalidRequest,
    LineTooLong,
    NoResourceAvailable,
    ParseError,
    PeerGone,
    ProtocolError,
    SlotdError,
)

NESTED = b"[" * 5000 + b"]" * 5000


def told(frame: Frame) -> object:
    """A frame as a value that can be compared: errors by class, message and data."""
    match frame:
        case BadLine(error, key):
            return ("bad", type(error), error.message, key)
        case Fatal(error):
            return ("fatal", type(error), error.data)
        case ResponseFrame(key, result, SlotdError() as error):
            return ("error", key, result, type(error), error.message, error.data)
        case _:
            return frame


def frames(*chunks: bytes, limit: int = LINE_LIMIT_BEFORE_HELLO) -> list[Frame]:
    connection = Connection(limit)
    return [frame for chunk in chunks for frame in connection.receive_data(chunk)]


def only(line: bytes) -> Frame:
    (frame,) = frames(line + b"\n")
    return frame


def test_a_request_a_notification_and_a_response_are_told_apart() -> None:
    assert frames(
        b'{"jsonrpc":"2.0","id":7,"method":"ping","params":{"a":1}}\n'
        b'{"id":"x","method":"ping"}\n'
        b'{"method":"$/cancelRequest","params":{"id":7}}\n'
        b'{"jsonrpc":"2.0","id":1,"result":{}}\n'
        b'{"id":1,"result":null}\n'
    ) == [
        RequestFrame(7, "ping", {"a": 1}),
        RequestFrame("x", "ping", {}),
        NotificationFrame("$/cancelRequest", {"id": 7}),
        ResponseFrame(1, {}, None),
        ResponseFrame(1, None, None),
    ]


def test_a_carriage_return_before_the_newline_is_accepted() -> None:
    assert only(b'{"id":1,"method":"ping"}\r') == RequestFrame(1, "ping", {})


def test_an_error_comes_back_as_its_class_with_its_data() -> None:
    refusal = NoResourceAvailable("nothing fits", nearest="te-1_0")
    assert told(only(make_error(4, refusal).rstrip(b"\n"))) == (
        "error",
        4,
        None,
        NoResourceAvailable,
        "nothing fits",
        {"type": "NoResourceAvailable", "nearest": "te-1_0"},
    )


def test_an_error_of_an_unknown_code_becomes_an_internal_error_that_keeps_its_type() -> None:
    frame = only(b'{"id":1,"error":{"code":9999,"message":"new","data":{"type":"Newer"}}}')
    assert told(frame) == ("error", 1, None, InternalError, "new", {"type": "Newer"})


@pytest.mark.parametrize("error", [PeerGone("gone"), ProtocolError("broken")])
def test_errors_of_this_side_alone_never_reach_the_wire(error: SlotdError) -> None:
    code = orjson.loads(make_error(1, error))["error"]["code"]
    assert code == InternalError.code
    written = b'{"id":1,"error":{"code":%d,"message":"m"}}' % error.code
    frame = only(written)
    assert isinstance(frame, ResponseFrame)
    assert type(frame.error) is InternalError


def test_an_error_whose_data_is_no_json_is_written_all_the_same() -> None:
    line = make_error(None, InternalError("m", held={1: PeerGone}, where=object))
    assert orjson.loads(line)["error"]["code"] == InternalError.code


def test_a_report_about_our_own_line_is_a_response_without_id() -> None:
    frame = only(b'{"id":null,"error":{"code":-32700,"message":"not JSON","data":null}}')
    assert told(frame) == ("error", None, None, ParseError, "not JSON", {"type": "ParseError"})


@pytest.mark.parametrize(
    ("line", "error", "key"),
    [
        (b"", InvalidRequest, None),
        (b"\r", InvalidRequest, None),
        (b" \t ", InvalidRequest, None),
        (b"hello", ParseError, None),
        (b"{", ParseError, None),
        (b'{"id":1,"method":"ping"} {}', ParseError, None),
        (b'{"id":1,"method":"\xff"}', ParseError, None),
        (b'{"id":1,"method":"\\ud800"}', ParseError, None),
        (b'{"id":1,"method":"ping","params":{"x":NaN}}', ParseError, None),
        (b'{"id":1,"method":"ping","params":{"x":1e999}}', ParseError, None),
        (b"\xef\xbb\xbf{}", ParseError, None),
        (b"\x00", ParseError, None),
        (b"17", InvalidRequest, None),
        (b"null", InvalidRequest, None),
        (b'"hello"', InvalidRequest, None),
        (b'[{"id":1,"method":"ping"}]', InvalidRequest, None),
        (b"{}", InvalidRequest, None),
        (b'{"id":1}', InvalidRequest, None),
        (b'{"id":1,"method":5}', InvalidRequest, 1),
        (b'{"id":1,"method":null}', InvalidRequest, 1),
        (b'{"id":null,"method":"ping"}', InvalidRequest, None),
        (b'{"id":1.5,"method":"ping"}', InvalidRequest, None),
        (b'{"id":true,"method":"ping"}', InvalidRequest, None),
        (b'{"id":[1],"method":"ping"}', InvalidRequest, None),
        (b'{"id":123456789012345678901234567890,"method":"ping"}', InvalidRequest, None),
        (b'{"id":"' + b"x" * 257 + b'","method":"ping"}', InvalidRequest, None),
        (b'{"id":1,"method":"ping","result":{}}', InvalidRequest, 1),
        (b'{"id":1,"method":"ping","params":[1]}', InvalidParams, 1),
        (b'{"id":1,"method":"ping","params":null}', InvalidParams, 1),
        (b'{"method":"ping","params":"x"}', InvalidParams, None),
        (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', InvalidRequest, 1),
        (b'{"jsonrpc":2.0,"id":1,"method":"ping"}', InvalidRequest, 1),
        (b'{"id":1,"result":1,"error":{"code":1,"message":"m"}}', InvalidRequest, None),
        (b'{"id":1,"error":{"code":"1","message":"m"}}', InvalidRequest, None),
        (b'{"id":1,"error":{"code":true,"message":"m"}}', InvalidRequest, None),
        (b'{"id":1,"error":"m"}', InvalidRequest, None),
        (b'{"id":null,"result":1}', InvalidRequest, None),
    ],
)
def test_a_line_that_is_no_message_is_answered_and_the_next_one_is_read(
    line: bytes, error: type[SlotdError], key: int | None
) -> None:
    bad, good = frames(line + b"\n" + make_request(2, "ping", {}))
    assert isinstance(bad, BadLine)
    assert (type(bad.error), bad.id) == (error, key)
    assert good == RequestFrame(2, "ping", {})


def test_a_batch_is_refused_with_advice() -> None:
    frame = only(b'[{"id":1,"method":"ping"}]')
    assert isinstance(frame, BadLine)
    assert "one request a line" in frame.error.message


def test_a_nesting_bomb_is_a_parse_error() -> None:
    (frame,) = frames(NESTED + b"\n", limit=1 << 20)
    assert isinstance(frame, BadLine)
    assert type(frame.error) is ParseError


def test_a_key_given_twice_counts_once_with_its_last_value() -> None:
    assert only(b'{"id":1,"id":2,"method":"ping"}') == RequestFrame(2, "ping", {})


def test_a_line_of_exactly_the_limit_is_read_and_one_byte_more_is_fatal() -> None:
    line = b'{"id":1,"method":"ping"}'
    assert frames(line + b"\n", limit=len(line)) == [RequestFrame(1, "ping", {})]
    longer = b" " + line + b"\n" + line + b"\n"
    (fatal,) = frames(longer, limit=len(line))
    assert isinstance(fatal, Fatal)
    assert type(fatal.error) is LineTooLong
    assert fatal.error.data["max_line_bytes"] == len(line)


def test_a_line_without_end_is_fatal_before_its_newline_and_nothing_is_read_after_it() -> None:
    connection = Connection(16)
    assert list(connection.receive_data(b"x" * 16)) == []
    (fatal,) = connection.receive_data(b"x")
    assert isinstance(fatal, Fatal)
    assert list(connection.receive_data(b'\n{"id":1,"method":"ping"}\n')) == []
    assert connection.receive_eof() is None


def test_the_limit_may_be_raised_between_two_frames_of_one_chunk() -> None:
    """Whoever pipelines a long request behind hello is not refused for it."""
    connection = Connection(64)
    long = make_request(2, "slot.allocate", {"tag": "t" * 100})
    arrived = connection.receive_data(make_request(1, "hello", {}) + long)
    assert next(arrived) == RequestFrame(1, "hello", {})
    connection.max_line_bytes = 1024
    assert list(arrived) == [RequestFrame(2, "slot.allocate", {"tag": "t" * 100})]


def test_the_end_of_the_stream_is_clean_only_between_two_lines() -> None:
    connection = Connection()
    assert list(connection.receive_data(b'{"id":1,"method":"ping"}\n')) != []
    assert connection.receive_eof() is None
    assert list(connection.receive_data(b'{"id"')) == []
    error = connection.receive_eof()
    assert isinstance(error, ProtocolError)
    assert "mid-line" in error.message


LINES = st.lists(
    st.sampled_from(
        [
            b'{"id":1,"method":"ping"}\n',
            b'{"id":1,"method":"ping"}\r\n',
            b'{"jsonrpc":"2.0","id":"a","result":{"x":"\xc3\xa9"}}\n',
            b'{"id":2,"error":{"code":3001,"message":"no","data":{"nearest":"x"}}}\n',
            b'{"method":"event","params":{"seq":1}}\n',
            b"\n",
            b"\r\n",
            b"not json\n",
            b"\xff\n",
            b"[]\n",
            b'{"id":"' + b"y" * 80 + b'","method":"ping"}\n',
        ]
    ),
    max_size=8,
)


@settings(max_examples=150)
@given(lines=LINES, tail=st.sampled_from([b"", b"{", b"z" * 61]), cuts=st.sets(st.integers(0, 400)))
def test_any_split_of_the_stream_into_pieces_gives_the_same_frames(
    lines: list[bytes], tail: bytes, cuts: set[int]
) -> None:
    stream = b"".join(lines) + tail
    borders = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    pieces = [stream[a:b] for a, b in itertools.pairwise(borders)]
    single = [bytes([byte]) for byte in stream]
    whole = [told(frame) for frame in frames(stream, limit=60)]
    assert [told(frame) for frame in frames(*pieces, limit=60)] == whole
    assert [told(frame) for frame in frames(*single, limit=60)] == whole


@given(line=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_no_line_raises(line: bytes) -> None:
    for frame in frames(line.replace(b"\n", b" ") + b"\n"):
        assert isinstance(frame, Frame)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "method", "params", "result", "error", "code", "message", "data"]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)


@given(message=JSON)
def test_no_json_value_raises(message: object) -> None:
    (frame,) = frames(orjson.dumps(message) + b"\n")
    assert isinstance(frame, Frame)


@attrs.define
class ConnectionPair:
    """Two ends joined by a fake link that delivers in pieces of ``piece`` bytes."""

    piece: int
    near: Connection = attrs.field(factory=Connection)
    far: Connection = attrs.field(factory=Connection)
    to_far: deque[bytes] = attrs.field(factory=deque[bytes])
    to_near: deque[bytes] = attrs.field(factory=deque[bytes])

    def arrived_far(self) -> list[Frame]:
        return self._deliver(self.far, self.to_far)

    def arrived_near(self) -> list[Frame]:
        return self._deliver(self.near, self.to_near)

    def _deliver(self, end: Connection, link: Iterable[bytes]) -> list[Frame]:
        stream = b"".join(link)
        self.to_far.clear() if end is self.far else self.to_near.clear()
        pieces = (stream[i : i + self.piece] for i in range(0, len(stream), self.piece))
        return [frame for piece in pieces for frame in end.receive_data(piece)]


@pytest.mark.parametrize("piece", [1, 7, 4096])
def test_two_ends_call_each_other_over_one_link(piece: int) -> None:
    pair = ConnectionPair(piece)
    pair.to_far += [make_request(1, "ping", {}), make_notification("task.output", {"data": "x\ny"})]
    pair.to_near += [make_request(1, "task_executor.heartbeat", {"from": "resource_manager"})]
    assert pair.arrived_far() == [
        RequestFrame(1, "ping", {}),
        NotificationFrame("task.output", {"data": "x\ny"}),
    ]
    assert pair.arrived_near() == [
        RequestFrame(1, "task_executor.heartbeat", {"from": "resource_manager"})
    ]
    pair.to_near += [make_response(1, {"é": "\u2028"}), make_error(None, ParseError("?"))]
    pair.to_far += [make_error(1, NoResourceAvailable("none", nearest=None))]
    assert pair.arrived_near()[0] == ResponseFrame(1, {"é": "\u2028"}, None)
    assert told(pair.arrived_far()[0]) == (
        "error",
        1,
        None,
        NoResourceAvailable,
        "none",
        {"type": "NoResourceAvailable", "nearest": None},
    )
    assert pair.near.receive_eof() is None
