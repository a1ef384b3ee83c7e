"""Takes connections in: few strangers at once, everybody known until they hang up or we do."""

import ipaddress
import socket
from collections.abc import Sequence

import attrs
import structlog
import trio

from daemon.wire.bugs import Bugs
from daemon.wire.door import Door
from daemon.wire.limits import WireCounters, WireLimits
from daemon.wire.peers import Gateway
from daemon.wire.sessions import Session
from daemon.wire.transport import carry
from protocol.errors import SlotdError

_log = structlog.get_logger("slotd.wire")


async def open_listeners(host: str, port: int) -> list[trio.SocketListener]:
    """Listen on a loopback address; port 0 takes any free one.

    Raises:
        ValueError: the address is not loopback; nothing listens beyond it without TLS.
        OSError: it cannot be bound.

    """
    if not _is_loopback(host):
        raise ValueError(
            f"listen: {host} is not a loopback address, and beyond loopback slotd listens only"
            " with TLS; expected 127.0.0.1, ::1 or localhost"
        )
    return await trio.open_tcp_listeners(port, host=host)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def address_of(listener: trio.SocketListener) -> str:
    """``host:port`` of what was bound."""
    return _written(listener.socket.getsockname())


def _written(name: tuple[str, int] | tuple[str, int, int, int]) -> str:
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@attrs.define(eq=False)
class Listener:
    """Every connection that was accepted, from the first byte to the last."""

    door: Door
    gateway: Gateway
    limits: WireLimits = attrs.field(factory=WireLimits)
    counters: WireCounters = attrs.field(factory=WireCounters)
    _strangers: dict[Session, None] = attrs.field(factory=dict[Session, None], init=False)
    _known: dict[Session, None] = attrs.field(factory=dict[Session, None], init=False)

    @property
    def sessions(self) -> list[Session]:
        """Those who said a good hello, in the order in which they did."""
        return list(self._known)

    @property
    def strangers(self) -> int:
        """How many connections have not said hello yet."""
        return len(self._strangers)

    async def serve(
        self, listeners: Sequence[trio.abc.Listener[trio.SocketStream]], sessions: trio.Nursery
    ) -> None:
        """Accept until cancelled; each connection is a child of ``sessions`` and outlives this.

        Running out of file descriptors is waited out.
        """
        await trio.serve_listeners(self.attend, list(listeners), handler_nursery=sessions)

    async def attend(self, stream: trio.abc.Stream) -> None:
        """Serve one connection until it ends; never raises but for cancellation."""
        self.counters.accepted += 1
        if len(self._strangers) >= self.limits.unauthenticated:
            self.counters.turned_away += 1
            await trio.aclose_forcefully(stream)
            return
        session = Session(
            self.gateway,
            door=self.door,
            limits=self.limits,
            counters=self.counters,
            where=_peer_of(stream, self.limits),
            admitted=self._admit,
        )
        self._strangers[session] = None
        try:
            await Bugs(self.counters, session.name).contained_task(
                "a connection", carry, session, stream
            )
        finally:
            self._strangers.pop(session, None)
            self._known.pop(session, None)
            _log.debug("closed", session=session.name)

    def _admit(self, session: Session) -> None:
        del self._strangers[session]
        self._known[session] = None

    def say_goodbye(self, why: SlotdError) -> None:
        """End every connection: what was asked is refused with ``why``, what is queued is sent.

        They close by themselves; whoever waits for that bounds the wait.
        """
        for session in [*self._strangers, *self._known]:
            session.say_goodbye(why)


def _peer_of(stream: trio.abc.Stream, limits: WireLimits) -> str:
    if not isinstance(stream, trio.SocketStream):
        return "memory"
    watch_for_silence(stream, limits.write_timeout_s)
    try:
        return _written(stream.socket.getpeername())
    except OSError:
        return "nobody"


def watch_for_silence(stream: trio.SocketStream, write_timeout_s: float) -> None:
    """Let the kernel notice a host that vanished: a second net under the heartbeats.

    Not sooner than we would give up ourselves: to the kernel, a peer that only does not read for
    a while (a paused pager) is as silent as one that is gone.
    """
    try:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        timeout_ms = int(write_timeout_s * 1000)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timeout_ms)
    except OSError:
        return  # not TCP, or gone already
