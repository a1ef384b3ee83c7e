"""Values that cannot be right, in lines to a real slotd: refused by name, nothing changed."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.end_to_end.conftest import Daemon, start_daemon

JOB, HEX = "a" * 32, "b" * 32
INVALID = -32602


@attrs.define
class Wire:
    """A connection that speaks as `nc` would, after a hello."""

    stream: Any

    def line(self, text: str) -> dict[str, Any]:
        self.stream.write(text.encode() + b"\n")
        self.stream.flush()
        answer: dict[str, Any] = json.loads(self.stream.readline())
        return answer

    def ask(self, method: str, params: object) -> dict[str, Any]:
        return self.line(json.dumps({"id": 1, "method": method, "params": params}))

    def settle(self) -> None:
        """Wait until the slot is allocated in every book."""
        missing = {"pool_changed", "slot_allocated"}
        assert "result" in self.ask("events.subscribe", {"from_seq": 1, "types": [*missing]})
        while missing:
            event = json.loads(self.stream.readline())["params"]
            pool = event.get("pool")
            if pool is None or pool["allocated"] == 1:
                missing.discard(event["type"])
        assert self.ask("events.unsubscribe", {})["result"] == {}

    def picture(self) -> dict[str, Any]:
        """The snapshot without what changes by itself."""
        snapshot: dict[str, Any] = self.ask("cluster.snapshot", {})["result"]
        for executor in snapshot["executors"]:
            del executor["last_heartbeat"]
        del snapshot["at"]
        return snapshot


@pytest.fixture
def wire(daemon: Daemon) -> Iterator[Wire]:
    """A job is open and its slot granted, so that there is something to spoil."""
    with socket.create_connection(("127.0.0.1", daemon.port)) as connected:
        wire = Wire(connected.makefile("rwb"))
        hello = {"protocol": 1, "client": "t/1", "token": daemon.token}
        assert "result" in wire.ask("hello", hello)
        assert "result" in wire.ask("job.open", {"name": "spoilt", "job_id": JOB})
        profile = {"cpu_cores": 1, "memory_mb": 1}
        grant = wire.ask("slot.allocate", {"job_id": JOB, "request_id": HEX, "profile": profile})
        assert "result" in grant, grant
        wire.settle()
        yield wire
        wire.stream.close()


def profile(**amounts: object) -> dict[str, object]:
    return {"job_id": JOB, "profile": {"cpu_cores": 1, "memory_mb": 1, **amounts}}


EXECUTOR = {
    "leader_id": HEX,
    "resource_id": "te-9",
    "host": "h",
    "address": "connection",
    "hardware": {"cpu_cores": 1, "memory_mb": 1},
}

BAD_VALUES: list[tuple[str, dict[str, object], str]] = [
    ("slot.allocate", profile(cpu_cores=-1), "params.profile.cpu_cores"),
    ("slot.allocate", profile(cpu_cores="1"), "params.profile.cpu_cores"),
    ("slot.allocate", profile(cpu_cores=1e300), "params.profile.cpu_cores"),
    ("slot.allocate", profile(cpu_cores=True), "params.profile.cpu_cores"),
    ("slot.allocate", profile(memory_mb=1.5), "params.profile.memory_mb"),
    ("slot.allocate", profile(memory_mb=-1), "params.profile.memory_mb"),
    ("slot.allocate", profile(memory_mb=10**30), "params.profile.memory_mb"),
    ("slot.allocate", profile(memory_mb=None), "params.profile.memory_mb"),
    ("slot.allocate", profile(extended={"gpu": -1}), "params.profile.extended.gpu"),
    ("slot.allocate", profile(extended={"g u": 1}), "params.profile.extended"),
    ("slot.allocate", profile(extended=[1]), "params.profile.extended"),
    ("slot.allocate", profile(cpus=4), "params.profile.cpus"),
    ("slot.allocate", {"job_id": JOB, "profile": 4}, "params.profile"),
    ("slot.allocate", {"job_id": JOB, "timeout": 0}, "params.timeout"),
    ("slot.allocate", {"job_id": JOB, "queued": "no"}, "params.queued"),
    ("slot.allocate", {"job_id": JOB, "request_id": "X" * 32}, "params.request_id"),
    ("slot.allocate", {"job_id": JOB, "preferred": [{"hots": "h"}]}, "params.preferred[0].hots"),
    ("slot.allocate", {"job_id": "a" * 31}, "params.job_id"),
    ("slot.allocate", {"job_id": "A" * 32}, "params.job_id"),
    ("slot.allocate", {}, "params.job_id"),
    ("slot.release", {"job_id": JOB, "request_id": 7}, "params.request_id"),
    ("slot.explain", {"job_id": JOB, "request_id": HEX[:8]}, "params.request_id"),
    ("job.open", {"name": ""}, "params.name"),
    ("job.open", {"name": "j", "job_id": "../../etc"}, "params.job_id"),
    ("job.close", {"job_id": None}, "params.job_id"),
    ("task.run", {"job_id": JOB, "request_id": HEX, "command": []}, "params.command"),
    ("task.run", {"job_id": JOB, "request_id": HEX, "command": "ls"}, "params.command"),
    ("task.cancel", {"task_id": "a/b"}, "params.task_id"),
    ("executor.drain", {"resource_id": "te 1"}, "params.resource_id"),
    ("leader.revoke", {"component": "resource-manager"}, "params.component"),
    (
        "resource_manager.register_task_executor",
        {**EXECUTOR, "resource_id": "x" * 129},
        "params.resource_id",
    ),
    (
        "resource_manager.register_task_executor",
        {**EXECUTOR, "hardware": {"cpu_cores": -1, "memory_mb": 1}},
        "params.hardware.cpu_cores",
    ),
    (
        "resource_manager.register_task_executor",
        {**EXECUTOR, "address": "nowhere"},
        "params.address",
    ),
    (
        "resource_manager.report_slots",
        {
            "leader_id": HEX,
            "instance_id": HEX,
            "slot_report": [{"slot_id": "te-1", "profile": None}],
        },
        "params.slot_report[0].slot_id",
    ),
    (
        "job_master.offer_slots",
        {
            "job_id": JOB,
            "leader_id": HEX,
            "resource_id": "te-1",
            "slots": [{"allocation_id": HEX, "slot_number": -1, "profile": None}],
        },
        "params.slots[0].slot_number",
    ),
]


def test_each_bad_value_is_named_and_changes_nothing(wire: Wire) -> None:
    """The error says the path and what was expected; the snapshot stays, its number included."""
    before = wire.picture()
    for method, params, path in BAD_VALUES:
        error = wire.ask(method, params)["error"]
        assert (error["code"], error["data"]["path"]) == (INVALID, path), (method, params, error)
        assert path in error["message"]
        assert error["data"]["expected"]
        assert wire.picture() == before, (method, params)


def test_a_number_that_json_does_not_have_is_no_json(wire: Wire) -> None:
    before = wire.picture()
    line = '{"id":1,"method":"slot.allocate","params":{"job_id":"%s","profile":{"cpu_cores":%s}}}'
    for number in ("NaN", "Infinity", "-Infinity", "1e999"):
        answer = wire.line(line % (JOB, number))
        assert (answer["id"], answer["error"]["code"]) == (None, -32700)
        assert wire.picture() == before


FREE = {"allocation_id": HEX, "cause": "mine"}
GIVE = {
    "leader_id": HEX,
    "slot_id": "te-1_0",
    "job_id": JOB,
    "allocation_id": HEX,
    "target_address": "127.0.0.1:1",
}
OTHER_SIDE: list[tuple[str, dict[str, str], str]] = [
    ("task_executor.free_slot", FREE, "over the connection that the executor opened"),
    ("task_executor.request_slot", GIVE, "over the connection that the executor opened"),
    ("task.output", {}, "is a notification to a client"),
    ("job_master.task_finished", {}, "is a notification to a JobMaster"),
    ("slot.alocate", {}, "did you mean slot.allocate?"),
]


def test_a_method_of_the_other_side_is_not_found(wire: Wire) -> None:
    """The message says who serves it, or what was meant."""
    before = wire.picture()
    for method, params, said in OTHER_SIDE:
        error = wire.ask(method, params)["error"]
        assert error["code"] == -32601, error
        assert said in error["message"]
        assert wire.picture() == before


def test_what_no_slot_can_ever_serve_ends_slotctl_with_78(tmp_path: Path) -> None:
    """D37, C12, promise 3: in the start-up grace, and after it."""
    daemon = start_daemon(tmp_path / "state", "--start-up-time", "1 s")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SLOT")}
    try:
        for _ in range(2):
            done = subprocess.run(
                [sys.executable, "-m", "tui.ctl", "run", "--gpu", "1", "--", "true"],
                env={**environment, "SLOTD_STATE_DIR": str(daemon.state_dir)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 78, done.stderr
            assert "the nearest is" in done.stderr
    finally:
        daemon.stop()
        assert daemon.process.stderr is not None
        daemon.process.stderr.close()
