"""slottop in a terminal, on a real slotd: what happens there is seen here."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.screens.terminal import LEAVES, slottop

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Daemon


class Client:
    """A client that calls and waits for the answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._asked = 0

    def send(self, method: str, **params: Any) -> int:
        """Ask, without waiting; the id of the request."""
        self._asked += 1
        line = {"id": self._asked, "method": method, "params": params}
        self._writer.write(json.dumps(line).encode() + b"\n")
        return self._asked

    async def call(self, method: str, **params: Any) -> Any:
        """Ask, and wait for the result."""
        asked = self.send(method, **params)
        while True:
            answer = json.loads(await self._reader.readline())
            if answer.get("id") == asked:
                assert "result" in answer, answer
                return answer["result"]


@asynccontextmanager
async def client_of(daemon: "Daemon") -> AsyncIterator[Client]:
    """A client that has said hello."""
    reader, writer = await asyncio.open_connection("127.0.0.1", daemon.port)
    client = Client(reader, writer)
    await client.call("hello", protocol=1, client="test/1", token=daemon.token)
    try:
        yield client
    finally:
        writer.close()


def test_slots_reasons_terms_and_the_loss_of_the_daemon_are_seen(daemon: "Daemon") -> None:
    async def run() -> None:
        async with slottop(daemon.state_dir, columns=140, rows=40) as terminal:
            await terminal.until("LIVE")
            await terminal.until("of 2 slots")
            async with client_of(daemon) as client:
                job_id = (await client.call("job.open", name="brand-new"))["job_id"]
                await terminal.until("brand-new")
                for _ in range(2):
                    await client.call("slot.allocate", job_id=job_id)
                await terminal.until("allocated 2")
                client.send("slot.allocate", job_id=job_id)
                await terminal.until("1 request")
                await terminal.until("2 slots fit, all in use")
                await client.call("leader.revoke", component="resource_manager")
                await terminal.until("epoch 2")
                assert "was epoch 1" in terminal.words
            terminal.forget()
            daemon.stop(signal.SIGKILL)
            await terminal.until("RECONNECTING")
            terminal.forget()
            terminal.process.send_signal(signal.SIGTERM)
            assert await terminal.ended() == 143
            assert [escape for escape in LEAVES if escape not in terminal.written] == []

    asyncio.run(run())


def test_a_wrong_token_is_said_in_words(daemon: "Daemon", tmp_path: Path) -> None:
    async def run() -> None:
        wrong = tmp_path / "wrong"
        wrong.write_text("0" * 32)
        async with slottop(daemon.state_dir, "--token-file", str(wrong)) as terminal:
            await terminal.until("DENIED")
            await terminal.until("R tries again")

    asyncio.run(run())
