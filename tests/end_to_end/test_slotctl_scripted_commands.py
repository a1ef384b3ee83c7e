"""The commands of slotctl that look and act, against a slotd that says only what a script says."""

import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.scripted_slotd import (
    ALLOCATION,
    JOB,
    PROFILE,
    REQUEST,
    TASK,
    TOKEN,
    ScriptedSlotd,
    Session,
    job,
    request,
    snapshot,
)
from tui.ctl.__main__ import execute

Play = Callable[[Callable[[Session], None]], ScriptedSlotd]
Capture = pytest.CaptureFixture[str]

EXPLANATION = {
    "request_id": REQUEST,
    "allocation_id": ALLOCATION,
    "state": "PENDING",
    "reason": "all are \x1b[2Jtaken",
    "profile": PROFILE,
    "age": 12.0,
    "deadline_in": 288.0,
    "position": 3,
    "kinds": [],
    "nearest": None,
}
WAITING = snapshot(requests=[request()], jobs=[job("nightly")])


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Play]:
    """Starts a scripted slotd that slotctl finds; the script must be over at the test's end."""
    playing: list[ScriptedSlotd] = []

    def start(script: Callable[[Session], None]) -> ScriptedSlotd:
        playing.append(ScriptedSlotd(tmp_path, script))
        return playing[-1]

    monkeypatch.setenv("SLOTD_STATE_DIR", str(tmp_path))
    yield start
    for slotd in playing:
        slotd.check()


def answers(*exchanges: tuple[str, dict[str, Any], Any]) -> Callable[[Session], None]:
    """A script: hello, then these requests with these parameters, answered so."""

    def script(slotd: Session) -> None:
        slotd.let_in()
        for method, params, result in exchanges:
            assert slotd.exchange(method, result) == params
        slotd.expect_hang_up()

    return script


SNAPSHOT: tuple[str, dict[str, Any], Any] = ("cluster.snapshot", {}, WAITING)
EXPLAIN = ("slot.explain", {"job_id": JOB, "request_id": ALLOCATION}, EXPLANATION)


def test_ls_shows_a_table_with_hostile_words_made_harmless(play: Play, capsys: Capture) -> None:
    play(answers(("cluster.snapshot", {}, snapshot(jobs=[job("a\x1b[2Jb")]))))
    assert execute(["ls", "jobs"]) == 0
    assert "a\\x1b[2Jb" in capsys.readouterr().out


def test_ls_with_json_shows_the_rows_as_they_came(play: Play, capsys: Capture) -> None:
    play(answers(SNAPSHOT))
    assert execute(["ls", "--json", "requests"]) == 0
    assert json.loads(capsys.readouterr().out) == WAITING["requests"]


def test_ls_that_watches_prints_again_after_a_change(play: Play, capsys: Capture) -> None:
    def script(slotd: Session) -> None:
        slotd.let_in()
        slotd.exchange("events.subscribe", {"seq": 7})
        slotd.exchange("cluster.snapshot", WAITING)
        slotd.notify("event", seq=8, at=1.0, type="job_closed", job_id=JOB, cause="done")
        slotd.exchange("cluster.snapshot", snapshot())

    play(script)
    assert execute(["ls", "-w", "--json", "jobs"]) == 125
    first, second, error = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first, second) == (WAITING["jobs"], [])
    assert error["error"]["exit_code"] == 125


