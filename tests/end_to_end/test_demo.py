"""``slotd demo``, smaller: everything that the large one does, and nothing left behind."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROWS = {
    "sleep 600": ("te-", "SIGTERM"),
    "one too many": ("-", "cancelled"),
    "64 cores and a GPU": ("-", "refused"),
}


def begin(tmp_path: Path) -> "subprocess.Popen[str]":
    """The demo with 12 commands in 4 slots, as somebody who sees no colours starts it."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SLOTD_", "SLOT_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "daemon", "demo", "--commands", "12", "--slots", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**kept, "TMPDIR": str(tmp_path), "SLOTD_PLACEMENT": "nonsense", "COLUMNS": "80"},
    )


def rows_of(text: str) -> dict[str, list[str]]:
    """The cells of the table's rows by the name of their task."""
    table = text.partition("\nTASK ")[2].partition("\n\n")[0].splitlines()[1:]
    cells = [re.split(r"  +", row) for row in table]
    return {row[0]: row[1:] for row in cells}


def test_the_demo_ends_with_its_table_and_every_claim_holds(tmp_path: Path) -> None:
    """Promises 1, 2, 3 and 6: granted once, one outcome each, explained, nothing left."""
    process = begin(tmp_path)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, ""), out + err
    rows = rows_of(out)
    for name, (where, ended) in ROWS.items():
        row = rows.pop(name)
        assert row[2].startswith(where)
        assert row[-1] == ended
    assert len(rows) == 12
    for name, (waited, ran, where, locality, ended) in rows.items():
        assert re.fullmatch(r"(gzip -\d|sha\d+sum) part [12]", name)
        assert re.fullmatch(r"\d+\.\d\d s", waited)
        assert re.fullmatch(r"\d+\.\d\d s", ran)
        assert re.fullmatch(r"te-[12]_[01]", where)
        assert locality in {"UNCONSTRAINED", "LOCAL", "HOST_LOCAL", "NON_LOCAL", "UNKNOWN"}
        assert ended == "0"
    words = " ".join(out.split())
    assert re.search(r"asks why it waits: 4 slots fit\b.*?; it would give up in \d+ s", words)
    assert "the nearest is 1 cpu, 256 MiB, 1 scratch (lacks 63 cpu, 65280 MiB, 1 gpu)" in words
    assert words.count("a new one leads, epoch 2; still running: ") == 2
    assert "Requests: 15, of which 13 served, 1 refused, 1 cancelled." in words
    assert re.search(r"Slots granted twice: 0, in \d+ events: ok", words)
    assert "FAILED" not in out
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 80
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_takes_its_daemon_along(tmp_path: Path, number: int) -> None:
    """Promise 6: the daemon ends its commands, and the files go."""
    process = begin(tmp_path)
    assert process.stdout is not None
    line = next(line for line in process.stdout if "slotd is process" in line)
    daemon = int(re.findall(r"process (\d+)", line)[0])
    next(line for line in process.stdout if "sleeps for ten minutes" in line)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    assert "interrupted; its daemon has ended" in out
    assert not Path(f"/proc/{daemon}").exists()
    assert list(tmp_path.iterdir()) == []
