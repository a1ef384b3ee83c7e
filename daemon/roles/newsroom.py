"""The numbered news of the daemon, the state they add up to, and who reads them."""

from collections import Counter, deque
from collections.abc import Callable
from itertools import islice

import attrs
import trio

from daemon.wire.peers import Caller
from protocol.cluster_state import ClusterState
from protocol.errors import InvalidParams, PeerGone
from protocol.ids import ResourceId
from protocol.messages.client import EventsLost
from protocol.news import NEWS, Event, News
from protocol.snapshot import Snapshot

_HISTORY = 10_000
"""Events kept for readers that are behind or come back; who needs older ones is told so."""


class Newsroom:
    """Publishing costs the publisher nothing but an append: every reader has a task of its own.

    ``clock`` gives seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float], history: int = _HISTORY) -> None:
        self._clock = clock
        self._history: deque[Event] = deque(maxlen=history)
        self._published = trio.Event()
        self.state = ClusterState()
        self.counters: Counter[str] = Counter()

    @property
    def seq(self) -> int:
        """The number of the newest event."""
        return self.state.seq

    def publish(self, news: News) -> None:
        """Number the news, change the state, wake the readers."""
        event = Event(self.state.seq + 1, self._clock(), news)
        self.state.apply(event)
        self.counters[news.TYPE] += 1
        self._history.append(event)
        self._published.set()

    def heard(self, resource_id: ResourceId) -> None:
        """An executor gave a sign of life: the one change of a view that is no event."""
        view = self.state.executors.get(resource_id)
        if view is not None:
            self.state.executors[resource_id] = attrs.evolve(view, last_heartbeat=self._clock())

    def snapshot(self) -> Snapshot:
        """Everything at the newest event."""
        return self.state.snapshot(self._clock())

    def history(self) -> list[Event]:
        """The newest events, oldest first."""
        return list(self._history)

    async def wait_for_news(self) -> None:
        """Wait until something more is published."""
        if self._published.is_set():
            self._published = trio.Event()
        await self._published.wait()

    async def read(self, reader: Caller, types: frozenset[str] | None, after: int) -> None:
        """Send ``reader`` every event with a number above ``after``, for ever, at its own pace.

        What it is too slow for is dropped and said so (``events.lost``).
        """
        while True:
            if after >= self.seq:
                await self.wait_for_news()
            for event in self._after(after):
                if event.seq > after + 1:
                    await reader.notify(EventsLost(from_seq=after + 1, to_seq=event.seq - 1))
                after = event.seq
                if (types is None or event.news.TYPE in types) and not reader.try_notify(event):
                    await reader.notify(event)
                    break  # the history may have moved on while we waited

    def _after(self, seq: int) -> list[Event]:
        missing = self.seq - seq
        start = max(0, len(self._history) - missing)
        return list(islice(self._history, start, start + 256))


def check_types(types: list[str] | None) -> frozenset[str] | None:
    """The event types to send; None for all.

    Raises:
        InvalidParams: one of them does not exist.
    """
    if types is None:
        return None
    for name in types:
        if name not in NEWS:
            raise InvalidParams(
                f"params.types: {name!r} is no event type",
                path="params.types",
                expected=f"some of {', '.join(sorted(NEWS))}",
            )
    return frozenset(types)


async def read_until_gone(
    newsroom: Newsroom, reader: Caller, types: frozenset[str] | None, after: int
) -> None:
    """``Newsroom.read`` until the reader hangs up."""
    try:
        await newsroom.read(reader, types, after)
    except PeerGone:
        return
