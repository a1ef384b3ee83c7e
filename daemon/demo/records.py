"""What became of each request and its command, as the client saw it."""

import enum

import attrs

from protocol.ids import RequestId, SlotId


class Outcome(enum.Enum):
    """How a request ended."""

    SERVED = "served"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    FAILED = "failed"


@attrs.define
class Record:
    """One request and its command. Moments in seconds of one clock; None: not yet, or never.

    ``granted`` is taken after the grant was read and ``gave_back`` before the release is sent, so
    that nobody else can rightly have the slot between them.
    """

    name: str
    request_id: RequestId
    asked: float
    granted: float | None = None
    started: float | None = None
    finished: float | None = None
    gave_back: float | None = None
    slot_id: SlotId | None = None
    locality: str = ""
    ended: str = ""
    asked_again: int = 0
    outcomes: list[Outcome] = attrs.field(factory=list[Outcome])

    @property
    def waited_s(self) -> float | None:
        """From the request to its slot."""
        return None if self.granted is None else self.granted - self.asked

    @property
    def ran_s(self) -> float | None:
        """From the start of the command to its end."""
        if self.started is None or self.finished is None:
            return None
        return self.finished - self.started

    @property
    def is_running(self) -> bool:
        """The command has started and not ended."""
        return self.started is not None and self.finished is None
