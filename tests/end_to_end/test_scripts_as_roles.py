"""The scripts of docs/examples as roles of a cluster: a TaskExecutor, and a JobMaster.

What they do is awaited as events of the daemon or lines of theirs; nothing here sleeps.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from protocol.connection import NotificationFrame
from tests.end_to_end.conftest import Daemon, start_daemon
from tui.ctl.exits import Refused
from tui.ctl.find import reach
from tui.ctl.link import Link

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
LICENCE = {"cpu_cores": 0, "memory_mb": 0, "extended": {"licence": 1}}
ENDS_S = 60
R1, R2 = "a1" * 16, "a2" * 16

Script = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def script() -> Iterator[Script]:
    """Starts an example; what still runs at the test's end is killed."""
    running: list[subprocess.Popen[str]] = []

    def start(daemon: Daemon, name: str, *words: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, str(EXAMPLES / name), str(daemon.state_dir), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


class Watcher:
    """A client that follows the events from the first one."""

    def __init__(self, link: Link) -> None:
        self.link = link
        link.call("events.subscribe", {"from_seq": 1})

    def until(self, kind: str, **fields: object) -> dict[str, Any]:
        """The next event, or other notification, of this type with these fields."""
        while True:
            frame = self.link.receive(ENDS_S)
            assert frame is not None, f"no {kind} {fields} within {ENDS_S} s"
            if not isinstance(frame, NotificationFrame):
                continue
            told = frame.params
            name = told["type"] if frame.method == "event" else frame.method
            if name == kind and fields.items() <= told.items():
                return told

    def call(self, method: str, **params: object) -> Any:
        return self.link.call(method, params, within=ENDS_S)

    def refused(self, method: str, **params: object) -> Refused:
        with pytest.raises(Refused) as refusal:
            self.call(method, **params)
        return refusal.value

    def open_job(self) -> str:
        return str(self.call("job.open", name="licensed")["job_id"])

    def lease(self, job_id: str, request_id: str = R1) -> dict[str, Any]:
        granted: dict[str, Any] = self.call(
            "slot.allocate", job_id=job_id, request_id=request_id, profile=LICENCE
        )
        return granted

    def slots(self) -> dict[str, tuple[str, str | None]]:
        """State and allocation of every slot."""
        slots = self.call("cluster.snapshot")["slots"]
        return {slot["slot_id"]: (slot["state"], slot["allocation_id"]) for slot in slots}


def watching(daemon: Daemon) -> Watcher:
    link, _ = reach({"state_dir": str(daemon.state_dir)})
    return Watcher(link)


@pytest.fixture
def watcher(daemon: Daemon) -> Iterator[Watcher]:
    watcher = watching(daemon)
    with watcher.link:
        yield watcher


@pytest.fixture
def worker(daemon: Daemon, script: Script, watcher: Watcher) -> "subprocess.Popen[str]":
    """A licence worker with two tokens, registered."""
    process = script(daemon, "licence_worker.py", "licences", "2")
    for number in (0, 1):
        watcher.until("slot_registered", slot_id=f"licences_{number}")
    return process


def line_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


# the licence worker


def test_the_worker_is_short_and_needs_nothing_but_python() -> None:
    text = (EXAMPLES / "licence_worker.py").read_text()
    assert len(text.splitlines()) < 120
    for name in EXAMPLES.glob("*.py"):
        for line in name.read_text().splitlines():
            if line.startswith(("import ", "from ")):
                assert line.split()[1].partition(".")[0] in sys.stdlib_module_names


def test_a_licence_is_a_slot_like_any_other(
    worker: "subprocess.Popen[str]", watcher: Watcher
) -> None:
    """E08, E10, E45: allocated, released, granted to another request, given back with the job."""
    job = watcher.open_job()
    lease = watcher.lease(job)
    assert (lease["resource_id"], lease["host"]) == ("licences", socket.gethostname())
    assert lease["profile"] == LICENCE
    watcher.until("slot_allocated", slot_id=lease["slot_id"], job_id=job)
    assert watcher.slots()[lease["slot_id"]] == ("ALLOCATED", lease["allocation_id"])
    other = watcher.lease(job, R2)
    assert {lease["slot_id"], other["slot_id"]} == {"licences_0", "licences_1"}
    refusal = watcher.refused("slot.allocate", job_id=job, profile=LICENCE, queued=False)
    assert refusal.data["type"] == "NoResourceAvailable"
    assert watcher.call("slot.release", job_id=job, request_id=R1) == {"released": True}
    assert watcher.lease(job, "a3" * 16)["slot_id"] == lease["slot_id"]
    assert watcher.call("job.close", job_id=job) == {"released": 2}
    for _ in range(2):
        watcher.until("slot_freed")
    assert watcher.slots()["licences_0"] == watcher.slots()["licences_1"] == ("FREE", None)
    assert worker.poll() is None


def test_slotctl_holds_a_licence_while_a_command_runs_here(
    worker: "subprocess.Popen[str]", daemon: Daemon, watcher: Watcher
) -> None:
    """As docs/scripting.md says it; the token is back when the command has ended."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SLOT")}
    done = subprocess.run(
        [sys.executable, "-m", "tui.ctl", "alloc", "--resource", "licence=1", "--", "env"],
        env={**environment, "SLOTD_STATE_DIR": str(daemon.state_dir)},
        capture_output=True,
        text=True,
        timeout=ENDS_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "SLOT_EXECUTOR=licences" in done.stdout.splitlines()
    freed = watcher.until("slot_freed")
    assert freed["slot_id"] in {"licences_0", "licences_1"}
    assert worker.poll() is None


def test_a_licence_runs_no_commands(worker: "subprocess.Popen[str]", watcher: Watcher) -> None:
    """The client is told so in a sentence, and keeps the lease."""
    job = watcher.open_job()
    lease = watcher.lease(job)
    refusal = watcher.refused("task.run", job_id=job, request_id=R1, command=["true"])
    assert refusal.data["type"] == "SlotAllocationFailed"
    assert "runs no commands" in refusal.message
    assert watcher.lease(job) == lease
    assert worker.poll() is None


def test_the_slots_vanish_with_their_worker(
    worker: "subprocess.Popen[str]", daemon: Daemon, watcher: Watcher
) -> None:
    """D32, H05: at once, as the connection breaks; whoever had a lease is told."""
    client = watching(daemon)
    with client.link:
        job = client.open_job()
        lease = client.lease(job)
        worker.kill()
        watcher.until("executor_lost", resource_id="licences")
        assert set(watcher.slots()) == {"te-1_0", "te-1_1"}
        lost = client.until("slot.lost", request_id=R1)
        assert lost["allocation_id"] == lease["allocation_id"]
        assert client.call("slot.release", job_id=job, request_id=R1) == {"released": False}


def test_a_lease_outlives_the_leader_of_the_resource_managers(
    worker: "subprocess.Popen[str]", watcher: Watcher
) -> None:
    """D45, E26, promise 1: the worker registers at the next one and says who has the token."""
    job = watcher.open_job()
    lease = watcher.lease(job)
    watcher.until("slot_allocated", slot_id=lease["slot_id"])
    watcher.call("leader.revoke", component="resource_manager")
    watcher.until("leader_granted", component="resource_manager")
    again = watcher.until("slot_registered", slot_id=lease["slot_id"])
    assert (again["allocation_id"], again["job_id"]) == (lease["allocation_id"], job)
    assert watcher.lease(job) == lease
    assert watcher.lease(job, R2)["slot_id"] != lease["slot_id"]
    assert worker.poll() is None


def test_a_lease_outlives_the_leader_of_its_job(
    worker: "subprocess.Popen[str]", watcher: Watcher
) -> None:
    """C17, E17: the worker offers it to the next JobMaster, which gives it to its request again."""
    job = watcher.open_job()
    lease = watcher.lease(job)
    watcher.until("pool_changed", job_id=job)
    watcher.call("leader.revoke", component=f"job_master/{job}")
    watcher.until("leader_revoked", component=f"job_master/{job}")
    held = {"allocated": 1, "available": 0, "pending": 0, "waiting_for_resource_manager": 0}
    watcher.until("pool_changed", job_id=job, pool=held)
    again = watcher.lease(job)
    assert (again["slot_id"], again["allocation_id"]) == (lease["slot_id"], lease["allocation_id"])
    assert watcher.call("slot.release", job_id=job, request_id=R1) == {"released": True}
    assert worker.poll() is None


def test_a_worker_dials_nobody(worker: "subprocess.Popen[str]", watcher: Watcher) -> None:
    """A job that is led elsewhere gets no token, and is told why it waits."""
    leader = watcher.call("resource_manager.leader")["leader_id"]
    job = {"leader_id": leader, "job_id": "b" * 32, "job_master_id": "c" * 32}
    watcher.call("resource_manager.register_job_master", **job, address="connection")
    watcher.call(
        "resource_manager.request_slot",
        **job,
        allocation_id="d" * 32,
        profile=LICENCE,
        target_address="127.0.0.1:9",
    )
    requeued = watcher.until("request_requeued", allocation_id="d" * 32)
    assert "dials nobody" in requeued["cause"]
    assert worker.poll() is None


def test_a_name_that_is_taken_ends_the_second_worker(
    worker: "subprocess.Popen[str]", daemon: Daemon, script: Script, watcher: Watcher
) -> None:
    """Its error says whose name it is; the first keeps its slots."""
    second = script(daemon, "licence_worker.py", "licences", "5")
    _, errors = second.communicate(timeout=ENDS_S)
    assert second.returncode == 1
    assert "'licences' belongs to another living executor" in errors
    assert "Traceback" not in errors
    assert len(watcher.slots()) == 4
    assert worker.poll() is None


def test_a_worker_that_was_silent_registers_again(tmp_path: Path, script: Script) -> None:
    """G15, G17, E30: lost for want of beats; its report is not known, so it starts over."""
    beats = ("--heartbeat-interval", "200 ms", "--heartbeat-timeout", "2 s")
    daemon = start_daemon(tmp_path / "state", *beats)
    try:
        watcher = watching(daemon)
        with watcher.link:
            worker = script(daemon, "licence_worker.py", "licences", "1")
            watcher.until("slot_registered", slot_id="licences_0")
            worker.send_signal(signal.SIGSTOP)
            lost = watcher.until("executor_lost", resource_id="licences")
            assert "heartbeat" in lost["cause"]
            worker.send_signal(signal.SIGCONT)
            again = watcher.until("executor_registered", resource_id="licences")
            assert again["instance_id"] != lost["instance_id"]
            watcher.until("slot_registered", slot_id="licences_0")
    finally:
        end(daemon)


def end(daemon: Daemon) -> None:
    daemon.stop()
    assert daemon.process.stderr is not None
    daemon.process.stderr.close()


# the JobMaster script


def test_a_job_master_in_a_script_runs_a_command_in_a_slot_of_the_daemon(
    daemon: Daemon, script: Script, watcher: Watcher
) -> None:
    """B03, E08, E10, E45: a slot, its output and exit code; the slot is free afterwards."""
    command = ("sh", "-c", "echo to you; echo and you >&2; exit 3")
    run = script(daemon, "job_master_script.py", *command)
    out, err = run.communicate(timeout=ENDS_S)
    assert (run.returncode, out, err) == (3, "to you\n", "and you\n")
    freed = watcher.until("slot_freed")
    assert freed["slot_id"] in {"te-1_0", "te-1_1"}
    snapshot = watcher.call("cluster.snapshot")
    assert {slot["state"] for slot in snapshot["slots"]} == {"FREE"}
    assert snapshot["requests"] == []


def test_a_command_of_a_script_outlives_the_leader_of_the_resource_managers(
    daemon: Daemon, script: Script, watcher: Watcher, tmp_path: Path
) -> None:
    """D45: the slot is reported as held; the end of the command still reaches the script."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    run = script(daemon, "job_master_script.py", "sh", "-c", f"echo started; read line <{gate}")
    assert line_of(run) == "started"
    held = watcher.until("slot_allocated")
    watcher.call("leader.revoke", component="resource_manager")
    watcher.until("leader_revoked", component="resource_manager")
    again = watcher.until("slot_registered", slot_id=held["slot_id"])
    assert again["allocation_id"] == held["allocation_id"]
    gate.write_text("go\n")
    assert run.wait(ENDS_S) == 0
    watcher.until("slot_freed", slot_id=held["slot_id"])


def test_what_no_slot_can_serve_is_told_to_the_script(tmp_path: Path, script: Script) -> None:
    """D37: the refusal comes after the grace, over the connection of its registration."""
    daemon = start_daemon(
        tmp_path / "state", "--start-up-time", "300 ms", "--slot-profile", "cpu=0.5,memory=64MiB"
    )
    try:
        run = script(daemon, "job_master_script.py", "true")
        _, errors = run.communicate(timeout=ENDS_S)
        assert run.returncode == 1
        assert "nothing can ever serve a slot of 1 cpu" in errors
        assert "Traceback" not in errors
    finally:
        end(daemon)


def test_a_job_master_that_dies_leaves_no_command_behind(tmp_path: Path, script: Script) -> None:
    """E18, E19: its slot waits for the next leader, for slot-timeout; then it is free."""
    daemon = start_daemon(tmp_path / "state", "--slot-timeout", "300 ms")
    try:
        watcher = watching(daemon)
        with watcher.link:
            run = script(daemon, "job_master_script.py", "sh", "-c", "echo $$; exec sleep 600")
            command = int(line_of(run))
            run.kill()
            held = watcher.until("slot_allocated")
            watcher.until("slot_freed", slot_id=held["slot_id"])
            with pytest.raises(ProcessLookupError):
                os.kill(command, 0)
    finally:
        end(daemon)
