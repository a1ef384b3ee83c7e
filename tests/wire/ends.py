"""Both ends of a connection for tests: a gateway that notes what it is asked, and a raw client."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any

import attrs
import orjson
import trio
import trio.testing

from daemon.wire.door import Door
from daemon.wire.limits import WireLimits
from daemon.wire.listener import Listener
from daemon.wire.peers import Caller, Reply, Withdraw
from daemon.wire.sessions import Session
from protocol.messages.calls import Notification, Request
from protocol.messages.session import Welcome

TOKEN = "the-token-of-this-test"
WELCOME = Welcome(1, "slotd/0", "d" * 32, "slotd", ["resource-manager"], 1 << 20, 10.0)
HELLO = {"id": 0, "method": "hello", "params": {"protocol": 1, "client": "t/1", "token": TOKEN}}
JOB = "a" * 32
ALLOCATE = {"method": "slot.allocate", "params": {"job_id": JOB}}

Job = Callable[[Request[Any], Reply, Caller], None]


@attrs.define(eq=False)
class NotingGateway:
    """Answers nothing by itself unless ``job`` does; ``story`` has everything in order."""

    job: Job = lambda request, reply, caller: None
    asked: list[tuple[Request[Any], Reply]] = attrs.field(factory=list[tuple[Request[Any], Reply]])
    callers: list[Caller] = attrs.field(factory=list[Caller])
    story: list[object] = attrs.field(factory=list[object])

    def submit(self, request: Request[Any], reply: Reply, caller: Caller) -> Withdraw:
        number = len(self.asked)
        self.asked.append((request, reply))
        if caller not in self.callers:
            self.callers.append(caller)
        self.story.append(request)
        self.job(request, reply, caller)
        return lambda: self.story.append(("withdrawn", number))

    def notice(self, notification: Notification, caller: Caller) -> None:
        self.story.append(notification)

    def hung_up(self, caller: Caller) -> None:
        self.story.append("hung up")


@attrs.define(eq=False)
class RawClient:
    """Speaks in lines as `nc` would."""

    stream: trio.abc.HalfCloseableStream
    _rest: bytes = b""

    async def send(self, *messages: dict[str, Any]) -> None:
        await self.send_bytes(b"".join(orjson.dumps(message) + b"\n" for message in messages))

    async def send_bytes(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def receive(self) -> Any:
        """The next message; None at the end of the stream."""
        while b"\n" not in self._rest:
            try:
                chunk = await self.stream.receive_some(1 << 16)
            except trio.BrokenResourceError:
                return None
            if not chunk:
                return None
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        return orjson.loads(line)

    async def ask(self, message: dict[str, Any]) -> Any:
        await self.send(message)
        return await self.receive()

    async def refused(self, message: dict[str, Any]) -> Any:
        """The error that a message is answered with."""
        answer = await self.ask(message)
        assert "result" not in answer, answer
        assert answer["id"] == message.get("id")
        return answer["error"]


@attrs.define(eq=False)
class Wire:
    """A listener without sockets."""

    listener: Listener
    gateway: NotingGateway
    nursery: trio.Nursery

    def connect(self) -> RawClient:
        """A client over memory, which never blocks its sender."""
        near, far = trio.testing.memory_stream_pair()
        self.nursery.start_soon(self.listener.attend, far)
        return RawClient(near)

    def connect_unbuffered(self) -> RawClient:
        """A client over a link without any buffer: a sender waits for the other side to read."""
        near, far = trio.testing.lockstep_stream_pair()
        self.nursery.start_soon(self.listener.attend, far)
        return RawClient(near)

    async def known(self) -> RawClient:
        """A client that has said hello."""
        client = self.connect()
        assert "result" in await client.ask(HELLO)
        return client

    @property
    def session(self) -> Session:
        """The only session."""
        (session,) = self.listener.sessions
        return session


def not_for_ever() -> AbstractContextManager[object]:
    """A test that hangs fails: after 120 s, or at once when its clock jumps."""
    jumps = isinstance(trio.lowlevel.current_clock(), trio.testing.MockClock)
    return trio.fail_after(1e6 if jumps else 120)


@asynccontextmanager
async def open_wire(limits: WireLimits | None = None) -> AsyncGenerator[Wire, None]:
    """A listener without sockets, whose connections are cut at the end."""
    gateway = NotingGateway()
    listener = Listener(Door(TOKEN, WELCOME), gateway, limits or WireLimits())
    with not_for_ever():
        async with trio.open_nursery() as nursery:
            yield Wire(listener, gateway, nursery)
            nursery.cancel_scope.cancel()
