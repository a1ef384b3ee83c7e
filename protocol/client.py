"""A small Trio client for scripts: calls, notifications, and serving what the daemon asks.

    async with connect() as client:
        job = await client.call(OpenJob("nightly"))
        slot = await client.call(AllocateSlot(job.job_id, timeout=60))
        async for notification in client: ...

Every wait can be bounded with a cancel scope; a call that is cancelled is withdrawn at the daemon.
"""

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

import trio

from protocol.access import find_access
from protocol.codec import (
    decode_answer,
    decode_notification,
    decode_request,
    encode_answer,
    encode_notification,
    encode_request,
)
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
)
from protocol.errors import (
    InvalidParams,
    MethodNotFound,
    Overloaded,
    PeerGone,
    RequestCancelled,
    SlotdError,
)
from protocol.messages.calls import EMPTY, Notification, Request
from protocol.messages.session import PROTOCOL_VERSION, CancelRequest, Hello, Ping, Welcome
from protocol.methods import not_served

R = TypeVar("R")
Serve: TypeAlias = Callable[[Request[Any]], Awaitable[Any]]
"""Answers a request of the daemon, or raises a SlotdError to refuse it.

Requests are begun in order; each runs in its own task and is cancelled when it is withdrawn.
"""

MAX_LINE_BYTES = 256 << 20  # a snapshot is one line, and the daemon is trusted
MAX_NOTIFICATIONS = 100_000
_CHUNK_BYTES = 1 << 16
_OUTBOUND_BYTES = 1 << 20
_LOST = (trio.BrokenResourceError, trio.ClosedResourceError)


@asynccontextmanager
async def connect(
    state_dir: Path | None = None, *, client: str = "python/1", serve: Serve | None = None
) -> AsyncGenerator["Client", None]:
    """A client of the daemon whose access file is in ``state_dir``. Raises as ``open_client``."""
    address, token = find_access(state_dir)
    async with open_client(address, token, client=client, serve=serve) as opened:
        yield opened


@asynccontextmanager
async def open_client(
    address: str, token: str, *, client: str = "python/1", serve: Serve | None = None
) -> AsyncGenerator["Client", None]:
    """A client of the daemon at ``address`` (``host:port``), closed at the end of the block.

    Raises:
        PeerGone: nobody answers there.
        Unauthenticated, UnsupportedProtocol: the daemon does not let us in.

    """
    host, _, port = address.rpartition(":")
    try:
        stream = await trio.open_tcp_stream(host.strip("[]"), int(port))
    except (OSError, ValueError) as error:
        raise PeerGone(f"no slotd answers at {address}: {error}") from None
    opened = Client(stream, serve)
    try:
        async with stream, trio.open_nursery() as nursery:
            nursery.start_soon(opened.run)
            opened.welcome = await opened.call(Hello(PROTOCOL_VERSION, client, token))
            yield opened
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raise _cause_in(group) from None


