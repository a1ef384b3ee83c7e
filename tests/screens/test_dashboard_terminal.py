"""slottop as a process: it starts, draws, leaves a sane terminal; and ``--once`` for scripts."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.screens.scripted_cluster import busy_cluster
from tests.screens.scripted_daemon import TOKEN, ScriptedDaemon
from tests.screens.terminal import LEAVES, Terminal, slottop


def in_terminal(
    state_dir: Path, play: Callable[[Terminal, ScriptedDaemon], Awaitable[None]], *options: str
) -> None:
    """Run slottop against a scripted daemon while ``play`` acts."""

    async def run() -> None:
        daemon = ScriptedDaemon(busy_cluster())
        async with daemon.serving():
            daemon.write_access(state_dir)
            async with slottop(state_dir, *options) as terminal:
                await terminal.until("LIVE")
                await play(terminal, daemon)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["TERM", "INT"]
)
def test_a_signal_leaves_a_sane_terminal(tmp_path: Path, number: int, code: int) -> None:
    async def play(terminal: Terminal, daemon: ScriptedDaemon) -> None:
        terminal.forget()
        terminal.process.send_signal(number)
        assert await terminal.ended() == code
        assert [escape for escape in LEAVES if escape not in terminal.written] == []
        assert "Traceback" not in terminal.written

    in_terminal(tmp_path, play)


@pytest.mark.parametrize("key", ["q", "\x03", "\x11"], ids=["q", "ctrl+c", "ctrl+q"])
def test_a_key_leaves_a_sane_terminal(tmp_path: Path, key: str) -> None:
    async def play(terminal: Terminal, daemon: ScriptedDaemon) -> None:
        terminal.forget()
        terminal.press(key)
        assert await terminal.ended() == 0
        assert [escape for escape in LEAVES if escape not in terminal.written] == []

    in_terminal(tmp_path, play)


def test_a_terminal_that_is_taken_away_leaves_no_process(tmp_path: Path) -> None:
    async def play(terminal: Terminal, daemon: ScriptedDaemon) -> None:
        terminal.close()
        assert await terminal.ended() == 129

    in_terminal(tmp_path, play)


def test_a_lost_daemon_is_told_and_its_return_mends_the_screen(tmp_path: Path) -> None:
    async def play(terminal: Terminal, daemon: ScriptedDaemon) -> None:
        terminal.forget()
        daemon.hang_up()
        await terminal.until("the daemon hung up")
        assert "RECONNECTING" in terminal.words
        terminal.forget()
        await terminal.until("LIVE")
        terminal.forget()
        daemon.cluster.open_job("brand-new")
        await terminal.until("brand-new")

    in_terminal(tmp_path, play)


def test_the_keys_work_in_ascii_too(tmp_path: Path) -> None:
    async def play(terminal: Terminal, daemon: ScriptedDaemon) -> None:
        terminal.press("4e")
        await terminal.until("place 1 among those")
        await terminal.until("escape closes")
        terminal.forget()
        terminal.press("q")
        await terminal.until("4d82feac")
        terminal.press("?")
        await terminal.until("page down")
        assert terminal.words.isascii()

    in_terminal(tmp_path, play, "--glyphs", "ascii", "--fps", "30")


async def _once(*options: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tui.dashboard", "--once", *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    return process.returncode or 0, output.decode(), errors.decode()


def test_once_prints_the_facts_with_reasons_and_never_the_token(tmp_path: Path) -> None:
    async def run() -> None:
        daemon = ScriptedDaemon(busy_cluster())
        async with daemon.serving() as address:
            (tmp_path / "token").write_text(TOKEN)
            token = str(tmp_path / "token")
            code, output, errors = await _once("--server", address, "--token-file", token)
        assert (code, errors) == (0, "")
        assert f"cluster prod-a at {address}, seq 391" in output
        assert output.count("no slot is large enough") == 2
        assert TOKEN not in output

    asyncio.run(run())


def test_once_says_why_there_is_nothing_to_print(tmp_path: Path) -> None:
    async def run() -> None:
        assert await _once("--state-dir", str(tmp_path)) == (
            69,
            "",
            f"slottop: CONNECTING no {tmp_path}/access.json: is slotd running?\n",
        )
        daemon = ScriptedDaemon(busy_cluster())
        async with daemon.serving() as address:
            daemon.write_access(tmp_path)
            daemon.token = "changed"
            assert await _once("--state-dir", str(tmp_path)) == (
                77,
                "",
                f"slottop: DENIED {address} the token is wrong\n",
            )

    asyncio.run(run())
