"""A slotd that says only what a test scripts, in the script's order: one thread, one connection."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

TOKEN = "scripted-token"
WELCOME = {
    "protocol": 1,
    "server": "slotd/0.0.0",
    "daemon_id": "d" * 32,
    "cluster": "scripted",
    "roles": ["resource-manager"],
    "max_line_bytes": 1 << 20,
    "heartbeat_interval": 10.0,
}
JOB = "a" * 32
ALLOCATION = "b" * 32
TASK = "c" * 32
REQUEST = "e" * 32
PROFILE = {"cpu_cores": 2.0, "memory_mb": 4096, "extended": {"gpu": 1}}
GRANT = {
    "allocation_id": ALLOCATION,
    "slot_id": "te-1_3",
    "resource_id": "te-1",
    "host": "lab3",
    "slot_number": 3,
    "profile": PROFILE,
    "locality": "UNCONSTRAINED",
}


def snapshot(**members: Any) -> dict[str, Any]:
    """An empty cluster but for these."""
    kinds = ("leaders", "executors", "slots", "requests", "jobs", "tasks")
    return {"seq": 7, "at": 1000.0, **{kind: [] for kind in kinds}, **members}


def job(name: str, job_id: str = JOB) -> dict[str, Any]:
    """A job as a snapshot shows it."""
    counts = {"allocated": 1, "available": 0, "pending": 2, "waiting_for_resource_manager": 0}
    return {
        "job_id": job_id,
        "name": name,
        "state": "RUNNING",
        "leader_id": None,
        "pool": counts,
        "sharing_groups": [],
    }


def request(allocation_id: str = ALLOCATION, job_id: str = JOB) -> dict[str, Any]:
    """A waiting request as a snapshot shows it."""
    return {
        "allocation_id": allocation_id,
        "job_id": job_id,
        "profile": PROFILE,
        "state": "PENDING",
        "since": 988.0,
        "deadline": 1288.0,
        "slot_id": None,
    }


class Session:
    """The daemon's end of one connection."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._lines = connected.makefile("rb")
        self.asked: dict[str, Any] = {}

    def close(self) -> None:
        """Hang up."""
        self._lines.close()

    def expect_any(self) -> str:
        """The method of the next message."""
        self.asked = json.loads(self._lines.readline())
        method: str = self.asked["method"]
        return method

    def expect(self, method: str) -> dict[str, Any]:
        """The parameters of the next message, which must be this one."""
        line = self._lines.readline()
        assert line, f"expected {method}, but slotctl hung up"
        self.asked = json.loads(line)
        assert self.asked.get("method") == method, self.asked
        params: dict[str, Any] = self.asked["params"]
        return params

    def expect_answer(self) -> dict[str, Any]:
        """The answer to a request of ours."""
        answer: dict[str, Any] = json.loads(self._lines.readline())
        assert "method" not in answer, answer
        return answer

    def answer(self, result: Any, to: object = None) -> None:
        """Answer the last request, or the one with the id ``to``."""
        self.send({"id": to or self.asked["id"], "result": result})

    def refuse(self, code: int, message: str, to: object = None, **data: Any) -> None:
        """Refuse the last request, or the one with the id ``to``."""
        error = {"code": code, "message": message, "data": data}
        self.send({"id": to or self.asked["id"], "error": error})

    def notify(self, method: str, **params: Any) -> None:
        """Send a notification."""
        self.send({"method": method, "params": params})

    def send(self, message: dict[str, Any]) -> None:
        """Send any message."""
        self._socket.sendall(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    def exchange(self, method: str, result: Any) -> dict[str, Any]:
        """Expect a request and answer it; its parameters."""
        params = self.expect(method)
        self.answer(result)
        return params

    def expect_hang_up(self) -> None:
        """Nothing more is said."""
        assert self._lines.readline() == b""

    # What most scripts begin and end with.

    def let_in(self) -> None:
        """Hello."""
        hello = self.exchange("hello", WELCOME)
        assert hello["token"] == TOKEN
        assert hello["protocol"] == 1

    def open_job(self) -> dict[str, Any]:
        """Hello and a job; the parameters of ``job.open``."""
        self.let_in()
        params = self.expect("job.open")
        self.answer({"job_id": params["job_id"], "leader_id": "f" * 32})
        return params

    def grant(self) -> dict[str, Any]:
        """A job and a slot; the parameters of ``slot.allocate``."""
        self.open_job()
        params = self.expect("slot.allocate")
        self.answer({"request_id": params["request_id"], **GRANT})
        return params

    def start_task(self) -> dict[str, Any]:
        """A job, a slot and a task; the parameters of ``task.run``."""
        self.grant()
        return self.exchange("task.run", {"task_id": TASK})

    def close_job(self) -> None:
        """The job is closed, and nothing more is said."""
        self.exchange("job.close", {"released": 1})
        self.expect_hang_up()


class ScriptedSlotd:
    """Listens on a free port and plays one script to the first who connects."""

    def __init__(self, state_dir: Path, script: Callable[[Session], None]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._script = script
        self._error: BaseException | None = None
        self._state_dir = state_dir
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        access = {"address": self.address, "token": TOKEN, "fingerprint": None}
        (state_dir / "access.json").write_text(json.dumps(access))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            connected, _ = self._listener.accept()
            with connected, contextlib.closing(Session(connected)) as session:
                self._script(session)
        except BaseException as error:
            self._error = error

    def check(self) -> None:
        """Raises what the script raised; it must have been played to its end."""
        self._thread.join(20)
        alive = self._thread.is_alive()
        self._listener.close()
        if self._error is not None:
            raise self._error
        assert not alive, "the script was not played to its end"
