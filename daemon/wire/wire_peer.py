"""An outgoing connection: it says hello, and then is a session like any other: both ends call."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio

from daemon.wire.limits import WireCounters, WireLimits
from daemon.wire.listener import watch_for_silence
from daemon.wire.peers import Gateway
from daemon.wire.sessions import Session
from daemon.wire.transport import carry
from protocol.errors import PeerGone
from protocol.messages.session import PROTOCOL_VERSION, Hello


@asynccontextmanager
async def dial(
    address: str,
    token: str,
    gateway: Gateway,
    *,
    client: str = "slotd",
    limits: WireLimits | None = None,
    counters: WireCounters | None = None,
) -> AsyncGenerator[Session, None]:
    """A session with the daemon at ``address`` (``host:port``), closed at the end of the block.

    Callers bound the wait with a cancel scope. What the other end asks goes to ``gateway``. A
    connection that breaks shows as PeerGone in every call and in ``gone()``; the block goes on.

    Raises:
        PeerGone: nobody answers there.
        Unauthenticated, UnsupportedProtocol: hello was refused.

    """
    limits = limits or WireLimits()
    stream = await _connect(address)
    watch_for_silence(stream, limits.write_timeout_s)
    session = Session(
        gateway,
        door=None,
        limits=limits,
        counters=counters or WireCounters(),
        where=address,
    )
    async with speak(session, stream, Hello(PROTOCOL_VERSION, client, token)):
        yield session


@asynccontextmanager
async def speak(
    session: Session, stream: trio.abc.Stream, hello: Hello
) -> AsyncGenerator[None, None]:
    """Carry a session over a stream that is connected, hello said, for the length of the block.

    After the block, what is queued is still sent; not when the block is cancelled or raises.
    """
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(carry, session, stream)
            await session.call(hello)
            yield
            session.end(PeerGone("this end hung up"))
            with trio.move_on_after(session.limits.linger_s):
                await session.gone()
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        # The nursery is a means: what the block raised is what its user must see.
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from None
        raise


async def _connect(address: str) -> trio.SocketStream:
    host, _, port = address.rpartition(":")
    if not (host and port.isascii() and port.isdigit()):
        raise PeerGone(f"{address!r} is no address: expected host:port")
    try:
        return await trio.open_tcp_stream(host.strip("[]"), int(port))
    except OSError as error:
        raise PeerGone(f"nobody answers at {address}: {error}") from None
