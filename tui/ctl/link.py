"""One blocking connection to the daemon; every wait can be ended by a signal or a deadline."""

import select
import socket
import time
from collections import deque
from typing import Any, Self

from protocol.connection import (
    BadLine,
    Connection,
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
)
from protocol.errors import MethodNotFound
from tui.ctl.exits import FAILED, START_IT, UNREACHABLE, Failure, Interrupted, LinkLost, Refused
from tui.ctl.signals import Signals

CONNECT_TIMEOUT_S = 5.0
CALL_TIMEOUT_S = 30.0
RECEIVE_BYTES = 1 << 16
ANSWER_LIMIT_BYTES = 1 << 28
"""A snapshot is one line; this only bounds what a daemon gone mad can make us hold."""
NEWS_LIMIT = 10_000
"""Notifications kept while an answer is awaited; more is a failure, not a growing heap."""


class Link:
    """Requests out, frames in. Answers that nobody asked for are dropped."""

    def __init__(self, connected: socket.socket, signals: Signals | None = None) -> None:
        connected.setblocking(False)
        self._socket = connected
        self._signals = signals
        self._connection = Connection(ANSWER_LIMIT_BYTES)
        self._frames: deque[Frame] = deque()
        self._news: deque[NotificationFrame] = deque()
        self._last_key = 0
        self.max_line_bytes = ANSWER_LIMIT_BYTES

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def fileno(self) -> int:
        """For waiting on several things at once."""
        return self._socket.fileno()

    def send(self, method: str, params: dict[str, Any]) -> RequestKey:
        """Start a request; its answer comes as a ResponseFrame with this key.

        Raises:
            Failure: the line would be longer than the daemon reads.
            LinkLost: the daemon hung up.

        """
        self._last_key += 1
        line = make_request(self._last_key, method, params)
        if len(line) > self.max_line_bytes:
            raise Failure(f"{method}: {len(line)} bytes are more than slotd reads in one line")
        self._send_all(line)
        return self._last_key

    def cancel(self, key: RequestKey) -> None:
        """Withdraw a request; it is answered with RequestCancelled unless it was answered."""
        self._send_all(make_notification("$/cancelRequest", {"id": key}))

    def call(
        self, method: str, params: dict[str, Any], within: float | None = CALL_TIMEOUT_S
    ) -> Any:
        """Ask and wait up to ``within`` seconds; what else arrives is kept for ``receive``.

        Raises:
            Refused: the daemon answered with an error.
            Interrupted: a noted signal arrived first.
            Failure: no answer in time.

        """
        key = self.send(method, params)
        deadline = None if within is None else time.monotonic() + within
        while True:
            left = None if deadline is None else deadline - time.monotonic()
            frame = self._next(left)
            if isinstance(frame, ResponseFrame) and frame.id == key:
                return result_of(frame)
            if isinstance(frame, NotificationFrame):
                self._keep(frame)
            elif frame is None:
                self._raise_if_interrupted()
                if deadline is not None and time.monotonic() >= deadline:
                    raise Failure(f"slotd did not answer {method} within {within:g} s")

    def receive(self, timeout: float | None = None) -> ResponseFrame | NotificationFrame | None:
        """The next answer or notification; None after ``timeout`` seconds or when a signal came."""
        return self._news.popleft() if self._news else self._next(timeout)

    def writable(self, fd: int) -> bool:
        """Wait until ``fd`` takes a few bytes without blocking; False when a signal came first."""
        poll = select.poll()
        poll.register(fd, select.POLLOUT)
        if self._signals:
            poll.register(self._signals.fd, select.POLLIN)
        return any(ready == fd for ready, _ in poll.poll())

    def _keep(self, frame: NotificationFrame) -> None:
        if len(self._news) >= NEWS_LIMIT:
            raise Failure("slotd sends faster than its news can be taken")
        self._news.append(frame)

    def _next(self, timeout: float | None) -> ResponseFrame | NotificationFrame | None:
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            while self._frames:
                frame = self._accept(self._frames.popleft())
                if frame is not None:
                    return frame
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not self._wait(select.POLLIN, left):
                return None
            self._read()

    def _accept(self, frame: Frame) -> ResponseFrame | NotificationFrame | None:
        match frame:
            case ResponseFrame(id=None, error=error) if error is not None:
                raise Refused(error)
            case ResponseFrame() | NotificationFrame():
                return frame
            case RequestFrame(method="ping"):
                self._send_all(make_response(frame.id, {}))
            case RequestFrame():
                refusal = MethodNotFound(f"slotctl serves no method {frame.method!r}")
                self._send_all(make_error(frame.id, refusal))
            case BadLine() | Fatal():
                raise LinkLost(f"what answers is not slotd: {frame.error.message}", FAILED)
        return None

    def _read(self) -> None:
        try:
            data = self._socket.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            raise LinkLost(f"slotd hung up: {error.strerror or error}") from None
        if not data:
            raise LinkLost("slotd hung up", advice=START_IT)
        self._frames.extend(self._connection.receive_data(data))

    def _send_all(self, line: bytes) -> None:
        view = memoryview(line)
        while view:
            try:
                view = view[self._socket.send(view) :]
            except BlockingIOError:
                if not self._wait(select.POLLOUT, CALL_TIMEOUT_S, heed_signals=False):
                    raise LinkLost("slotd does not read what it is sent") from None
            except OSError as error:
                raise LinkLost(f"slotd hung up: {error.strerror or error}") from None

    def _wait(self, event: int, timeout: float | None, *, heed_signals: bool = True) -> bool:
        poll = select.poll()
        poll.register(self._socket, event)
        if self._signals and heed_signals:
            poll.register(self._signals.fd, select.POLLIN)
        ready = poll.poll(None if timeout is None else timeout * 1000)
        return any(fd == self._socket.fileno() for fd, _ in ready)

    def _raise_if_interrupted(self) -> None:
        number = self._signals.take() if self._signals else None
        if number is not None:
            raise Interrupted(number)


def result_of(frame: ResponseFrame) -> Any:
    """The result that an answer carries.

    Raises:
        Refused: it carries an error.

    """
    if frame.error is not None:
        raise Refused(frame.error)
    return frame.result


def dial(address: str, signals: Signals | None = None) -> Link:
    """A connection to ``host:port``.

    Raises:
        Failure: nobody listens there (exit code 69), or it is no address.

    """
    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isdecimal() and int(port) < 1 << 16):
        raise Failure(f"{address!r} is not HOST:PORT", FAILED)
    try:
        connected = socket.create_connection((host.strip("[]"), int(port)), CONNECT_TIMEOUT_S)
    except OSError as error:
        reason = error.strerror or str(error)
        raise Failure(
            f"nobody answers at {address}: {reason}", UNREACHABLE, advice=START_IT
        ) from None
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Link(connected, signals)
