"""What the link tells the rest of the dashboard; values only."""

import enum

import attrs

from protocol.ids import AllocationId
from protocol.messages.client import Explanation
from protocol.news import Event
from protocol.snapshot import Snapshot


class LinkState(enum.Enum):
    """How well the dashboard knows the cluster now."""

    CONNECTING = "CONNECTING"
    """Never had a picture; dialling or waiting to dial again."""
    SYNCING = "SYNCING"
    """Connected; a snapshot is on its way."""
    LIVE = "LIVE"
    STALE = "STALE"
    """Connected, but the daemon is silent."""
    RECONNECTING = "RECONNECTING"
    """The connection is lost; the picture is old."""
    DENIED = "DENIED"
    VERSION = "VERSION"
    """The daemon does not speak our protocol."""


@attrs.frozen
class LinkStatus:
    """The state of the link with what a person wants to know about it.

    ``heard_at`` (last sign of life) and ``retry_at`` are monotonic seconds; ``detail`` is a short
    reason in words, ``attempt`` counts from 1 since the link was last good.
    """

    state: LinkState
    address: str = ""
    cluster: str = ""
    detail: str = ""
    attempt: int = 1
    retry_at: float | None = None
    heard_at: float | None = None

    @property
    def is_current(self) -> bool:
        """Whether what is shown is the newest that can be known."""
        return self.state is LinkState.LIVE


@attrs.frozen
class LinkChanged:
    """The link has this status now."""

    status: LinkStatus


@attrs.frozen
class SnapshotTaken:
    """Everything at one moment, received at ``heard_at`` (monotonic seconds)."""

    snapshot: Snapshot
    heard_at: float


@attrs.frozen
class EventsCame:
    """The next events without a gap, received at ``heard_at`` (monotonic seconds)."""

    events: tuple[Event, ...]
    heard_at: float


@attrs.frozen
class Explained:
    """The answer about one request: an explanation, or why there is none."""

    allocation_id: AllocationId
    explanation: Explanation | None
    error: str
    heard_at: float


LinkNews = LinkChanged | SnapshotTaken | EventsCame | Explained
