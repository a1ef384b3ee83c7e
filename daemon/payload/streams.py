"""The command's pipes: input fed, output in bounded chunks; a slow reader holds up no other."""

import contextlib
import fcntl
import os
import struct
import termios
from collections.abc import Awaitable, Callable

import attrs
import trio

CHUNK_BYTES = 64 * 1024


@attrs.frozen
class Chunk:
    """A piece of a stream (``stdout`` or ``stderr``); ``offset``: the bytes before it."""

    stream: str
    offset: int
    data: bytes


class OutputPump:
    """Reads one output pipe; ``fd`` is its own and is closed when ``run`` ends."""

    def __init__(self, stream: str, fd: int) -> None:
        os.set_blocking(fd, False)
        self._stream = stream
        self._fd = fd
        self._is_open = True
        self._left: int | None = None

    async def run(self, on_output: Callable[[Chunk], Awaitable[None]]) -> None:
        """Hands over chunk by chunk, until the end of the stream or what ``finish`` left."""
        offset = 0
        try:
            while data := await self._read():
                await on_output(Chunk(self._stream, offset, data))
                offset += len(data)
        finally:
            self._is_open = False
            os.close(self._fd)

    def finish(self) -> None:
        """The command is gone: read what is in the pipe now, wait for no more.

        Without this, a process that escaped and holds the pipe would keep the task from ending.
        """
        if self._is_open:
            self._left = _bytes_waiting(self._fd)
            trio.lowlevel.notify_closing(self._fd)

    async def _read(self) -> bytes:
        while self._left is None:
            with contextlib.suppress(trio.ClosedResourceError):
                await trio.lowlevel.wait_readable(self._fd)
            if self._left is None:  # finish() may have come between the wake-up and this line
                with contextlib.suppress(BlockingIOError):
                    return os.read(self._fd, CHUNK_BYTES)
        data = os.read(self._fd, min(CHUNK_BYTES, self._left)) if self._left else b""
        self._left -= len(data)
        return data


class InputFeed:
    """Writes ``stdin`` into a pipe; what fits is written at once, the rest by ``run``."""

    def __init__(self, fd: int, data: bytes) -> None:
        self._pipe = trio.lowlevel.FdStream(fd)
        self._rest = memoryview(data)[os.write(fd, data[:CHUNK_BYTES]) :]
        if not self._rest:
            self._pipe.close()

    async def run(self) -> None:
        """Feeds the rest; ends early when nobody reads any more."""
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await self._pipe.send_all(self._rest)
        self.close()

    @property
    def is_done(self) -> bool:
        """Whether everything is written."""
        return not self._rest

    def close(self) -> None:
        """The command sees the end of its input; a waiting ``run`` ends."""
        self._pipe.close()


def _bytes_waiting(fd: int) -> int:
    answer = fcntl.ioctl(fd, termios.FIONREAD, struct.pack("i", 0))
    return int(struct.unpack("i", answer)[0])
