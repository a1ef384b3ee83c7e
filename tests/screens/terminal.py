"""slottop in a pseudo-terminal of its own: what it writes, the keys and signals it gets."""

import asyncio
import contextlib
import fcntl
import os
import pty
import re
import struct
import sys
import termios
from collections.abc import AsyncIterator
from pathlib import Path

PATIENCE_S = 30.0
LEAVES = ("\x1b[?1049l", "\x1b[?25h", "\x1b[?1000l")
"""The terminal's own screen is back, the cursor is seen, the mouse is not reported."""
_ESCAPES = re.compile(r"\x1b\[[0-9;?<>=]*[ -/]*[@-~]|\x1b[@-_]")


class Terminal:
    """A running slottop with all that it wrote so far."""

    def __init__(self, process: asyncio.subprocess.Process, master: int) -> None:
        self.process = process
        self.written = ""
        self._master = master
        self._closed = False
        self._changed = asyncio.Event()
        os.set_blocking(master, False)
        asyncio.get_running_loop().add_reader(master, self._read)

    @property
    def words(self) -> str:
        """What was written, without escape sequences."""
        return _ESCAPES.sub(" ", self.written)

    def press(self, keys: str) -> None:
        """Send keys."""
        os.write(self._master, keys.encode())

    async def until(self, word: str) -> None:
        """Wait until ``word`` was written since the last call."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while word not in self.words:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"{word!r} was not written, but {self.words!r}") from None

    def forget(self) -> None:
        """Look only at what is written from now on."""
        self.written = ""

    async def ended(self) -> int:
        """The exit code."""
        async with asyncio.timeout(PATIENCE_S):
            code = await self.process.wait()
        if not self._closed:
            self._read()
        return code

    def close(self) -> None:
        """Take the terminal away."""
        if not self._closed:
            self._closed = True
            asyncio.get_running_loop().remove_reader(self._master)
            os.close(self._master)

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while chunk := os.read(self._master, 1 << 16):
                self.written += chunk.decode(errors="replace")
        self._changed.set()


@contextlib.asynccontextmanager
async def slottop(
    state_dir: Path, *options: str, columns: int = 80, rows: int = 24
) -> AsyncIterator[Terminal]:
    """Slottop in a terminal of this size; it is killed at the end if it still runs."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    environment = {
        **os.environ,
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "LC_ALL": "C.UTF-8",
        "COLUMNS": "",
        "LINES": "",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tui.dashboard", "--state-dir", str(state_dir), *options),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment,
        start_new_session=True,
    )
    os.close(slave)
    terminal = Terminal(process, master)
    try:
        yield terminal
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        terminal.close()
