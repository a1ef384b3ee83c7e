"""slotctl as a program of its own against a real slotd."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from protocol.connection import NotificationFrame
from tests.end_to_end.conftest import Daemon, start_daemon
from tui.ctl.find import reach
from tui.ctl.link import Link

Slotctl = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., "subprocess.Popen[str]"]
ENDS_S = 60


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One slotd for all tests that leave it as they found it."""
    state_dir = tmp_path_factory.mktemp("slotctl") / "state"
    running = start_daemon(state_dir, "--start-up-time", "300 ms")
    try:
        yield running
    finally:
        running.stop()
        assert running.process.stderr is not None
        running.process.stderr.close()


@pytest.fixture
def state_dir(request: pytest.FixtureRequest) -> Path:
    """The state directory of the shared slotd, or of the test's own if it asks for ``daemon``."""
    name = "daemon" if "daemon" in request.fixturenames else "shared"
    running: Daemon = request.getfixturevalue(name)
    return running.state_dir


@pytest.fixture
def start(state_dir: Path) -> Iterator[Start]:
    """Starts slotctl with these words; what still runs at the test's end gives its slot back."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SLOT")}
    environment["SLOTD_STATE_DIR"] = str(state_dir)
    running: list[subprocess.Popen[str]] = []

    def begin(*words: str, **how: object) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "tui.ctl", *words],
            **{  # type: ignore[call-overload]  # keywords of Popen
                "stdin": subprocess.DEVNULL,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                "text": True,
                "env": environment,
                **how,
            },
        )
        running.append(process)
        return process  # type: ignore[no-any-return]  # as above

    yield begin
    for process in running:
        process.terminate()
        process.communicate(timeout=ENDS_S)


@pytest.fixture
def slotctl(start: Start) -> Slotctl:
    """Runs slotctl with these words to its end."""

    def run(*words: str, text: str | None = None) -> "subprocess.CompletedProcess[str]":
        process = start(*words, **({} if text is None else {"stdin": subprocess.PIPE}))
        out, err = process.communicate(text, timeout=ENDS_S)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    return run


@pytest.fixture
def link(state_dir: Path) -> Iterator[Link]:
    """A connection that follows the events from now on."""
    connected, _ = reach({"state_dir": str(state_dir)})
    with connected:
        connected.call("events.subscribe", {})
        yield connected


def await_event(link: Link, kind: str) -> dict[str, object]:
    """The next event of this type."""
    while True:
        frame = link.receive(ENDS_S)
        assert frame is not None, f"no {kind} within {ENDS_S} s"
        if isinstance(frame, NotificationFrame) and frame.params.get("type") == kind:
            return frame.params


def answer(done: "subprocess.CompletedProcess[str]") -> object:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_run_passes_output_and_exit_code_through(slotctl: Slotctl) -> None:
    done = slotctl("run", "--", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")


def test_run_gives_standard_input_environment_and_directory(slotctl: Slotctl) -> None:
    script = 'cat; echo "$GREETING from slot $SLOT_INDEX of $SLOT_CPUS cpu in $PWD"'
    words = ("run", "--cpu", "1", "-e", "GREETING=hello", "--cwd", "/", "--", "sh", "-c", script)
    done = slotctl(*words, text="piped\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout in {f"piped\nhello from slot {n} of 1 cpu in /\n" for n in (0, 1)}


def test_a_command_that_is_not_there_is_127(slotctl: Slotctl) -> None:
    assert slotctl("run", "--", "/no/such/program").returncode == 127


def test_a_command_that_a_signal_ends_has_its_number(slotctl: Slotctl) -> None:
    assert slotctl("run", "--", "sh", "-c", "kill -9 $$").returncode == 128 + signal.SIGKILL


def test_much_output_arrives_whole_and_in_order(slotctl: Slotctl) -> None:
    done = slotctl("run", "--", "seq", "200000")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "".join(f"{n}\n" for n in range(1, 200_001))


def test_what_can_never_be_served_is_78_and_names_the_nearest(slotctl: Slotctl) -> None:
    done = slotctl("run", "--cpu", "64", "--", "true")
    assert done.returncode == 78, done.stderr
    assert "nearest" in done.stderr


def test_what_would_wait_is_75_at_once_and_124_after_a_while(
    slotctl: Slotctl, start: Start, link: Link
) -> None:
    start("alloc", "--cpu", "1")
    start("alloc", "--cpu", "1")
    for _ in range(2):
        await_event(link, "slot_allocated")
    assert slotctl("run", "--cpu", "1", "--immediate", "--", "true").returncode == 75
    assert slotctl("run", "--cpu", "1", "--immediate=100ms", "--", "true").returncode == 75
    assert slotctl("run", "--cpu", "1", "--wait", "100ms", "--", "true").returncode == 124


def test_immediate_takes_a_slot_that_is_free(slotctl: Slotctl) -> None:
    done = slotctl("run", "--cpu", "1", "--immediate", "--", "echo", "here")
    assert (done.returncode, done.stdout) == (0, "here\n"), done.stderr


def test_who_waits_is_listed_explained_and_cancelled(
    slotctl: Slotctl, start: Start, link: Link
) -> None:
    start("alloc")
    start("alloc")
    for _ in range(2):
        await_event(link, "slot_allocated")
    waiting = start("run", "--cpu", "1", "--job", "nightly", "--", "true")
    allocation_id = str(await_event(link, "request_registered")["allocation_id"])
    listed = answer(slotctl("ls", "requests", "--json"))
    assert isinstance(listed, list)
    assert [row["allocation_id"] for row in listed] == [allocation_id]
    explained = answer(slotctl("explain", allocation_id[:12], "--json"))
    assert isinstance(explained, dict)
    assert explained["state"] == "PENDING"
    assert explained["position"] == 1
    assert explained["allocation_id"] == allocation_id
    assert "nightly" in slotctl("ls", "jobs").stdout
    assert explained["reason"]
    assert slotctl("cancel", allocation_id).returncode == 0
    assert waiting.wait(ENDS_S) == 125


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_its_command_and_gives_the_slot_back(
    start: Start, link: Link, number: signal.Signals
) -> None:
    running = start("run", "--", "sleep", "600")
    await_event(link, "task_started")
    running.send_signal(number)
    assert running.wait(ENDS_S) == 128 + number
    await_event(link, "task_finished")
    await_event(link, "job_closed")


def test_a_command_that_heeds_no_signal_is_killed_by_the_second(start: Start, link: Link) -> None:
    script = "trap 'echo no' TERM; echo ready; while :; do sleep 1; done"
    running = start("run", "--", "sh", "-c", script)
    assert running.stdout is not None
    for heard in ("ready\n", "no\n"):
        assert running.stdout.readline() == heard
        running.send_signal(signal.SIGINT)
    assert running.wait(ENDS_S) == 128 + signal.SIGINT
    await_event(link, "task_finished")


def test_a_run_that_waits_withdraws_its_request_when_it_is_interrupted(
    start: Start, link: Link
) -> None:
    for _ in range(2):
        start("alloc")
        await_event(link, "slot_allocated")
    waiting = start("run", "--", "true")
    await_event(link, "request_registered")
    waiting.send_signal(signal.SIGINT)
    assert waiting.wait(ENDS_S) == 128 + signal.SIGINT
    await_event(link, "request_cancelled")


def test_a_wait_on_a_terminal_is_explained(start: Start, link: Link) -> None:
    for _ in range(2):
        start("alloc")
        await_event(link, "slot_allocated")
    ours, theirs = pty.openpty()
    start("run", "--", "true", stderr=theirs)
    os.close(theirs)
    shown = b""
    while b"slotctl: waiting 2s; place 1 in the queue; " not in shown:
        shown += os.read(ours, 4096)
    os.close(ours)


def test_alloc_holds_a_slot_while_its_command_runs_here(slotctl: Slotctl) -> None:
    script = f"{sys.executable} -m tui.ctl ls slots; exit 4"
    done = slotctl("alloc", "--cpu", "1", "--", "sh", "-c", script)
    assert done.returncode == 4, done.stderr
    assert "ALLOCATED" in done.stdout
    assert "ALLOCATED" not in slotctl("ls", "slots").stdout


def test_the_cluster_is_shown_in_text_and_json(slotctl: Slotctl) -> None:
    for kind in ("slots", "requests", "executors", "jobs", "leaders", "tasks"):
        assert slotctl("ls", kind).returncode == 0
        assert isinstance(answer(slotctl("ls", kind, "--json")), list)
    status = answer(slotctl("status", "--json"))
    assert isinstance(status, dict)
    assert status["slots"]["total"] == 2
    assert "2 free" in slotctl("status").stdout


@pytest.mark.usefixtures("daemon")
def test_a_revoked_leader_is_followed_by_another(slotctl: Slotctl, link: Link) -> None:
    assert slotctl("revoke", "resource_manager").returncode == 0
    assert await_event(link, "leader_revoked")["epoch"] == 1
    assert await_event(link, "leader_granted")["epoch"] == 2


def test_events_are_shown_from_the_first(slotctl: Slotctl) -> None:
    lines = slotctl("events", "--json").stdout.splitlines()
    numbers = [json.loads(line)["seq"] for line in lines]
    assert numbers == list(range(1, len(numbers) + 1))
    later = slotctl("events", "--json", "--since", str(numbers[-2])).stdout.splitlines()
    assert json.loads(later[0])["seq"] == numbers[-1]


@pytest.mark.usefixtures("daemon")
def test_an_executor_is_drained(slotctl: Slotctl) -> None:
    executors = answer(slotctl("ls", "executors", "--json"))
    assert isinstance(executors, list)
    name: str = executors[0]["resource_id"]
    assert slotctl("drain", name, "--deadline", "30s").returncode == 0
    assert "DRAINING" in slotctl("ls", "executors").stdout
    assert slotctl("drain", "nobody").returncode == 64


def test_any_method_can_be_called(slotctl: Slotctl) -> None:
    assert answer(slotctl("call", "ping")) == {}
    assert slotctl("call", "no.such.method").returncode == 64
    assert slotctl("call", "job.close", '{"job_id": "x"}').returncode == 64


def test_a_wrong_token_is_77_and_a_stopped_daemon_69(daemon: Daemon, slotctl: Slotctl) -> None:
    token = daemon.state_dir.parent / "token"
    token.write_text("wrong")
    assert slotctl("status", "--token-file", str(token)).returncode == 77
    daemon.stop()
    assert slotctl("status").returncode == 69
