"""One connection from hello to its end, without I/O: bytes and time in, news and bytes out.

Events are subscribed before the snapshot is asked for; those that the snapshot contains are
dropped, and a hole in their numbers means another snapshot.
"""

import enum
from collections.abc import Iterator
from typing import Any

import attrs

from protocol.clean import clean, clean_deep
from protocol.codec import decode_answer, decode_notification, encode_request
from protocol.connection import Connection, Fatal, Frame, NotificationFrame, RequestFrame
from protocol.errors import SlotdError
from protocol.frames import ResponseFrame, make_error, make_response
from protocol.ids import AllocationId, JobId, RequestId
from protocol.messages.calls import Request
from protocol.messages.client import EventsLost, ExplainSlot, SubscribeEvents
from protocol.messages.session import PROTOCOL_VERSION, Hello, Ping
from protocol.methods import not_served
from protocol.news import Event
from protocol.snapshot import TakeSnapshot
from tui.dashboard.link.ending import lost, refused
from tui.dashboard.link.news import EventsCame, Explained, LinkNews, LinkState, SnapshotTaken

CLIENT = "slottop/1"
MAX_LINE_BYTES = 256 << 20
"""A snapshot is one line, and a large cluster's is long."""
MAX_EVENTS_HELD = 50_000
"""Events that come while a snapshot is awaited; when there are more, another one is asked for."""
PING_INTERVAL_S = 1.0
MISSED_PINGS = 3
"""So many pings without a sign of life make a picture stale."""
SILENCE_S = 15.0
"""After so much silence the connection is given up."""
HELLO_TIMEOUT_S = 10.0


class Stage(enum.Enum):
    """What the session waits for."""

    HELLO = "hello"
    SUBSCRIPTION = "subscription"
    SNAPSHOT = "snapshot"
    NOTHING = "nothing"


@attrs.frozen
class Asked:
    """A request that is not answered yet."""

    request: Request[Any]
    allocation_id: AllocationId | None = None


