"""Carries one session over one stream: a task that reads, a task that writes, and a bounded end."""

import math

import trio

from daemon.wire.sessions import Session
from protocol.errors import PeerGone, Unauthenticated

_CHUNK_BYTES = 1 << 16
_LOST = (trio.BrokenResourceError, trio.ClosedResourceError)


async def carry(session: Session, stream: trio.abc.Stream) -> None:
    """Run until the connection is closed by either end; closes ``stream`` and ``session``."""
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_write, session, stream)
            await _read(session, stream)
            session.end(PeerGone("the peer hung up"))
    finally:
        session.close()
        await trio.aclose_forcefully(stream)


async def _read(session: Session, stream: trio.abc.Stream) -> None:
    if session.waits_for_hello:
        session.reading.deadline = trio.current_time() + session.limits.hello_timeout_s
    with session.reading:
        await _read_chunks(session, stream)
    if session.reading.cancelled_caught and session.ending is None:
        seconds = session.limits.hello_timeout_s
        session.refuse_entry(Unauthenticated(f"no hello came within {seconds:g} s"))


async def _read_chunks(session: Session, stream: trio.abc.Stream) -> None:
    while session.ending is None:
        # Back-pressure on this peer alone: who does not read its answers asks nothing more.
        await session.outbox.room()
        try:
            chunk = await stream.receive_some(_CHUNK_BYTES)
        except _LOST:
            return
        if not chunk:
            if session.connection.receive_eof() is not None:
                session.counters.bad_lines += 1
            return
        for frame in session.connection.receive_data(bytes(chunk)):
            session.receive(frame)


async def _write(session: Session, stream: trio.abc.Stream) -> None:
    """Send what is queued until the session ends; a peer that takes nothing ends it."""
    try:
        with trio.CancelScope() as patience:
            while batch := await session.outbox.take():
                for start in range(0, len(batch), _CHUNK_BYTES):
                    patience.deadline = trio.current_time() + session.limits.write_timeout_s
                    await stream.send_all(batch[start : start + _CHUNK_BYTES])
                patience.deadline = math.inf
    except _LOST:
        session.close()
        return
    session.counters.silent += patience.cancelled_caught
    session.close()
    if not (patience.cancelled_caught or isinstance(session.ending, PeerGone)):
        await _linger(session, stream)


async def _linger(session: Session, stream: trio.abc.Stream) -> None:
    """Closing a socket with unread data resets it, and the peer would never read why."""
    with trio.move_on_after(session.limits.linger_s):
        try:
            if isinstance(stream, trio.abc.HalfCloseableStream):
                await stream.send_eof()
            while await stream.receive_some(_CHUNK_BYTES):
                pass
        except (*_LOST, trio.BusyResourceError):
            return
