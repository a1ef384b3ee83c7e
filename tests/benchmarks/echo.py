"""The anchor of the wire rows: a raw Trio server that answers each JSON line as slotd would.

``python -m tests.benchmarks.echo`` prints its port and serves until it is ended.
"""

from contextlib import suppress

import orjson
import trio

GRANT = {
    "request_id": "0" * 32,
    "allocation_id": "1" * 32,
    "slot_id": "te-1_100",
    "resource_id": "te-1",
    "host": "localhost",
    "slot_number": 100,
    "profile": {"cpu_cores": 0.001, "memory_mb": 1, "extended": {}},
    "locality": "UNCONSTRAINED",
}


RELEASED = {"released": True}


def answer(line: bytes) -> bytes:
    """The line of a grant, or that a slot was given back."""
    asked = orjson.loads(line)
    result = GRANT if asked["method"] == "slot.allocate" else RELEASED
    return orjson.dumps(
        {"jsonrpc": "2.0", "id": asked["id"], "result": result}, option=orjson.OPT_APPEND_NEWLINE
    )


async def attend(stream: trio.SocketStream) -> None:
    """Answer what one connection asks."""
    rest = b""
    with suppress(trio.BrokenResourceError):  # a load may leave without its last answers
        async for chunk in stream:
            *lines, rest = (rest + chunk).split(b"\n")
            await stream.send_all(b"".join(answer(line) for line in lines))


async def main() -> None:
    """Serve on a free port of the loopback."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    print(listeners[0].socket.getsockname()[1], flush=True)
    await trio.serve_listeners(attend, listeners)


if __name__ == "__main__":
    trio.run(main)
