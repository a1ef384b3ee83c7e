"""The pumps at the edge: what happens when data and the end come in the same moment."""

import os

import trio
import trio.testing

from daemon.payload.streams import Chunk, OutputPump


async def test_data_and_the_end_in_one_moment_are_read_once_while_a_stranger_holds_the_pipe() -> (
    None
):
    """A pump that was woken by data, but has not read it yet, must count it as what was left.

    Which of two tasks runs first is chance, so the moment is tried often.
    """
    for _ in range(40):
        chunks: list[Chunk] = []
        output, held_open = os.pipe()
        signal_in, signal_out = os.pipe()
        pump = OutputPump("stdout", output)

        async def collect(chunk: Chunk, chunks: list[Chunk] = chunks) -> None:
            chunks.append(chunk)
            await trio.lowlevel.checkpoint()

        async def finish(ready: int = signal_in, pump: OutputPump = pump) -> None:
            await trio.lowlevel.wait_readable(ready)
            pump.finish()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(pump.run, collect)
            nursery.start_soon(finish)
            await trio.testing.wait_all_tasks_blocked()
            os.write(held_open, b"last words")
            os.write(signal_out, b"!")
        for fd in (held_open, signal_in, signal_out):
            os.close(fd)
        assert chunks == [Chunk("stdout", 0, b"last words")]