def test_status_is_a_few_lines_or_one_value(play: Play, capsys: Capture) -> None:
    play(answers(SNAPSHOT))
    assert execute(["status"]) == 0
    assert "requests   1 waiting, the oldest for 12s\n" in capsys.readouterr().out
    play(answers(SNAPSHOT))
    assert execute(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["requests"] == 1


def test_explain_takes_the_beginning_of_an_allocation_id(play: Play, capsys: Capture) -> None:
    play(answers(SNAPSHOT, EXPLAIN))
    assert execute(["explain", "bbbb"]) == 0
    assert "reason     all are \\x1b[2Jtaken\n" in capsys.readouterr().out


def test_explain_asks_every_job_about_a_whole_id_that_the_snapshot_does_not_show(
    play: Play, capsys: Capture
) -> None:
    asked: list[object] = []

    def script(slotd: Session) -> None:
        slotd.let_in()
        jobs = [job("one"), job("two", "9" * 32)]
        slotd.exchange("cluster.snapshot", snapshot(jobs=jobs))
        asked.append(slotd.expect("slot.explain"))
        slotd.refuse(4003, "no such request")
        asked.append(slotd.exchange("slot.explain", EXPLANATION))
        slotd.exchange("slot.explain", EXPLANATION)
        slotd.expect_hang_up()

    play(script)
    assert execute(["explain", "--json", REQUEST]) == 0
    ids = [{"job_id": job_id, "request_id": REQUEST} for job_id in (JOB, "9" * 32)]
    assert asked == ids
    assert json.loads(capsys.readouterr().out) == {**EXPLANATION, "job_id": "9" * 32}


def test_an_id_that_means_nothing_or_two_things_changes_nothing(
    play: Play, capsys: Capture
) -> None:
    play(answers(SNAPSHOT))
    assert execute(["cancel", "ffff"]) == 64
    assert "nothing here has an id that begins with 'ffff'" in capsys.readouterr().err
    two = snapshot(requests=[request(), request("bbbb" + "0" * 28)])
    play(answers(("cluster.snapshot", {}, two)))
    assert execute(["cancel", "bbbb"]) == 64
    assert f"request {ALLOCATION}\n" in capsys.readouterr().err


def test_cancel_withdraws_a_request_by_the_id_that_its_job_knows(
    play: Play, capsys: Capture
) -> None:
    params = {"job_id": JOB, "request_id": REQUEST, "cause": "released by slotctl"}
    play(answers(SNAPSHOT, EXPLAIN, ("slot.release", params, {"released": True})))
    assert execute(["cancel", ALLOCATION]) == 0
    assert capsys.readouterr().out == f"request {ALLOCATION} cancelled\n"


def test_release_says_when_there_was_nothing_left_to_release(play: Play, capsys: Capture) -> None:
    params = {"job_id": JOB, "request_id": REQUEST, "cause": "released by slotctl"}
    play(answers(SNAPSHOT, EXPLAIN, ("slot.release", params, {"released": False})))
    assert execute(["release", ALLOCATION]) == 0
    assert capsys.readouterr().out == f"request {ALLOCATION} had ended already\n"


def test_cancel_ends_a_task_or_closes_a_job(play: Play, capsys: Capture) -> None:
    task = {"task_id": TASK, "job_id": JOB, "request_id": REQUEST, "allocation_id": ALLOCATION}
    shown: tuple[str, dict[str, Any], Any] = (
        "cluster.snapshot",
        {},
        snapshot(tasks=[task], jobs=[job("nightly")]),
    )
    play(answers(shown, ("task.cancel", {"task_id": TASK}, {"cancelled": True})))
    assert execute(["cancel", TASK[:6]]) == 0
    play(answers(shown, ("job.close", {"job_id": JOB}, {"released": 2})))
    assert execute(["cancel", JOB]) == 0
    assert capsys.readouterr().out == (
        f"task {TASK} is being ended\njob {JOB} closed; slots given back: 2\n"
    )


def test_release_never_takes_a_task_or_a_job(play: Play) -> None:
    play(answers(("cluster.snapshot", {}, snapshot(jobs=[job("nightly")]))))
    assert execute(["release", JOB[:8]]) == 64


def test_drain_waits_for_the_last_slot(play: Play, capsys: Capture) -> None:
    play(answers(("executor.drain", {"resource_id": "te-1", "timeout": 60.0}, {})))
    assert execute(["drain", "te-1", "--deadline", "1 min"]) == 0
    assert capsys.readouterr().out == "executor te-1 is free and gets no new slots\n"


@pytest.mark.parametrize(("code", "exit_code"), [(3002, 124), (4002, 64)])
def test_drain_ends_with_the_code_of_what_was_wrong(play: Play, code: int, exit_code: int) -> None:
    def script(slotd: Session) -> None:
        slotd.let_in()
        slotd.expect("executor.drain")
        slotd.refuse(code, "no")
        slotd.expect_hang_up()

    play(script)
    assert execute(["drain", "te-1"]) == exit_code


def test_revoke_and_call_ask_for_what_they_say(play: Play, capsys: Capture) -> None:
    play(answers(("leader.revoke", {"component": "resource_manager"}, {})))
    assert execute(["revoke", "resource_manager", "--json"]) == 0
    play(answers(("metrics.get", {"a": [1]}, {"grants": 3})))
    assert execute(["call", "metrics.get", '{"a": [1]}']) == 0
    assert capsys.readouterr().out == '{}\n{"grants":3}\n'


@pytest.mark.parametrize("params", ["[1]", "{", "1"])
def test_call_refuses_what_is_no_object_before_it_connects(params: str) -> None:
    assert execute(["call", "metrics.get", params]) == 64


def event(seq: int, kind: str = "job_opened") -> dict[str, Any]:
    return {"seq": seq, "at": 0.0, "type": kind, "job_id": JOB}


def test_events_end_with_the_newest_of_now(play: Play, capsys: Capture) -> None:
    def script(slotd: Session) -> None:
        slotd.let_in()
        slotd.exchange("cluster.snapshot", snapshot())
        assert slotd.exchange("events.subscribe", {"seq": 0}) == {"from_seq": 1}
        slotd.notify("events.lost", from_seq=1, to_seq=4)
        slotd.notify("event", **event(5))
        slotd.notify("event", **event(6, "job_closed"))
        slotd.notify("event", **event(7))
        slotd.expect_hang_up()

    play(script)
    assert execute(["events", "--json", "--type", "job_opened"]) == 0
    lines = map(json.loads, capsys.readouterr().out.splitlines())
    assert list(lines) == [{"lost": {"from_seq": 1, "to_seq": 4}}, event(5), event(7)]


def test_events_since_the_newest_are_none(play: Play, capsys: Capture) -> None:
    play(answers(SNAPSHOT))
    assert execute(["events", "--since", "7"]) == 0
    play(answers(SNAPSHOT))
    assert execute(["events", "--since", "8"]) == 64
    assert capsys.readouterr().out == ""


def test_events_that_follow_begin_with_now_and_go_on(play: Play, capsys: Capture) -> None:
    def script(slotd: Session) -> None:
        slotd.let_in()
        slotd.exchange("cluster.snapshot", snapshot())
        assert slotd.exchange("events.subscribe", {"seq": 7}) == {"from_seq": 8}
        slotd.notify("event", **event(8))
        slotd.notify("events.lost", from_seq=9, to_seq=20)

    play(script)
    assert execute(["events", "-f"]) == 125
    out, err = capsys.readouterr()
    assert out.endswith(f"job_opened           job_id={JOB}\n")
    assert "events 9 to 20 are no longer there" in err


def test_a_closed_pipe_ends_a_listing_quietly(
    play: Play, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    play(answers(SNAPSHOT))
    read_end, write_end = os.pipe()
    os.close(read_end)
    with open(write_end, "w") as stdout:  # noqa: PTH123  # a descriptor
        monkeypatch.setattr("sys.stdout", stdout)
        assert execute(["ls", "requests"]) == 141
    assert capfd.readouterr().err == ""


def test_server_and_token_file_name_another_daemon(play: Play, tmp_path: Path) -> None:
    slotd = play(answers(SNAPSHOT))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(f"{TOKEN}\n")
    words = ["status", "--state-dir", "/nowhere", "--server", slotd.address]
    assert execute([*words, "--token-file", str(elsewhere)]) == 0


def test_the_state_directory_is_looked_for_where_slotd_keeps_it(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slotd").mkdir()
    monkeypatch.delenv("SLOTD_STATE_DIR")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    play(answers(SNAPSHOT))
    (tmp_path / "access.json").rename(tmp_path / "slotd" / "access.json")
    assert execute(["status"]) == 0


@pytest.mark.parametrize(
    ("access", "exit_code", "says"),
    [
        (None, 69, "is slotd running? start it with: slotd"),
        ("{", 125, "not an access file"),
        ('{"address": "127.0.0.1:1"}', 125, "not an access file"),
        ('{"address": "nonsense", "token": "t"}', 125, "'nonsense' is not HOST:PORT"),
        ('{"address": "h:1", "token": "t", "fingerprint": "ab"}', 125, "TLS"),
    ],
)
def test_without_a_usable_access_file_the_advice_says_what_to_do(
    tmp_path: Path, capsys: Capture, access: str | None, exit_code: int, says: str
) -> None:
    if access is not None:
        (tmp_path / "access.json").write_text(access)
    assert execute(["status", "--state-dir", str(tmp_path)]) == exit_code
    assert says in capsys.readouterr().err


def test_nobody_at_the_address_is_unreachable(tmp_path: Path, capsys: Capture) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        (tmp_path / "access.json").write_text(json.dumps({"address": address, "token": "t"}))
        assert execute(["status", "--state-dir", str(tmp_path)]) == 69
    assert f"nobody answers at {address}" in capsys.readouterr().err


def test_a_server_without_a_token_file_is_a_usage_error() -> None:
    assert execute(["status", "--server", "127.0.0.1:1"]) == 64


def test_what_is_not_slotd_is_not_believed(play: Play, capsys: Capture) -> None:
    def script(slotd: Session) -> None:
        slotd.expect("hello")
        slotd._socket.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    play(script)
    assert execute(["status"]) == 125
    assert "what answers is not slotd" in capsys.readouterr().err


def test_completion_prints_a_script_for_the_shell(capsys: Capture) -> None:
    assert execute(["completion", "zsh"]) == 0
    assert "#compdef slotctl" in capsys.readouterr().out


def test_a_shell_is_told_the_words_that_fit(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("_SLOTCTL_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "slotctl ls s")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert execute([]) == 0
    assert capsys.readouterr().out == "plain,slots\n"
