"""`slotctl run` and `alloc` against a slotd that says only what a script says, in its order."""

import base64
import contextlib
import json
import os
import pty
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.scripted_slotd import (
    ALLOCATION,
    GRANT,
    JOB,
    TASK,
    ScriptedSlotd,
    Session,
    job,
    snapshot,
)
from tui.ctl import watches
from tui.ctl.__main__ import execute

Play = Callable[[Callable[[Session], None]], None]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Play]:
    """Starts a scripted slotd that slotctl finds; the script must be over at the test's end."""
    playing: list[ScriptedSlotd] = []
    monkeypatch.setenv("SLOTD_STATE_DIR", str(tmp_path))
    yield lambda script: playing.append(ScriptedSlotd(tmp_path, script))
    for slotd in playing:
        slotd.check()


@contextlib.contextmanager
def redirected(fd: int, target: int) -> Iterator[None]:
    """Makes ``fd`` another name of ``target`` for a while."""
    saved = os.dup(fd)
    os.dup2(target, fd)
    try:
        yield
    finally:
        os.dup2(saved, fd)
        os.close(saved)


def finishes(**end: object) -> Callable[[Session], None]:
    def script(slotd: Session) -> None:
        slotd.start_task()
        slotd.notify("task.finished", task_id=TASK, **end)
        slotd.close_job()

    return script


def test_run_passes_command_profile_and_surroundings_on(play: Play) -> None:
    asked: dict[str, object] = {}

    def script(slotd: Session) -> None:
        asked["open"] = slotd.open_job()
        asked["allocate"] = slotd.expect("slot.allocate")
        slotd.answer({"request_id": slotd.asked["params"]["request_id"], **GRANT})
        asked["run"] = slotd.exchange("task.run", {"task_id": TASK})
        slotd.notify("task.finished", task_id=TASK, exit_code=0)
        slotd.close_job()

    play(script)
    line = "run --cpu 2 --memory 4GiB --gpu 1 --resource licence=2 --wait 1min --prefer te-1"
    line += " --prefer host:lab3 --tag nightly -e A=b=c -e D= --cwd /srv -n -- /bin/make -j 2"
    assert execute(line.split()) == 0
    job_id, request_id = asked["allocate"]["job_id"], asked["allocate"]["request_id"]  # type: ignore[index]  # a script's record
    assert asked == {
        "open": {"name": "make", "job_id": job_id},
        "allocate": {
            "job_id": job_id,
            "request_id": request_id,
            "profile": {
                "cpu_cores": 2.0,
                "memory_mb": 4096,
                "extended": {"licence": 2.0, "gpu": 1.0},
            },
            "timeout": 60.0,
            "preferred": [{"resource_id": "te-1"}, {"host": "lab3"}],
            "tag": "nightly",
        },
        "run": {
            "job_id": job_id,
            "request_id": request_id,
            "command": ["/bin/make", "-j", "2"],
            "env": {"A": "b=c", "D": ""},
            "cwd": "/srv",
        },
    }


def test_no_profile_means_that_any_slot_will_do(play: Play) -> None:
    def script(slotd: Session) -> None:
        slotd.open_job()
        assert slotd.expect("slot.allocate")["profile"] is None
        slotd.refuse(3003, "withdrawn")
        slotd.close_job()

    play(script)
    assert execute(["run", "-n", "true"]) == 125


