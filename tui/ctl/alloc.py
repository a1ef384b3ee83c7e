"""`slotctl alloc`: holds a slot, alone or while a command runs here."""

import os
import shlex
import signal
import subprocess
import sys
import time
from typing import Any

from tui.ctl.exits import SIGNALLED, TIMED_OUT, Interrupted
from tui.ctl.find import reach
from tui.ctl.lease import ENDING, Lease, base_name
from tui.ctl.link import Link
from tui.ctl.output import Output, remark
from tui.ctl.phrases import slot_variables
from tui.ctl.signals import Signals

CANNOT_RUN = 126
NOT_FOUND = 127
GRACE_S = 5.0


def alloc(values: dict[str, Any]) -> int:
    """Hold a slot for --for, until a signal, or until the command ends; 0 or its exit code."""
    command: list[str] = values.get("command") or []
    name = base_name(command[0]) if command else "alloc"
    output = Output(values)
    with Signals(*ENDING, only_waking=(signal.SIGCHLD,)) as signals:
        link, _ = reach(values, signals)
        with link, Lease(link, signals, values, name) as lease:
            grant = lease.acquire()
            facts = slot_variables(lease.job_id, grant)
            if output.json or not command:
                output.answer(facts, [f"{key}={shlex.quote(facts[key])}" for key in facts])
            until = time.monotonic() + values["for"] if "for" in values else None
            if command:
                return Child(command, facts, link, signals).hold(until)
            return _hold(link, signals, until)


def _hold(link: Link, signals: Signals, until: float | None) -> int:
    while until is None or time.monotonic() < until:
        link.receive(None if until is None else max(0.0, until - time.monotonic()))
        number = signals.take()
        if number is not None:
            raise Interrupted(number)
    return 0


class Child:
    """A command on this machine that lives no longer than the slot it was given."""

    def __init__(
        self, command: list[str], facts: dict[str, str], link: Link, signals: Signals
    ) -> None:
        self._command = command
        self._facts = facts
        self._link = link
        self._signals = signals

    def hold(self, until: float | None) -> int:
        """Run it to its end; at ``until`` (monotonic) it is ended. The exit code."""
        try:
            process = subprocess.Popen(self._command, env={**os.environ, **self._facts})
        except OSError as error:
            remark(f"{self._command[0]}: {error.strerror}")
            return NOT_FOUND if isinstance(error, FileNotFoundError) else CANNOT_RUN
        try:
            return self._wait(process, until)
        finally:
            _end(process)

    def _wait(self, process: subprocess.Popen[bytes], until: float | None) -> int:
        while process.poll() is None:
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                remark("the time is over; ending the command")
                return TIMED_OUT
            self._link.receive(left)
            number = self._signals.take()
            if number is not None:
                _pass_on(process, number)
        code: int = process.returncode
        return code if code >= 0 else SIGNALLED - code


def _pass_on(process: subprocess.Popen[bytes], number: int) -> None:
    """A terminal's Ctrl-C reaches the command by itself; everything else is passed on."""
    if not (number == signal.SIGINT and sys.stdin.isatty()):
        process.send_signal(number)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
