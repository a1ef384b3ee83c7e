"""Sans-I/O: bytes in, frames out; it holds at most one unfinished line and never waits.

Only the standard library and orjson, as `protocol/frames.py`, whose names are importable from here.
"""

from collections.abc import Iterator

from protocol.errors import LineTooLong, ProtocolError
from protocol.frames import (
    BadLine,
    Fatal,
    Frame,
    NotificationFrame,
    RequestFrame,
    RequestKey,
    ResponseFrame,
    make_error,
    make_notification,
    make_request,
    make_response,
    parse_line,
)

__all__ = [
    "LINE_LIMIT_BEFORE_HELLO",
    "BadLine",
    "Connection",
    "Fatal",
    "Frame",
    "NotificationFrame",
    "RequestFrame",
    "RequestKey",
    "ResponseFrame",
    "make_error",
    "make_notification",
    "make_request",
    "make_response",
]

LINE_LIMIT_BEFORE_HELLO = 8 * 1024
"""Bytes that a line may have before its sender is known."""


class Connection:
    r"""The receiving half of one stream of lines.

    ``max_line_bytes`` (without the newline; a ``\r`` counts) may be raised between two frames:
    whoever takes the frames raises it after hello.
    """

    __slots__ = ("_closed", "_rest", "max_line_bytes")

    def __init__(self, max_line_bytes: int = LINE_LIMIT_BEFORE_HELLO) -> None:
        self.max_line_bytes = max_line_bytes
        self._rest = bytearray()
        self._closed = False

    def receive_data(self, chunk: bytes) -> Iterator[Frame]:
        """The frames that ``chunk`` completes. Take all of them before you give the next chunk.

        After Fatal nothing more is read.
        """
        if self._closed:
            return
        lines = chunk.split(b"\n")
        if len(lines) > 1 and self._rest:
            lines[0] = bytes(self._rest) + lines[0]
            self._rest.clear()
        # A bytearray grows in place: a line in a million pieces is not copied a million times.
        self._rest += lines.pop()
        for line in lines:
            if len(line) > self.max_line_bytes:
                yield self._too_long()
                return
            yield parse_line(line)
        if len(self._rest) > self.max_line_bytes:
            yield self._too_long()

    def receive_eof(self) -> ProtocolError | None:
        """What was wrong with how the stream ended: None when it ended between two lines."""
        if self._closed or not self._rest:
            return None
        self._closed = True
        return ProtocolError(f"the stream ended in mid-line, after {len(self._rest)} bytes of it")

    def _too_long(self) -> Fatal:
        self._closed = True
        self._rest.clear()
        limit = self.max_line_bytes
        return Fatal(LineTooLong(f"a line is longer than {limit} bytes", max_line_bytes=limit))
