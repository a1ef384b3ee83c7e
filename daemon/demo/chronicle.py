"""Every event of the daemon, in order, and a way to wait for one."""

from collections.abc import Callable

import trio

from protocol.client import Client
from protocol.messages.client import EventsLost, SubscribeEvents
from protocol.news import Event, News


class Chronicle:
    """Follows one connection's subscription from the daemon's first event on."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._heard = trio.Event()
        self.news: list[News] = []
        self.gaps: list[str] = []

    async def follow(self, task_status: trio.TaskStatus[None]) -> None:
        """Listen until cancelled or until the connection ends."""
        await self._client.call(SubscribeEvents(from_seq=1))
        task_status.started()
        expected = None
        async for told in self._client:
            match told:
                case Event():
                    if expected is not None and told.seq != expected:
                        self.gaps.append(f"after event {expected - 1} came {told.seq}")
                    expected = told.seq + 1
                    self.news.append(told.news)
                    self._heard.set()
                    self._heard = trio.Event()
                case EventsLost():
                    self.gaps.append(f"events {told.from_seq} to {told.to_seq} were lost")
                case _:
                    pass

    async def until(self, is_it: Callable[[News], bool], position: int = 0) -> News:
        """The first news from ``position`` on that is what is wanted."""
        while True:
            while position < len(self.news):
                position += 1
                if is_it(self.news[position - 1]):
                    return self.news[position - 1]
            await self._heard.wait()

    async def more(self) -> None:
        """Wait for whatever happens next."""
        await self._heard.wait()
