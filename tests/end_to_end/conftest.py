"""A real slotd in a process of its own, on a port of its own, ended by its pid."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest


@attrs.frozen
class Daemon:
    """A running slotd and where to find it."""

    process: "subprocess.Popen[str]"
    state_dir: Path
    address: str
    token: str

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Signal it and wait; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(30)


def start_daemon(state_dir: Path, *flags: str) -> Daemon:
    """Start slotd and wait for its line ``listening on``."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("SLOTD_", "SLOT_"))}
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "daemon", "serve", "--state-dir", str(state_dir)),
            *("--listen", "127.0.0.1:0", "--executors", "1", "--slots", "2"),
            *("--slot-profile", "cpu=1,memory=512MiB"),
            *("--log-file", str(state_dir.parent / "slotd.log")),
            *flags,
        ],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    assert process.stderr is not None
    seen: list[str] = []
    for line in process.stderr:
        seen.append(line)
        if line.startswith("listening on "):
            access = json.loads((state_dir / "access.json").read_text())
            return Daemon(process, state_dir, access["address"], access["token"])
    process.wait(10)
    raise AssertionError("slotd did not start:\n" + "".join(seen))


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """One executor with two slots of 1 CPU and 512 MiB; short timeouts where people would wait."""
    running = start_daemon(tmp_path / "state", "--start-up-time", "300 ms")
    try:
        yield running
    finally:
        running.stop()
        assert running.process.stderr is not None
        running.process.stderr.close()
