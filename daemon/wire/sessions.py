"""One end of a connection: hello, then requests both ways; what goes wrong in one stays in it.

Nothing here waits for the peer: frames come in, lines go to the outbox, `transport.py` carries.
Requests are started in the order of their lines, without a task for each.
"""

import itertools
import math
from collections.abc import Callable
from typing import TypeVar

import structlog
import trio

from daemon.wire.bugs import Bugs
from daemon.wire.door import Door
from daemon.wire.limits import WireCounters, WireLimits
from daemon.wire.outbox import Outbox
from daemon.wire.own_calls import OwnCalls
from daemon.wire.peer_requests import PeerRequest, PeerRequests
from daemon.wire.peers import Gateway, Peer, PendingCall
from protocol.codec import (
    decode_notification,
    decode_request,
    encode_answer,
    encode_notification,
    unknown_params,
)
from protocol.connection import (
    LINE_LIMIT_BEFORE_HELLO,
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
from protocol.errors import InvalidRequest, MethodNotFound, Overloaded, PeerGone, SlotdError
from protocol.messages.calls import EMPTY, Notification, Request
from protocol.messages.session import CancelRequest, Hello, Ping
from protocol.methods import REQUESTS

R = TypeVar("R")
_log = structlog.get_logger("slotd.wire")
_numbers = itertools.count(1)


class Session(Peer):
    """A Peer to call, and the Caller of what the other end asks.

    ``door`` is None at the end that dialled: it says hello, hears none, and serves from the start.
    ``admitted`` is called once, when the peer has said a good hello.
    """

    def __init__(
        self,
        gateway: Gateway,
        *,
        door: Door | None,
        limits: WireLimits,
        counters: WireCounters,
        where: str,
        admitted: Callable[["Session"], None] | None = None,
    ) -> None:
        self.name = f"{next(_numbers)} {where}"
        self.limits = limits
        self.counters = counters
        self.connection = Connection(LINE_LIMIT_BEFORE_HELLO if door else limits.max_line_bytes)
        self.outbox = Outbox(limits.outbound_bytes)
        self.reading = trio.CancelScope()
        self.ending: SlotdError | None = None
        self._gateway = gateway
        self._door = door
        self._admitted = admitted
        self._bugs = Bugs(counters, self.name)
        self._own_calls = OwnCalls(self.outbox.put)
        self._requests = PeerRequests(self.outbox.put, self._bugs, limits.requests_in_flight)
        self._gone = trio.Event()

    def __repr__(self) -> str:
        return f"<Session {self.name}>"

    # Peer and Caller

    @property
    def peer(self) -> Peer:
        """Call back over the same connection."""
        return self

    def start(self, request: Request[R]) -> PendingCall[R]:
        """Send a call now. It fails at once with PeerGone, or with Overloaded when nobody reads."""
        call: PendingCall[R] = PendingCall()
        if self.ending is not None:
            call.fail(PeerGone(f"{request.METHOD}: the connection is closed"))
        elif self.outbox.is_full:
            call.fail(Overloaded(f"{request.METHOD}: the peer does not read what waits for it"))
        else:
            error = self._bugs.contained(request.METHOD, self._own_calls.start, request, call)
            if error is not None:
                call.fail(error)
        return call

    def try_notify(self, notification: Notification) -> bool:
        """Queue a notification; False, and nothing happens, when the buffer is full or closed."""
        if self.ending is not None or self.outbox.is_full:
            return False
        self._bugs.contained(
            notification.METHOD, lambda: self.outbox.put(encode_notification(notification))
        )
        return True

    async def notify(self, notification: Notification) -> None:
        """Queue a notification, waiting for room. Raises PeerGone."""
        await trio.lowlevel.checkpoint()
        while not self.try_notify(notification):
            if self.ending is not None:
                raise PeerGone(f"{notification.METHOD}: the connection is closed")
            await self.outbox.room()

    async def gone(self) -> None:
        """Wait until the connection is closed."""
        await self._gone.wait()

    # What arrives

    @property
    def waits_for_hello(self) -> bool:
        """Whether the peer has not yet said who it is."""
        return self._door is not None

    def receive(self, frame: Frame) -> None:
        """Take one frame. Never raises: what is wrong is answered. Once ending, nothing counts."""
        if self.ending is not None:
            return
        if self._door is not None:
            self._hear_hello(self._door, frame)
            return
        match frame:
            case RequestFrame():
                self._requests.start(frame, self._start)
            case ResponseFrame():
                self._take_response(frame)
            case NotificationFrame():
                self._take_notification(frame)
            case BadLine(error, key):
                self._refuse_line(error, key)
            case Fatal(error):
                self._refuse_line(error)
                self.end(error)

    def _hear_hello(self, door: Door, frame: Frame) -> None:
        key = frame.id if isinstance(frame, RequestFrame) else None
        try:
            hello = door.knock(frame)
        except SlotdError as error:
            self.refuse_entry(error, key)
            return
        assert key is not None
        self._door = None
        self.name = self._bugs.session = f"{self.name} {hello.client}"
        self.connection.max_line_bytes = self.limits.max_line_bytes
        self.reading.deadline = math.inf
        self.outbox.put(encode_answer(key, door.welcome))
        _log.debug("hello", session=self.name)
        if self._admitted is not None:
            self._admitted(self)

    def refuse_entry(self, error: SlotdError, key: RequestKey | None = None) -> None:
        """Say why there is no entry, and close."""
        self.counters.refused += 1
        _log.info("no entry", session=self.name, error=type(error).__name__)
        self.outbox.put(make_error(key, error))
        self.end(error)

    def _refuse_line(self, error: SlotdError, key: RequestKey | None = None) -> None:
        self.counters.bad_lines += 1
        self.outbox.put(make_error(key, error))

    def _start(self, frame: RequestFrame, reply: PeerRequest) -> None:
        if frame.method == Ping.METHOD:
            reply.succeed(EMPTY)
        elif frame.method == Hello.METHOD:
            raise InvalidRequest("hello is said once, and was said before")
        else:
            request = decode_request(frame.method, frame.params)
            self.counters.unknown_params += unknown_params(type(request), frame.params)
            reply.withdraw = self._gateway.submit(request, reply, self)

    def _take_response(self, frame: ResponseFrame) -> None:
        if frame.id is None:
            _log.warning("a line of ours was refused", session=self.name, error=str(frame.error))
            return
        error = self._bugs.contained("a response", self._own_calls.settle, frame)
        if error is not None:
            self._refuse_line(InvalidRequest(error.message))

    def _take_notification(self, frame: NotificationFrame) -> None:
        error = self._bugs.contained(frame.method, self._hear, frame)
        if isinstance(error, MethodNotFound):
            # A newer peer may tell more than we know; who forgot the id of a request is told so.
            self.counters.bad_lines += 1
            if frame.method in REQUESTS:
                error = InvalidRequest(f"{frame.method} is a request: give it an id")
                self.outbox.put(make_error(None, error))
        elif error is not None:
            self._refuse_line(error)

    def _hear(self, frame: NotificationFrame) -> None:
        notification = decode_notification(frame.method, frame.params)
        self.counters.unknown_params += unknown_params(type(notification), frame.params)
        if isinstance(notification, CancelRequest):
            self._requests.cancel(notification.id)
        else:
            self._gateway.notice(notification, self)

    # The end

    def end(self, why: SlotdError) -> None:
        """Read no more, send what is queued, then close."""
        if self.ending is None:
            self.ending = why
            self.outbox.close()
            self.reading.cancel()

    def say_goodbye(self, why: SlotdError) -> None:
        """Withdraw what the peer asked, answering ``why``, and end."""
        self._requests.refuse_all(why)
        self.end(why)

    def close(self) -> None:
        """The connection is gone: everything that hangs on it is withdrawn, once."""
        self.end(PeerGone("the connection is closed"))
        self.outbox.discard()
        self._requests.withdraw_all()
        self._own_calls.fail_all(PeerGone(f"the connection {self.name} is closed"))
        if not self._gone.is_set():
            self._gone.set()
            if not self.waits_for_hello:
                self._bugs.contained("the end of a connection", self._gateway.hung_up, self)
