"""A connection to a slotd over a blocking socket: what it costs is the benchmark's, not slotd's."""

import itertools
import os
import socket
from collections import deque
from types import TracebackType
from typing import Any

import orjson

from tests.benchmarks.processes import Daemon

TIMEOUT_S = 60.0


def connect(host: str, port: int) -> socket.socket:
    """A socket that sends at once."""
    opened = socket.create_connection((host, port), TIMEOUT_S)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened


class Conversation:
    """Requests in, answers and notifications out, in the order in which they come."""

    def __init__(self, daemon: Daemon) -> None:
        host, _, port = daemon.address.rpartition(":")
        self.socket = connect(host, int(port))
        self._keys = itertools.count(1)
        self._rest = b""
        self._messages: deque[dict[str, Any]] = deque()
        self.ask("hello", protocol=1, client="benchmark/1", token=daemon.token)

    def __enter__(self) -> "Conversation":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.socket.close()

    def send(self, method: str, **params: Any) -> int:
        """Ask and do not wait; the id of the request."""
        key = next(self._keys)
        line = {"jsonrpc": "2.0", "id": key, "method": method, "params": params}
        self.socket.sendall(orjson.dumps(line) + b"\n")
        return key

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of a request. Raises RuntimeError when it is refused."""
        key = self.send(method, **params)
        while (message := self.read()).get("id") != key:
            pass
        return result_of(message)

    def until(self, method: str) -> dict[str, Any]:
        """The params of the next notification of this name; other messages are dropped."""
        while (message := self.read()).get("method") != method:
            pass
        params: dict[str, Any] = message["params"]
        return params

    def read(self) -> dict[str, Any]:
        """The next message."""
        while not self._messages:
            chunk = self.socket.recv(1 << 16)
            if not chunk:
                raise RuntimeError("slotd hung up")
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            self._messages.extend(orjson.loads(line) for line in lines)
        return self._messages.popleft()

    def open_job(self) -> str:
        """The id of a new job."""
        job_id: str = self.ask("job.open", name="benchmark")["job_id"]
        return job_id

    def close_job(self, job_id: str) -> None:
        """End a job, so that its slots are free at once."""
        self.ask("job.close", job_id=job_id)


def result_of(message: dict[str, Any]) -> dict[str, Any]:
    """The result of an answer. Raises RuntimeError when it is a refusal."""
    if "result" not in message:
        raise RuntimeError(f"refused: {message}")
    result: dict[str, Any] = message["result"]
    return result


def fresh_id() -> str:
    """32 hexadecimal digits."""
    return os.urandom(16).hex()
