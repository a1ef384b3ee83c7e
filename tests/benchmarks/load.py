"""The load of the wire rows: so many requests unanswered at any time, over one or more sockets.

The lines are cheap to make and to read: the generator must not be what limits the rate.
"""

import re
import selectors
import socket
import time
from collections.abc import Sequence

import attrs

from tests.benchmarks.conversation import TIMEOUT_S

_ANSWER = re.compile(rb'"id":(\d+),"result":\{"request_id"')


def allocation(job_id: str, number: int) -> bytes:
    """The line that asks for a slot, under an even id."""
    return (
        b'{"jsonrpc":"2.0","id":%d,"method":"slot.allocate","params":{"job_id":"%s",'
        b'"request_id":"%032x","profile":{"cpu_cores":0.001,"memory_mb":1},"timeout":30}}\n'
    ) % (2 * number, job_id.encode(), number)


def release(job_id: str, number: int) -> bytes:
    """The line that gives it back, under an odd id."""
    return (
        b'{"jsonrpc":"2.0","id":%d,"method":"slot.release","params":{"job_id":"%s",'
        b'"request_id":"%032x"}}\n'
    ) % (2 * number + 1, job_id.encode(), number)


@attrs.define(eq=False)
class Client:
    """One connection and its job; at an echo, any job."""

    socket: socket.socket
    job_id: str = "f" * 32
    _next: int = 0
    _rest: bytes = b""

    def ask(self, count: int) -> bytes:
        """The lines of the next requests."""
        first = self._next
        self._next += count
        return b"".join(allocation(self.job_id, number) for number in range(first, self._next))

    def take(self) -> list[int]:
        """Read once; the numbers of the requests that were granted."""
        data = self._rest + self.socket.recv(1 << 16)
        complete, _, self._rest = data.rpartition(b"\n")
        if b'"error":' in complete or not data:
            raise RuntimeError(f"refused: {complete[:500]!r}")
        return [int(key) >> 1 for key in _ANSWER.findall(complete)]

    def give_back(self, numbers: list[int]) -> bytes:
        """The lines of the releases."""
        return b"".join(release(self.job_id, number) for number in numbers)


@attrs.frozen
class Rate:
    """So many grants in so many seconds."""

    grants: int
    seconds: float

    @property
    def per_s(self) -> float:
        """Grants per second."""
        return self.grants / self.seconds


def keep_asking(
    clients: Sequence[Client], outstanding: int, count: int, limit_s: float = 120.0
) -> Rate:
    """Keep ``outstanding`` requests unanswered, shared evenly, until ``count`` are granted.

    After ``limit_s`` it ends with what was granted until then.
    """
    done, asked = 0, min(outstanding, count)
    begin = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        for number, client in enumerate(clients):
            selector.register(client.socket, selectors.EVENT_READ, client)
            client.socket.sendall(client.ask(len(range(number, asked, len(clients)))))
        while done < asked:
            for key, _ in selector.select(TIMEOUT_S):
                client = key.data
                granted = client.take()
                done += len(granted)
                more = min(len(granted), count - asked)
                asked += more
                client.socket.sendall(client.give_back(granted) + client.ask(more))
            if time.perf_counter() - begin > limit_s:
                count = asked
    return Rate(done, time.perf_counter() - begin)


def latencies(client: Client, count: int) -> list[float]:
    """Seconds from each request to its grant, one at a time; giving back is not counted."""
    taken: list[float] = []
    for _ in range(count):
        line = client.ask(1)
        begin = time.perf_counter()
        client.socket.sendall(line)
        while not (granted := client.take()):
            pass
        taken.append(time.perf_counter() - begin)
        client.socket.sendall(client.give_back(granted))
        _until_given_back(client.socket)
    return taken


def _until_given_back(socket: socket.socket) -> None:
    answer = b""
    while not answer.endswith(b"\n"):
        answer += socket.recv(1 << 12)
    if b'"released":true' not in answer:
        raise RuntimeError(f"not given back: {answer[:500]!r}")