def _cause_in(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Nurseries are a means: what one task raised is what the user of the client must see.

    A bug in serving closes the connection, so that calls end with PeerGone besides.
    """
    rest = group.split(PeerGone)[1] or group
    while len(rest.exceptions) == 1:
        only: BaseException = rest.exceptions[0]
        if not isinstance(only, BaseExceptionGroup):
            return only
        rest = cast("BaseExceptionGroup[BaseException]", only)
    return rest


class Client:
    """One connection to a daemon. ``welcome`` is what the daemon said about itself."""

    welcome: Welcome

    def __init__(self, stream: trio.abc.Stream, serve: Serve | None) -> None:
        self._stream = stream
        self._serve = serve
        self._connection = Connection(MAX_LINE_BYTES)
        self._outbound = bytearray()
        self._changed = trio.lowlevel.ParkingLot()
        self._calls: dict[RequestKey, _Call] = {}
        self._served: dict[RequestKey, trio.CancelScope] = {}
        self._notifications: deque[Notification] = deque()
        self._dropped = 0
        self._last_key = 0
        self._gone: PeerGone | None = None

    async def call(self, request: Request[R]) -> R:
        """Ask the daemon and wait for its answer.

        Raises:
            SlotdError: the daemon refused; PeerGone when the connection broke.
            ProtocolError: the answer was malformed.

        """
        self._last_key += 1
        key, call = self._last_key, _Call()
        self._put(encode_request(key, request))
        self._calls[key] = call
        try:
            await call.answered.wait()
        finally:
            if self._calls.pop(key, None) is not None and self._gone is None:
                self._put(encode_notification(CancelRequest(key)))
        if call.error is not None:
            raise call.error
        return decode_answer(type(request), call.result)

    async def notify(self, notification: Notification) -> None:
        """Tell the daemon, waiting while too much is unsent. Raises PeerGone."""
        await trio.lowlevel.checkpoint()
        while len(self._outbound) > _OUTBOUND_BYTES and self._gone is None:
            await self._changed.park()
        self._put(encode_notification(notification))

    def __aiter__(self) -> "Client":
        """Iterate over what the daemon tells, in order; ends when the connection does."""
        return self

    async def __anext__(self) -> Notification:
        """Wait for the next notification.

        Raises:
            Overloaded: so many were not read that older ones had to be dropped; go on if you like.

        """
        await trio.lowlevel.checkpoint()
        while not self._notifications and self._gone is None:
            await self._changed.park()
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            raise Overloaded(f"{dropped} notifications were not read in time and are lost")
        if not self._notifications:
            raise StopAsyncIteration
        return self._notifications.popleft()

    def _put(self, line: bytes) -> None:
        if self._gone is not None:
            raise self._gone
        self._outbound += line
        self._changed.unpark_all()

    async def run(self) -> None:
        """Carry the connection until it ends; `open_client` does this."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write)
                await self._read(nursery)
                nursery.cancel_scope.cancel()
        finally:
            self._lose("the connection is closed")

    def _lose(self, why: str) -> None:
        self._gone = self._gone or PeerGone(why)
        for call in self._calls.values():
            call.settle(None, self._gone)
        self._calls.clear()
        self._changed.unpark_all()

    async def _write(self) -> None:
        try:
            while True:
                while not self._outbound:
                    await self._changed.park()
                batch = bytes(self._outbound)
                self._outbound.clear()
                self._changed.unpark_all()
                await self._stream.send_all(batch)
        except _LOST:
            return  # the reader sees the end as well, after what the daemon still said

    async def _read(self, nursery: trio.Nursery) -> None:
        try:
            while chunk := await self._stream.receive_some(_CHUNK_BYTES):
                for frame in self._connection.receive_data(bytes(chunk)):
                    await self._take(frame, nursery)
        except _LOST:
            return
        except _NotSlotd as error:
            self._lose(f"what answers does not speak like a slotd: {error}")

    async def _take(self, frame: Frame, nursery: trio.Nursery) -> None:
        match frame:
            case ResponseFrame(key, result, error):
                call = self._calls.pop(key, None) if key is not None else None
                if call is not None:
                    call.settle(result, error)
            case NotificationFrame(method, params):
                self._hear(method, params)
            case RequestFrame():
                await nursery.start(self._answer, frame)
            case BadLine(error) | Fatal(error):
                raise _NotSlotd(error.message)

    def _hear(self, method: str, params: dict[str, Any]) -> None:
        try:
            notification = decode_notification(method, params)
        except (MethodNotFound, InvalidParams):
            return  # a newer daemon tells more than we know
        if isinstance(notification, CancelRequest):
            scope = self._served.get(notification.id)
            if scope is not None:
                scope.cancel()
            return
        self._notifications.append(notification)
        if len(self._notifications) > MAX_NOTIFICATIONS:
            self._notifications.popleft()
            self._dropped += 1
        self._changed.unpark_all()

    async def _answer(self, frame: RequestFrame, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        line = make_error(frame.id, RequestCancelled("withdrawn by its caller"))
        with trio.CancelScope() as scope:
            self._served[frame.id] = scope
            try:
                line = encode_answer(frame.id, await self._result(frame))
            except SlotdError as error:
                line = make_error(frame.id, error)
            finally:
                del self._served[frame.id]
        if self._gone is None:
            self._put(line)

    async def _result(self, frame: RequestFrame) -> Any:
        if frame.method == Ping.METHOD:
            return EMPTY
        if self._serve is None:
            raise not_served(frame.method, "this client")
        return await self._serve(decode_request(frame.method, frame.params))


class _NotSlotd(Exception):
    """A line that no slotd writes."""


class _Call:
    """A call that waits for its answer."""

    def __init__(self) -> None:
        self.answered = trio.Event()
        self.result: Any = None
        self.error: SlotdError | None = None

    def settle(self, result: Any, error: SlotdError | None) -> None:
        self.result, self.error = result, error
        self.answered.set()
