"""A daemon for the link to talk to: it speaks the protocol over TCP and plays a ScriptedCluster."""

import argparse
import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from protocol.codec import encode_answer, encode_notification
from protocol.connection import Connection
from protocol.errors import SlotdError, Unauthenticated, UnknownRequest, UnsupportedProtocol
from protocol.frames import RequestFrame, make_error, make_response
from protocol.ids import AllocationId, RequestId
from protocol.messages.client import Explanation, Subscribed
from protocol.messages.session import Welcome
from protocol.messages.values import SlotKind
from protocol.news import Event
from tests.screens.scripted_cluster import ScriptedCluster, busy_cluster, large_cluster

TOKEN = "0123456789abcdef"


class ScriptedDaemon:
    """Serves one cluster. The flags change how it behaves, so that the link's troubles show."""

    def __init__(self, cluster: ScriptedCluster, token: str = TOKEN) -> None:
        self.cluster = cluster
        self.token = token
        self.protocols = [1]
        self.silent = False
        self.skip_events = 0
        self.asked: list[str] = []
        """The methods that were called, in order."""
        self.address = ""
        self._writers: set[asyncio.StreamWriter] = set()
        self._subscribed: set[asyncio.StreamWriter] = set()
        cluster.listeners.append(self._publish)

    @contextlib.asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[str]:
        """The address, for as long as the context lasts."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        host, bound = server.sockets[0].getsockname()
        self.address = f"{host}:{bound}"
        try:
            yield self.address
        finally:
            server.close()
            self.hang_up()

    def hang_up(self) -> None:
        """Drop every connection."""
        for writer in list(self._writers):
            writer.transport.abort()

    def write_access(self, state_dir: Path) -> None:
        """Write the access file as a daemon does."""
        content = {"address": self.address, "token": self.token, "fingerprint": None}
        (state_dir / "access.json").write_text(json.dumps(content))

    def _publish(self, event: Event) -> None:
        if self.skip_events:
            self.skip_events -= 1
            return
        for writer in self._subscribed:
            writer.write(encode_notification(event))

    def lose_events(self, from_seq: int, to_seq: int) -> None:
        """Tell subscribers that events were dropped for them."""
        line = {"method": "events.lost", "params": {"from_seq": from_seq, "to_seq": to_seq}}
        for writer in self._subscribed:
            writer.write(json.dumps(line).encode() + b"\n")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        connection = Connection()
        try:
            while data := await reader.read(1 << 16):
                for frame in connection.receive_data(data):
                    if isinstance(frame, RequestFrame) and not self.silent:
                        self.asked.append(frame.method)
                        writer.write(self._answer(frame, writer))
                        if frame.method == "hello" and b'"error"' in self._answer(frame, writer):
                            return
        except OSError:
            pass
        finally:
            self._writers.discard(writer)
            self._subscribed.discard(writer)
            writer.close()

    def _answer(self, frame: RequestFrame, writer: asyncio.StreamWriter) -> bytes:
        try:
            return self._result(frame.id, frame.method, frame.params, writer)
        except SlotdError as error:
            return make_error(frame.id, error)

    def _result(
        self, key: int | str, method: str, params: dict[str, Any], writer: asyncio.StreamWriter
    ) -> bytes:
        match method:
            case "hello":
                return self._welcome(key, params)
            case "events.subscribe":
                self._subscribed.add(writer)
                return encode_answer(key, Subscribed(self.cluster.state.seq))
            case "cluster.snapshot":
                return encode_answer(key, self.cluster.state.snapshot(self.cluster.at))
            case "slot.explain":
                return encode_answer(key, self._explanation(params))
            case _:
                return make_response(key, {})

    def _welcome(self, key: int | str, params: dict[str, Any]) -> bytes:
        if params.get("token") != self.token:
            raise Unauthenticated("the token is wrong")
        if params.get("protocol") not in self.protocols:
            raise UnsupportedProtocol("not this protocol", supported=self.protocols)
        roles = ["resource-manager", "job-master", "task-executor"]
        return encode_answer(
            key, Welcome(1, "slotd/0.1.0", "d" * 32, "prod-a", roles, 1 << 20, 10.0)
        )

    def _explanation(self, params: dict[str, Any]) -> Explanation:
        request = self.cluster.state.requests.get(AllocationId(params["request_id"]))
        if request is None:
            raise UnknownRequest("no such request")
        return explanation_of(self.cluster, request.allocation_id)


def explanation_of(cluster: ScriptedCluster, allocation_id: AllocationId) -> Explanation:
    """What a daemon could say about a request of the scripted cluster."""
    request = cluster.state.requests[allocation_id]
    kinds: list[SlotKind] = []
    for profile in dict.fromkeys(slot.profile for slot in cluster.state.slots.values()):
        slots = [s for s in cluster.state.slots.values() if s.profile == profile]
        fits, free = profile.satisfies(request.profile), sum(s.job_id is None for s in slots)
        why = "all are in use or draining" if fits else "too little of what is wanted"
        kinds.append(SlotKind(profile, len(slots), free, fits, why))
    fitting = sum(kind.slots for kind in kinds if kind.fits)
    reason = f"{fitting} slots fit, all in use" if fitting else "no slot is large enough"
    return Explanation(
        RequestId(allocation_id),
        request.state.value,
        reason,
        request.profile,
        age=cluster.at - request.since,
        deadline_in=request.deadline - cluster.at,
        allocation_id=allocation_id,
        position=1,
        kinds=kinds,
        nearest=None if fitting else "te-1: 7 cpu, 65024 MiB, 2 gpu short",
    )


async def _play(daemon: ScriptedDaemon, state_dir: Path, port: int, rate: float) -> None:
    loop = asyncio.get_running_loop()
    cluster = daemon.cluster
    offset = cluster.at - loop.time()
    async with daemon.serving(port) as address:
        daemon.write_access(state_dir)
        print(f"listening on {address}", flush=True)
        large = len(cluster.state.slots) > 1_000
        told = 0.0
        began = loop.time()
        while True:
            await asyncio.sleep(0.01)
            cluster.at = loop.time() + offset
            while told < (loop.time() - began) * rate:
                told += 1
                if large:
                    cluster.churn()
                else:
                    cluster.step()


def main() -> None:
    """Serve a scripted cluster until killed, for looking at the dashboard by hand."""
    parser = argparse.ArgumentParser()
    parser.add_argument("state_dir", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--rate", type=float, default=5.0, help="things that happen per second")
    parser.add_argument("--executors", type=int, default=0, help="0: the small busy cluster")
    options = parser.parse_args()
    cluster = large_cluster(options.executors, 16, 1000) if options.executors else busy_cluster()
    options.state_dir.mkdir(parents=True, exist_ok=True)
    asyncio.run(_play(ScriptedDaemon(cluster), options.state_dir, options.port, options.rate))


if __name__ == "__main__":
    main()
