"""What the logs look like, what never gets into them, and how they are rotated."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from daemon import logs


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    handler = signal.getsignal(signal.SIGHUP)
    monkeypatch.setattr(logs, "_secrets", set[str]())
    yield
    signal.signal(signal.SIGHUP, handler)
    structlog.reset_defaults()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "slotd.log"


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_file_gets_one_json_object_a_line(path: Path) -> None:
    logs.configure(path, "auto", "info")
    log = structlog.get_logger().bind(job_id="j", allocation_id="a")
    log.info("slot_asked", slot=3, profile={"gpu": 1})
    (line,) = lines_of(path)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "slot_asked",
        "level": "info",
        "job_id": "j",
        "allocation_id": "a",
        "slot": 3,
        "profile": {"gpu": 1},
    }


def test_people_get_pairs_with_the_ids_in_front(path: Path) -> None:
    logs.configure(path, "text", "info")
    structlog.get_logger().info("asked", size=3, why='say "no"', job_id="j", nothing="")
    line = path.read_text()
    assert line.partition(" ")[2] == (
        'level=info event=asked job_id=j size=3 why="say \\"no\\"" nothing=""\n'
    )


def test_stderr_is_the_default_and_no_terminal_gets_json(capfd: pytest.CaptureFixture[str]) -> None:
    logs.configure(None, "auto", "info")
    structlog.get_logger().info("hello")
    captured = capfd.readouterr()
    assert captured.out == ""
    assert json.loads(captured.err)["event"] == "hello"


def test_unimportant_lines_are_left_out(path: Path) -> None:
    logs.configure(path, "json", "warning")
    log = structlog.get_logger()
    log.debug("no")
    log.info("no")
    log.warning("yes")
    log.error("yes too")
    assert [line["event"] for line in lines_of(path)] == ["yes", "yes too"]


@pytest.mark.parametrize("form", ["json", "text"])
def test_secrets_do_not_get_in(path: Path, form: str) -> None:
    """Not under their names, not inside a text, not in a traceback, not deeper."""
    logs.configure(path, form, "info")
    logs.hide("s3cr3t")
    log = structlog.get_logger()
    log.info("hello", token="other", env={"A": "other"}, access={"token": "other", "a": "x"})
    log.info("s3cr3t", s3cr3t=["s3cr3t"])
    try:
        raise ValueError("not s3cr3t")
    except ValueError:
        log.exception("refused")
    text = path.read_text()
    assert "s3cr3t" not in text
    assert "other" not in text
    assert "ValueError: not (hidden)" in text


def test_a_line_of_text_cannot_be_forged_nor_move_the_cursor(path: Path) -> None:
    logs.configure(path, "text", "info")
    structlog.get_logger().info("job", name="a\nlevel=error event=forged \x1b[2J", **{"k\ney": 1})
    assert path.read_text().count("\n") == 1
    assert "\x1b" not in path.read_text()


def test_a_traceback_stands_below_its_line(path: Path) -> None:
    logs.configure(path, "text", "info")
    try:
        raise ValueError("bad\x1b")
    except ValueError:
        structlog.get_logger().exception("crashed")
    first, *below = path.read_text().splitlines()
    assert first.endswith("level=error event=crashed")
    assert below[0] == "    Traceback (most recent call last):"
    assert below[-1] == "    ValueError: bad\\x1b"


def test_what_cannot_be_written_as_json_is_shown(path: Path) -> None:
    logs.configure(path, "json", "info")
    structlog.get_logger().info("odd", path=Path("/x"), lone="\udcff")
    assert len(lines_of(path)) == 1


def test_a_hup_lets_a_moved_file_go(path: Path) -> None:
    logs.configure(path, "json", "info")
    log = structlog.get_logger()
    log.info("before")
    old = path.rename(path.with_suffix(".1"))
    log.info("moved")
    os.kill(os.getpid(), signal.SIGHUP)
    log.info("after")
    assert [line["event"] for line in lines_of(old)] == ["before", "moved"]
    assert [line["event"] for line in lines_of(path)] == ["after"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_hup_with_stderr_does_not_end_the_daemon(capfd: pytest.CaptureFixture[str]) -> None:
    logs.configure(None, "json", "info")
    os.kill(os.getpid(), signal.SIGHUP)
    structlog.get_logger().info("alive")
    assert "alive" in capfd.readouterr().err


def test_a_line_that_cannot_be_written_is_lost_and_nothing_else(path: Path) -> None:
    logs.configure(Path("/dev/full"), "json", "info")
    structlog.get_logger().info("no space")
    logs.configure(path, "json", "info")
    path.unlink()
    path.parent.rmdir()
    os.kill(os.getpid(), signal.SIGHUP)
    structlog.get_logger().info("no directory")
    path.parent.mkdir()
