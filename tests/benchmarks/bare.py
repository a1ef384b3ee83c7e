"""The anchor of the row idle: a process that has Trio and waits."""

import trio


async def main() -> None:
    """Wait until it is ended."""
    print("waiting", flush=True)
    await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(main)
