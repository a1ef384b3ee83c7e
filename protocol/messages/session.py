"""The messages of the connection itself: hello, ping, cancellation."""

from typing import ClassVar

import attrs

from protocol.forms import Key, Label, Token
from protocol.messages.calls import Empty, Notification, Request

PROTOCOL_VERSION = 1


@attrs.frozen
class Welcome:
    """The answer to hello. ``heartbeat_interval`` in seconds."""

    protocol: int
    server: str
    daemon_id: str
    cluster: str
    roles: list[str]
    max_line_bytes: int
    heartbeat_interval: float


@attrs.frozen
class Hello(Request[Welcome]):
    """The first request of every connection."""

    METHOD: ClassVar[str] = "hello"
    protocol: int
    client: Label
    token: Token | None = attrs.field(default=None, repr=False)


@attrs.frozen
class Ping(Request[Empty]):
    """A sign of life, from either side."""

    METHOD: ClassVar[str] = "ping"


@attrs.frozen
class CancelRequest(Notification):
    """Withdraws the request ``id`` of this connection."""

    METHOD: ClassVar[str] = "$/cancelRequest"
    id: Key
