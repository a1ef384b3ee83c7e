"""``slotd demo`` itself: a daemon, the play, the table, and the verdict on each promise."""

import signal
import tempfile
from pathlib import Path
from types import FrameType

import trio

from daemon.demo.audit import (
    ended_wrongly,
    granted_twice,
    held_twice,
    used_twice,
    without_one_outcome,
)
from daemon.demo.library import NoInput
from daemon.demo.play import Seen, play
from daemon.demo.process import EXECUTORS, DidNotStart, Slotd, processes_left, scratch_left, slotd
from daemon.demo.table import summary, table
from daemon.demo.voice import Voice
from daemon.demo.work import Work, works
from protocol.errors import SlotdError

FAILED = 1
INTERRUPTED = 130


def show(commands: int, slots: int) -> int:
    """Run the demo with so many commands on executors of so many slots; the exit code."""
    voice = Voice()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with tempfile.TemporaryDirectory(prefix="slotd-demo-") as name:
            folder = Path(name)
            voice.say(
                f"{commands} commands will hash and compress the Python standard library;"
                f" slots: {EXECUTORS} x {slots}"
            )
            to_do = works(commands)
            with slotd(folder, slots) as daemon:
                voice.say(f"slotd is process {daemon.pid} and listens on {daemon.address}")
                seen = trio.run(_play, daemon, voice, to_do, slots)
            voice.say("slotd was told to end, and has")
            left = processes_left(folder) + scratch_left(folder)
        left += [str(folder)] * folder.exists()
    except KeyboardInterrupt:
        voice.show("slotd demo: interrupted; its daemon has ended, its files are gone")
        return INTERRUPTED
    except (NoInput, DidNotStart) as error:
        voice.show(f"slotd demo: {error}")
        return FAILED
    except SlotdError as error:
        voice.show(f"slotd demo: {type(error).__name__}: {error.message}")
        return FAILED
    except trio.TooSlowError:
        voice.show("slotd demo: it hangs, and was given up after two minutes")
        return FAILED
    _tell(voice, seen, to_do)
    return FAILED if _judge(voice, seen, daemon, left) else 0


async def _play(daemon: Slotd, voice: Voice, to_do: list[Work], slots: int) -> Seen:
    """The play, ended by a signal between two of its steps and not in the middle of one."""
    with trio.CancelScope() as interruption:
        # A system task, because a nursery would wrap what the play raises.
        trio.lowlevel.spawn_system_task(_cancel_on_signal, interruption)
        return await play(daemon, voice, to_do, slots)
    raise KeyboardInterrupt


async def _cancel_on_signal(interruption: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            interruption.cancel()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """TERM ends the demo as Ctrl-C does: with its daemon."""
    signal.raise_signal(signal.SIGINT)


def _tell(voice: Voice, seen: Seen, to_do: list[Work]) -> None:
    head, *rows = table(seen.records)
    voice.show("")
    voice.show(head, is_head=True)
    for row in rows:
        voice.show(row)
    voice.show("")
    total = sum(
        (work.part.root / name).stat().st_size for work in to_do for name in work.part.names
    )
    for line in summary(seen.records, voice.elapsed_s, total):
        voice.show(line)


def _judge(voice: Voice, seen: Seen, daemon: Slotd, left: list[str]) -> bool:
    """Says of each claim whether it holds; whether any does not."""
    twice = granted_twice(seen.news) + used_twice(seen.news) + held_twice(seen.records)
    exit_code = [f"its exit code is {daemon.exit_code}"] if daemon.exit_code else []
    claims = {
        f"Slots granted twice: {len(twice)}, in {len(seen.news)} events": twice,
        "No event missed": seen.gaps,
        "Each request one outcome": without_one_outcome(seen.records) + ended_wrongly(seen.news),
        "Every output is what hashlib and zlib say, nothing else went wrong": seen.wrong,
        f"Commands that outlived a leader: {len(set(seen.survivors))}": [],
        "No process and no file left behind": left + exit_code,
    }
    for claim, faults in claims.items():
        voice.judge(claim, faults)
    return any(claims.values())