def test_output_goes_byte_for_byte_to_the_stream_it_came_from(
    play: Play, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    binary = bytes(range(256)) * 64

    def script(slotd: Session) -> None:
        slotd.grant()
        slotd.expect("task.run")
        output = {"task_id": TASK, "stream": "stdout"}
        slotd.notify("task.output", **output, offset=0, data="before the answer\n")
        slotd.answer({"task_id": TASK})
        slotd.notify("task.output", task_id=TASK, stream="stderr", offset=0, data="oh\x1b[0m\n")
        data = base64.b64encode(binary).decode()
        slotd.notify("task.output", **output, offset=18, data_base64=data)
        slotd.notify("task.finished", task_id=TASK, exit_code=0)
        slotd.close_job()

    play(script)
    assert execute(["run", "-n", "--", "printf"]) == 0
    out, err = capfdbinary.readouterr()
    assert out == b"before the answer\n" + binary
    assert err == b"oh\x1b[0m\n"


def test_output_that_was_lost_is_said_to_be_lost(play: Play, capfd: Capture) -> None:
    def script(slotd: Session) -> None:
        slotd.start_task()
        slotd.notify("task.output", task_id=TASK, stream="stdout", offset=0, data="ab")
        slotd.notify("task.output", task_id=TASK, stream="stdout", offset=7, data="cd")
        slotd.notify("task.finished", task_id=TASK, exit_code=0)
        slotd.close_job()

    play(script)
    assert execute(["run", "-n", "--", "printf"]) == 0
    assert capfd.readouterr() == ("abcd", "slotctl: 5 bytes of stdout were lost on the way\n")


@pytest.mark.parametrize(
    ("end", "code", "says"),
    [
        ({"exit_code": 3}, 3, ""),
        ({"exit_code": 127, "cause": "no such program: x"}, 127, "slotctl: no such program: x\n"),
        ({"signal": 9}, 137, ""),
        ({"signal": 15, "cause": "slot \x1b[2Jlost"}, 143, "slotctl: slot \\x1b[2Jlost\n"),
        ({"cause": "executor te-1 is lost"}, 125, "slotctl: executor te-1 is lost\n"),
    ],
)
def test_the_exit_code_is_the_commands(
    play: Play, capfd: Capture, end: dict[str, object], code: int, says: str
) -> None:
    play(finishes(**end))
    assert execute(["run", "-n", "--", "x"]) == code
    assert capfd.readouterr() == ("", says)


def test_the_first_signal_ends_the_task_with_grace_and_the_second_at_once(play: Play) -> None:
    def script(slotd: Session) -> None:
        slotd.start_task()
        os.kill(os.getpid(), signal.SIGINT)
        assert slotd.exchange("task.cancel", {"cancelled": True}) == {"task_id": TASK}
        os.kill(os.getpid(), signal.SIGINT)
        assert slotd.exchange("task.cancel", {"cancelled": True})["grace"] < 0.01
        slotd.notify("task.finished", task_id=TASK, signal=9, cause="cancelled")
        slotd.close_job()

    play(script)
    assert execute(["run", "-n", "--", "sleep", "60"]) == 128 + signal.SIGINT
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_before_the_task_has_an_id_ends_it_once_it_has(play: Play) -> None:
    def script(slotd: Session) -> None:
        slotd.grant()
        slotd.expect("task.run")
        submitted = slotd.asked["id"]
        os.kill(os.getpid(), signal.SIGTERM)
        slotd.answer({"task_id": TASK}, to=submitted)
        slotd.exchange("task.cancel", {"cancelled": True})
        slotd.notify("task.finished", task_id=TASK, exit_code=4)
        slotd.close_job()

    play(script)
    assert execute(["run", "-n", "--", "sleep", "60"]) == 4


def test_a_signal_in_the_queue_withdraws_the_request(play: Play) -> None:
    def script(slotd: Session) -> None:
        slotd.open_job()
        slotd.expect("slot.allocate")
        asked = slotd.asked["id"]
        os.kill(os.getpid(), signal.SIGTERM)
        assert slotd.expect("$/cancelRequest") == {"id": asked}
        slotd.refuse(3003, "withdrawn", to=asked)
        slotd.close_job()

    play(script)
    assert execute(["run", "-n", "--", "x"]) == 128 + signal.SIGTERM


def test_a_slot_granted_while_it_is_withdrawn_is_given_back_and_nothing_runs(play: Play) -> None:
    def script(slotd: Session) -> None:
        slotd.open_job()
        request_id = slotd.expect("slot.allocate")["request_id"]
        asked = slotd.asked["id"]
        os.kill(os.getpid(), signal.SIGINT)
        slotd.expect("$/cancelRequest")
        slotd.answer({"request_id": request_id, **GRANT}, to=asked)
        slotd.close_job()

    play(script)
    assert execute(["run", "-n", "--", "x"]) == 128 + signal.SIGINT


@pytest.mark.parametrize(
    ("options", "code", "data", "exit_code"),
    [
        ("", 3001, {"nearest": "te-1_0: 1 cpu, 512 MiB"}, 78),
        ("--job=nightly", 3001, {}, 75),
        ("--immediate=5s", 3002, {}, 75),
        ("--wait 5s", 3002, {}, 124),
        ("", 1004, {}, 75),
        ("", -32602, {}, 64),
        ("", -32603, {}, 125),
    ],
)
def test_a_refusal_has_the_exit_code_of_its_kind(
    play: Play, capfd: Capture, options: str, code: int, data: dict[str, object], exit_code: int
) -> None:
    def script(slotd: Session) -> None:
        slotd.let_in()
        if "--job" in options:
            slotd.exchange("cluster.snapshot", snapshot())
        slotd.exchange("job.open", {"job_id": JOB, "leader_id": "f" * 32})
        asked = slotd.expect("slot.allocate")
        assert asked.get("timeout") == (5.0 if "5s" in options else None)
        slotd.refuse(code, "no slot\x1b[2J", **data)
        slotd.close_job()

    play(script)
    assert execute(["run", "-n", *options.split(), "--", "x"]) == exit_code
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("slotctl: no slot\\x1b[2J\n")


def explained(**facts: object) -> dict[str, object]:
    return {"state": "PENDING", "reason": "", "position": None, "kinds": [], **facts}


BUSY = {"profile": None, "slots": 4, "free": 0, "fits": True, "reason": "all in use"}
FREE_BUT_SMALL = {**BUSY, "free": 4, "fits": False}
FREE = {**BUSY, "free": 1}


def test_immediate_gives_up_once_the_scheduler_found_no_slot(play: Play, capfd: Capture) -> None:
    def script(slotd: Session) -> None:
        slotd.open_job()
        request_id = slotd.expect("slot.allocate")["request_id"]
        for on_its_way in (
            explained(state="WAITING_FOR_RESOURCE_MANAGER"),
            explained(),
            explained(position=1, kinds=[BUSY, FREE]),
        ):
            assert slotd.exchange("slot.explain", on_its_way)["request_id"] == request_id
        slotd.exchange("slot.explain", explained(position=2, kinds=[BUSY, FREE_BUT_SMALL]))
        slotd.close_job()

    play(script)
    assert execute(["run", "-n", "--immediate", "--", "x"]) == 75
    assert capfd.readouterr() == ("", "slotctl: no slot that fits is free now\n")


def test_immediate_takes_the_slot_that_it_gets(play: Play) -> None:
    def script(slotd: Session) -> None:
        slotd.open_job()
        request_id = slotd.expect("slot.allocate")["request_id"]
        asked = slotd.asked["id"]
        slotd.exchange("slot.explain", explained(state="ASSIGNED"))
        slotd.answer({"request_id": request_id, **GRANT}, to=asked)
        while slotd.expect_any() == "slot.explain":
            slotd.refuse(4003, "it does not wait")
        slotd.answer({"task_id": TASK})
        slotd.notify("task.finished", task_id=TASK, exit_code=0)
        slotd.close_job()

    play(script)
    assert execute(["run", "-n", "--immediate", "--", "x"]) == 0


def test_a_job_that_was_there_loses_only_our_request(play: Play) -> None:
    def script(slotd: Session) -> None:
        slotd.let_in()
        slotd.exchange("cluster.snapshot", snapshot(jobs=[job("nightly")]))
        opened = slotd.exchange("job.open", {"job_id": JOB, "leader_id": "f" * 32})
        assert opened == {"name": "nightly", "job_id": JOB}
        request_id = slotd.expect("slot.allocate")["request_id"]
        slotd.answer({"request_id": request_id, **GRANT})
        slotd.exchange("task.run", {"task_id": TASK})
        slotd.notify("task.finished", task_id=TASK, exit_code=0)
        released = slotd.exchange("slot.release", {"released": True})
        assert released == {"job_id": JOB, "request_id": request_id}
        slotd.expect_hang_up()

    play(script)
    assert execute(["run", "-n", "--job", "nightly", "--", "x"]) == 0


def test_a_jobs_name_that_two_jobs_have_is_refused(play: Play, capfd: Capture) -> None:
    def script(slotd: Session) -> None:
        slotd.let_in()
        two = [job("nightly"), job("nightly", "9" * 32)]
        slotd.exchange("cluster.snapshot", snapshot(jobs=two))
        slotd.expect_hang_up()

    play(script)
    assert execute(["run", "-n", "--job", "nightly", "--", "x"]) == 64
    assert "9" * 32 in capfd.readouterr().err


def test_a_slotd_that_hangs_up_is_a_failure_of_slotd(play: Play, capfd: Capture) -> None:
    def script(slotd: Session) -> None:
        slotd.start_task()

    play(script)
    assert execute(["run", "-n", "--", "x"]) == 125
    assert capfd.readouterr().err.startswith("slotctl: slotd hung up\nis slotd running?")


def test_a_wrong_token_is_not_allowed(play: Play, capfd: Capture) -> None:
    def script(slotd: Session) -> None:
        slotd.expect("hello")
        slotd.refuse(1001, "the token is wrong")

    play(script)
    assert execute(["run", "-n", "--", "x"]) == 77
    assert "--token-file" in capfd.readouterr().err


def test_calls_of_the_daemon_are_answered_while_we_wait(play: Play) -> None:
    def script(slotd: Session) -> None:
        slotd.start_task()
        slotd.send({"id": 5, "method": "ping"})
        assert slotd.expect_answer() == {"jsonrpc": "2.0", "id": 5, "result": {}}
        slotd.send({"id": "x", "method": "task_executor.free_slot", "params": {}})
        assert slotd.expect_answer()["error"]["code"] == -32601
        slotd.notify("task.finished", task_id=TASK, exit_code=0)
        slotd.close_job()

    play(script)
    assert execute(["run", "-n", "--", "x"]) == 0


def test_with_json_every_line_is_a_value(play: Play, capfd: Capture) -> None:
    def script(slotd: Session) -> None:
        slotd.start_task()
        slotd.notify("task.output", task_id=TASK, stream="stdout", offset=0, data="a\u202eb\n")
        slotd.notify("task.finished", task_id=TASK, exit_code=2)
        slotd.close_job()

    play(script)
    assert execute(["run", "--json", "-n", "--", "x"]) == 2
    out, err = capfd.readouterr()
    assert err == ""
    assert out.isascii()
    granted, output, finished = map(json.loads, out.splitlines())
    assert granted["type"] == "granted"
    assert granted["slot_id"] == "te-1_3"
    assert output["data"] == "a\u202eb\n"
    assert finished == {"type": "finished", "task_id": TASK, "exit_code": 2}


def test_with_json_a_failure_is_a_value_too(play: Play, capfd: Capture) -> None:
    def script(slotd: Session) -> None:
        slotd.open_job()
        slotd.expect("slot.allocate")
        slotd.refuse(3002, "too late", type="SlotRequestTimeout")
        slotd.close_job()

    play(script)
    assert execute(["run", "--json", "-n", "--", "x"]) == 124
    error = {"code": 3002, "message": "too late", "data": {"type": "SlotRequestTimeout"}}
    assert json.loads(capfd.readouterr().out) == {"error": {**error, "exit_code": 124}}


def test_piped_text_becomes_the_commands_standard_input(play: Play) -> None:
    def script(slotd: Session) -> None:
        slotd.grant()
        assert slotd.exchange("task.run", {"task_id": TASK})["stdin"] == "zeile\u00e4\n"
        slotd.notify("task.finished", task_id=TASK, exit_code=0)
        slotd.close_job()

    play(script)
    read_end, write_end = os.pipe()
    os.write(write_end, "zeile\u00e4\n".encode())
    os.close(write_end)
    with redirected(0, read_end):
        assert execute(["run", "--", "cat"]) == 0
    os.close(read_end)


@pytest.mark.parametrize(("data", "why"), [(b"\xff\n", "UTF-8"), (b"x" * 530_000, "512 KiB")])
def test_standard_input_that_cannot_be_sent_is_refused_before_anything_is_asked(
    tmp_path: Path, capfd: Capture, data: bytes, why: str
) -> None:
    (tmp_path / "input").write_bytes(data)
    with (tmp_path / "input").open("rb") as file, redirected(0, file.fileno()):
        assert execute(["run", "--state-dir", str(tmp_path), "--", "cat"]) == 64
    assert why in capfd.readouterr().err


def test_the_wait_is_explained_on_a_terminal_and_wiped_when_it_is_over(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    def script(slotd: Session) -> None:
        slotd.open_job()
        request_id = slotd.expect("slot.allocate")["request_id"]
        asked = slotd.asked["id"]
        assert slotd.expect("slot.explain")["request_id"] == request_id
        reason = "all 4 slots are taken\x1b]0;x"
        slotd.answer({"state": "PENDING", "reason": reason, "position": 3, "deadline_in": 240.0})
        slotd.expect("slot.explain")
        unanswered = slotd.asked["id"]
        slotd.answer({"request_id": request_id, **GRANT}, to=asked)
        slotd.exchange("task.run", {"task_id": TASK})
        slotd.refuse(4003, "it does not wait any more", to=unanswered)
        slotd.notify("task.finished", task_id=TASK, exit_code=0)
        slotd.close_job()

    ours, theirs = pty.openpty()
    with open(theirs, "w") as terminal:  # noqa: PTH123  # a descriptor
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setattr(watches, "STATUS_AFTER_S", 0.0)
        monkeypatch.setattr(watches, "STATUS_EVERY_S", 0.0)
        play(script)
        assert execute(["run", "-n", "--", "x"]) == 0
        shown = os.read(ours, 4096).decode()
    os.close(ours)
    assert shown.startswith("\r\x1b[Kslotctl: waiting 0.0s; place 3 in the queue; all 4 slots are ")
    assert "\\x1b]0;x" in shown
    assert shown.endswith("\r\x1b[K")


def test_a_wait_in_the_background_leaves_the_terminal_alone(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever types there would find a status line in the middle of a word."""

    def script(slotd: Session) -> None:
        slotd.open_job()
        request_id = slotd.expect("slot.allocate")["request_id"]
        asked = slotd.asked["id"]
        slotd.expect("slot.explain")
        slotd.answer({"state": "PENDING", "reason": "full", "position": 3, "deadline_in": 9.0})
        slotd.answer({"request_id": request_id, **GRANT}, to=asked)
        slotd.exchange("task.run", {"task_id": TASK})
        slotd.notify("task.finished", task_id=TASK, exit_code=0)
        slotd.close_job()

    ours, theirs = pty.openpty()
    with open(theirs, "w") as terminal:  # noqa: PTH123  # a descriptor
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setattr(watches, "STATUS_AFTER_S", 0.0)
        monkeypatch.setattr(watches, "STATUS_EVERY_S", 3600.0)
        monkeypatch.setattr(os, "tcgetpgrp", lambda _: os.getpgrp() + 1)
        play(script)
        assert execute(["run", "-n", "--", "x"]) == 0
        terminal.write("the end")
        terminal.flush()
        assert os.read(ours, 4096) == b"the end"
    os.close(ours)


def test_a_reader_that_goes_away_ends_the_command_quietly(play: Play, capfd: Capture) -> None:
    def script(slotd: Session) -> None:
        slotd.start_task()
        slotd.notify("task.output", task_id=TASK, stream="stdout", offset=0, data="unread")
        slotd.close_job()

    read_end, write_end = os.pipe()
    os.close(read_end)
    play(script)
    with redirected(1, write_end):
        assert execute(["run", "-n", "--", "yes"]) == 128 + signal.SIGPIPE
    os.close(write_end)
    assert capfd.readouterr().err == ""


def test_alloc_prints_the_facts_and_holds_the_slot_until_a_signal(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_end, write_end = os.pipe()
    facts: dict[str, str] = {}
    held: dict[str, str] = {}

    def script(slotd: Session) -> None:
        held.update(slotd.grant())
        printed = os.read(read_end, 4096).decode().splitlines()
        facts.update((name, value) for name, _, value in (line.partition("=") for line in printed))
        os.kill(os.getpid(), signal.SIGINT)
        slotd.close_job()

    with open(write_end, "w") as stdout:  # noqa: PTH123  # a descriptor
        monkeypatch.setattr(sys, "stdout", stdout)
        play(script)
        assert execute(["alloc", "--cpu", "2"]) == 128 + signal.SIGINT
    os.close(read_end)
    assert facts == {
        "SLOT_JOB_ID": held["job_id"],
        "SLOT_REQUEST_ID": held["request_id"],
        "SLOT_ALLOCATION_ID": ALLOCATION,
        "SLOT_ID": "te-1_3",
        "SLOT_EXECUTOR": "te-1",
        "SLOT_HOST": "lab3",
        "SLOT_INDEX": "3",
        "SLOT_LOCALITY": "UNCONSTRAINED",
        "SLOT_CPUS": "2",
        "SLOT_MEMORY_MB": "4096",
        "SLOT_RESOURCE_GPU": "1",
    }


def test_alloc_gives_the_slot_back_when_its_time_is_over(play: Play) -> None:
    def script(slotd: Session) -> None:
        slotd.grant()
        slotd.close_job()

    play(script)
    assert execute(["alloc", "--for", "1ms"]) == 0


def test_alloc_runs_a_command_here_with_the_slots_variables(play: Play, capfd: Capture) -> None:
    def script(slotd: Session) -> None:
        slotd.grant()
        slotd.close_job()

    play(script)
    assert execute(["alloc", "--", "sh", "-c", "echo $SLOT_EXECUTOR $SLOT_CPUS; exit 3"]) == 3
    assert capfd.readouterr().out == "te-1 2\n"


def test_alloc_passes_a_signal_to_its_command_and_answers_its_end(play: Play) -> None:
    read_end, write_end = os.pipe()

    def script(slotd: Session) -> None:
        slotd.grant()
        assert os.read(read_end, 6) == b"ready\n"
        os.kill(os.getpid(), signal.SIGTERM)
        slotd.close_job()

    play(script)
    with redirected(1, write_end):
        command = "trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done"
        assert execute(["alloc", "--", "sh", "-c", command]) == 5
    os.close(read_end)
    os.close(write_end)


def test_alloc_ends_its_command_when_the_time_is_over(play: Play) -> None:
    def script(slotd: Session) -> None:
        slotd.grant()
        slotd.close_job()

    play(script)
    assert execute(["alloc", "--for", "1ms", "--", "sleep", "60"]) == 124


@pytest.mark.parametrize(("program", "code"), [("/no/such/program", 127), ("/etc/passwd", 126)])
def test_alloc_says_when_its_command_cannot_run(play: Play, program: str, code: int) -> None:
    def script(slotd: Session) -> None:
        slotd.grant()
        slotd.close_job()

    play(script)
    assert execute(["alloc", "--", program]) == code
