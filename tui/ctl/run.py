"""`slotctl run`: a command in a slot, with its output, signals and exit code passed through."""

import os
import stat
from typing import Any

from protocol.connection import NotificationFrame, ResponseFrame
from tui.ctl.exits import FAILED, SIGNALLED, USAGE, Failure, Interrupted
from tui.ctl.find import reach
from tui.ctl.lease import ENDING, Lease, base_name
from tui.ctl.link import Link, result_of
from tui.ctl.output import Output, remark
from tui.ctl.signals import Signals

STDIN_LIMIT_BYTES = 512 * 1024
PIECE_BYTES = 4096
"""What a pipe that says it is writable takes without blocking."""
AT_ONCE_S = 0.001
"""The shortest grace that is a duration: KILL follows TERM at once."""
_STREAMS = {"stdout": 1, "stderr": 2}


def run(values: dict[str, Any]) -> int:
    """Run the command; its exit code."""
    command: list[str] = values["command"]
    stdin = None if values.get("no_stdin") else read_stdin(0)
    with Signals(*ENDING) as signals:
        link, _ = reach(values, signals)
        with link, Lease(link, signals, values, base_name(command[0])) as lease:
            grant = lease.acquire()
            task = Task(link, signals, Output(values))
            return task.run(grant, {**lease.ids, **_submission(values, command, stdin)})


def _submission(values: dict[str, Any], command: list[str], stdin: str | None) -> dict[str, Any]:
    params: dict[str, Any] = {"command": command}
    if values.get("env"):
        params["env"] = dict(values["env"])
    if values.get("cwd"):
        params["cwd"] = os.path.abspath(values["cwd"])  # noqa: PTH100  # pathlib costs 15 ms
    if stdin is not None:
        params["stdin"] = stdin
    return params


def read_stdin(fd: int) -> str | None:
    """The text that is piped or redirected to ``fd``, to its end; None for terminals and devices.

    Raises:
        Failure: it is longer than 512 KiB or not UTF-8.

    """
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return None
    if stat.S_ISCHR(mode) or stat.S_ISDIR(mode):
        return None
    data = bytearray()
    while piece := os.read(fd, STDIN_LIMIT_BYTES + 1 - len(data)):
        data += piece
        if len(data) > STDIN_LIMIT_BYTES:
            raise Failure(f"standard input is longer than {STDIN_LIMIT_BYTES >> 10} KiB", USAGE)
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Failure("standard input is not UTF-8 text", USAGE) from None


class Task:
    """One command in its slot, from its submission to its end."""

    def __init__(self, link: Link, signals: Signals, output: Output) -> None:
        self._link = link
        self._signals = signals
        self._output = output
        self._task_id: str | None = None
        self._received: list[int] = []
        self._cancels_sent = 0
        self._ended: dict[str, Any] | None = None
        self._offsets = dict.fromkeys(_STREAMS, 0)

    def run(self, grant: dict[str, Any], params: dict[str, Any]) -> int:
        """Submit, stream, wait; the exit code."""
        self._event("granted", grant)
        submitted = self._link.send("task.run", params)
        while self._ended is None:
            frame = self._link.receive()
            self._heed_signals()
            match frame:
                case ResponseFrame() if frame.id == submitted:
                    self._task_id = result_of(frame)["task_id"]
                    self._pass_signals_on()
                case NotificationFrame(method="task.output", params=chunk):
                    self._show(chunk)
                case NotificationFrame(method="task.finished", params=end):
                    self._ended = end
                case _:
                    """An answer to a cancellation, or a wake-up."""
        self._event("finished", self._ended)
        return self._exit_code(self._ended)

    def _heed_signals(self) -> None:
        while (number := self._signals.take()) is not None:
            self._received.append(number)
            if len(self._received) > 2:
                raise Interrupted(number)
        self._pass_signals_on()

    def _pass_signals_on(self) -> None:
        """The first signal ends the task with its grace, the second at once."""
        while self._task_id is not None and self._cancels_sent < len(self._received):
            grace = {"grace": AT_ONCE_S} if self._cancels_sent else {}
            self._link.send("task.cancel", {"task_id": self._task_id, **grace})
            self._cancels_sent += 1

    def _show(self, chunk: dict[str, Any]) -> None:
        stream: str = chunk["stream"]
        data = _bytes_of(chunk)
        lost = chunk["offset"] - self._offsets[stream]
        if lost > 0:
            remark(f"{lost} bytes of {stream} were lost on the way")
        self._offsets[stream] = chunk["offset"] + len(data)
        if self._output.json:
            self._event("output", chunk)
        else:
            self._write(_STREAMS[stream], memoryview(data))

    def _write(self, fd: int, data: memoryview) -> None:
        while data:
            if not self._link.writable(fd):
                self._heed_signals()
                continue
            try:
                data = data[os.write(fd, data[:PIECE_BYTES]) :]
            except BrokenPipeError:
                raise
            except OSError as error:
                raise Failure(f"cannot write what the command says: {error.strerror}") from None

    def _event(self, kind: str, facts: dict[str, Any]) -> None:
        if self._output.json:
            self._output.value({"type": kind, **facts})

    def _exit_code(self, end: dict[str, Any]) -> int:
        code, number, cause = end.get("exit_code"), end.get("signal"), end.get("cause")
        if cause and not self._received:
            from protocol.clean import clean

            remark(clean(cause, 1000))
        if code is not None:
            return int(code)
        if self._received:
            return SIGNALLED + self._received[0]
        return FAILED if number is None else SIGNALLED + int(number)


def _bytes_of(chunk: dict[str, Any]) -> bytes:
    text = chunk.get("data")
    if text is not None:
        return str(text).encode()
    from base64 import b64decode

    return b64decode(chunk.get("data_base64") or "")
