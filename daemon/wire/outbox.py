"""What waits to be sent on one connection: many put, one writer takes; bounded in bytes."""

import trio

_BATCH_BYTES = 1 << 16


class Outbox:
    """Lines in order. ``put`` never waits: who produces more than answers looks at ``is_full``."""

    def __init__(self, capacity_bytes: int) -> None:
        self._capacity_bytes = capacity_bytes
        self._lines: list[bytes] = []
        self._bytes = 0
        self._closed = False
        self._writer = trio.lowlevel.ParkingLot()
        self._waiting_for_room = trio.lowlevel.ParkingLot()

    @property
    def is_full(self) -> bool:
        """Whether the peer must read before more is produced for it."""
        return self._bytes >= self._capacity_bytes

    def put(self, line: bytes) -> None:
        """Queue a line; dropped once the outbox is closed."""
        if self._closed:
            return
        self._lines.append(line)
        self._bytes += len(line)
        if self._writer:
            self._writer.unpark()

    async def room(self) -> None:
        """Wait until it is not full, or closed."""
        while self.is_full and not self._closed:
            await self._waiting_for_room.park()

    async def take(self) -> bytes:
        """Wait for lines and take some of them, joined; empty when closed and drained."""
        while not self._lines and not self._closed:
            await self._writer.park()
        batch = self._next_batch()
        self._bytes -= len(batch)
        if self._waiting_for_room and not self.is_full:
            self._waiting_for_room.unpark_all()
        return batch

    def _next_batch(self) -> bytes:
        if self._bytes <= _BATCH_BYTES:
            batch = b"".join(self._lines)
            self._lines.clear()
            return batch
        size = count = 0
        while size < _BATCH_BYTES:
            size += len(self._lines[count])
            count += 1
        batch = b"".join(self._lines[:count])
        del self._lines[:count]
        return batch

    def close(self) -> None:
        """Take no more lines; what is queued can still be taken."""
        self._closed = True
        self._writer.unpark_all()
        self._waiting_for_room.unpark_all()

    def discard(self) -> None:
        """Close, and forget what is queued."""
        self._lines.clear()
        self._bytes = 0
        self.close()