class Session:
    """The client's side of one connection.

    ``now`` is monotonic seconds. ``receive_data`` and ``tick`` may change ``state``, ``detail``
    and ``cluster``; the caller looks at them afterwards.
    """

    def __init__(self, token: str, now: float, most_held: int = MAX_EVENTS_HELD) -> None:
        self.state = LinkState.SYNCING
        self.detail = "saying hello"
        self.cluster = ""
        self.heard_at = now
        self.had_picture = False
        self._stage = Stage.HELLO
        self._connection = Connection(MAX_LINE_BYTES)
        self._outgoing = bytearray()
        self._asked: dict[int | str, Asked] = {}
        self._asked_count = 0
        self._seq = 0
        self._held: list[Event] = []
        self._most_held = most_held
        self._overflowed = False
        self._pinged_at = now
        self._pings = 0
        self._began_at = now
        self._ask(Hello(protocol=PROTOCOL_VERSION, client=CLIENT, token=token))

    def data_to_send(self) -> bytes:
        """What must be sent now; it is handed out once."""
        data = bytes(self._outgoing)
        self._outgoing.clear()
        return data

    @property
    def is_synced(self) -> bool:
        """Whether the picture is complete."""
        return self._stage is Stage.NOTHING

    @property
    def wakes_at(self) -> float:
        """When ``tick`` has something to do."""
        return self._pinged_at + PING_INTERVAL_S

    def receive_data(self, data: bytes, now: float) -> list[LinkNews]:
        """The news in ``data``; empty data is the end of the stream.

        Raises:
            Ended: the connection is of no more use.

        """
        if not data:
            raise lost("the daemon hung up")
        self.heard_at = now
        self._pings = 0
        if self.state is LinkState.STALE:
            self._set_state(LinkState.LIVE, "")
        return list(_joined(self._news(data, now), now))

    def tick(self, now: float) -> None:
        """Time has passed: ping, go stale, give up.

        Raises:
            Ended: the daemon was silent for too long.

        """
        if now - self.heard_at >= SILENCE_S:
            raise lost(f"silent for {SILENCE_S:.0f}s")
        if self._stage is Stage.HELLO:
            if now - self._began_at >= HELLO_TIMEOUT_S:
                raise lost("no answer to hello")
        elif now - max(self._pinged_at, self.heard_at) >= PING_INTERVAL_S:
            if self._pings >= MISSED_PINGS and self.state is LinkState.LIVE:
                self._set_state(LinkState.STALE, "the daemon is silent")
            self._pings += 1
            self._ask(Ping())
        self._pinged_at = now

    def explain(self, job_id: JobId, allocation_id: AllocationId) -> bool:
        """Ask why a request waits; False when nothing can be asked now."""
        if not self.is_synced:
            return False
        asked = ExplainSlot(job_id=job_id, request_id=RequestId(allocation_id))
        self._ask(asked, allocation_id)
        return True

    def resync(self, why: str) -> None:
        """Ask for everything again."""
        self._stage = Stage.SNAPSHOT
        self._held.clear()
        self._overflowed = False
        self._set_state(LinkState.SYNCING, why)
        self._ask(TakeSnapshot())

    def _set_state(self, state: LinkState, detail: str) -> None:
        self.state, self.detail = state, detail

    def _ask(self, request: Request[Any], allocation_id: AllocationId | None = None) -> None:
        self._asked_count += 1
        self._asked[self._asked_count] = Asked(request, allocation_id)
        self._outgoing += encode_request(self._asked_count, request)

    def _news(self, data: bytes, now: float) -> Iterator[Event | LinkNews]:
        for frame in self._connection.receive_data(data):
            yield from self._take(frame, now)

    def _take(self, frame: Frame, now: float) -> Iterator[Event | LinkNews]:
        match frame:
            case NotificationFrame(method, params):
                yield from self._notified(method, params)
            case ResponseFrame(key, result, error):
                asked = None if key is None else self._asked.pop(key, None)
                if asked is not None:
                    yield from self._answered(asked, result, error, now)
                elif error is not None and key is None:
                    raise refused(error)
            case RequestFrame(key, method, _):
                self._outgoing += (
                    make_response(key, {})
                    if method == Ping.METHOD
                    else make_error(key, not_served(method, "a dashboard"))
                )
            case Fatal(error):
                raise lost(clean(error.message))
            case _:
                raise lost("the daemon sent a line that is no message")

    def _answered(
        self, asked: Asked, result: Any, error: SlotdError | None, now: float
    ) -> Iterator[LinkNews]:
        if asked.allocation_id is not None:
            yield self._explained(asked, asked.allocation_id, result, error, now)
            return
        if error is not None:
            raise refused(error)
        match asked.request:
            case Hello():
                welcome = self._decode(asked.request, result)
                self.cluster = welcome.cluster
                self._stage = Stage.SUBSCRIPTION
                self._ask(SubscribeEvents())
            case SubscribeEvents() if self._stage is Stage.SUBSCRIPTION:
                self.resync("taking a first picture")
            case TakeSnapshot() if self._stage is Stage.SNAPSHOT:
                yield from self._snapshot_came(asked.request, result, now)
            case _:
                pass

    def _snapshot_came(self, request: Request[Any], result: Any, now: float) -> Iterator[LinkNews]:
        if self._overflowed:
            self.resync("too much happened meanwhile")
            return
        snapshot = self._decode(request, result)
        self._seq = snapshot.seq
        self._stage = Stage.NOTHING
        self.had_picture = True
        self._set_state(LinkState.LIVE, "")
        yield SnapshotTaken(snapshot, now)
        held, self._held = self._held, []
        events = [event for event in held if self._is_next(event)]
        if events:
            yield EventsCame(tuple(events), now)

    def _explained(
        self,
        asked: Asked,
        allocation_id: AllocationId,
        result: Any,
        error: SlotdError | None,
        now: float,
    ) -> Explained:
        if error is not None:
            return Explained(allocation_id, None, clean(error.message), now)
        return Explained(allocation_id, self._decode(asked.request, result), "", now)

    def _notified(self, method: str, params: dict[str, Any]) -> Iterator[Event]:
        if method not in (Event.METHOD, EventsLost.METHOD):
            return
        try:
            message = decode_notification(method, clean_deep(params))
        except SlotdError as error:
            raise lost(clean(error.message)) from None
        if isinstance(message, Event):
            yield from self._event_came(message)
        elif self._stage is Stage.NOTHING:
            self.resync("the daemon dropped events for us")

    def _event_came(self, event: Event) -> Iterator[Event]:
        if self._stage is not Stage.NOTHING:
            self._hold(event)
        elif self._is_next(event):
            yield event

    def _hold(self, event: Event) -> None:
        if len(self._held) >= self._most_held:
            self._overflowed = True
        else:
            self._held.append(event)

    def _is_next(self, event: Event) -> bool:
        """Whether ``event`` is the next one; one that is too late starts a new picture."""
        if self._stage is not Stage.NOTHING or event.seq <= self._seq:
            return False
        if event.seq != self._seq + 1:
            self.resync(f"event {self._seq + 1} is missing")
            return False
        self._seq = event.seq
        return True

    def _decode(self, request: Request[Any], result: Any) -> Any:
        try:
            return decode_answer(type(request), clean_deep(result))
        except SlotdError as error:
            raise lost(clean(error.message)) from None


def _joined(news: Iterator[Event | LinkNews], now: float) -> Iterator[LinkNews]:
    """Neighbouring events as one piece of news."""
    events: list[Event] = []
    for piece in news:
        if isinstance(piece, Event):
            events.append(piece)
            continue
        if events:
            yield EventsCame(tuple(events), now)
            events = []
        yield piece
    if events:
        yield EventsCame(tuple(events), now)
