"""How a session ends, and what the daemon's refusals mean for the link."""

from protocol.clean import clean
from protocol.errors import SlotdError, Unauthenticated, UnsupportedProtocol
from protocol.messages.session import PROTOCOL_VERSION
from tui.dashboard.link.news import LinkState


class Ended(Exception):
    """The session is over. ``state`` says what that means for the link, the message why."""

    def __init__(self, state: LinkState, message: str) -> None:
        super().__init__(message)
        self.state = state


def lost(why: str) -> Ended:
    """The connection is of no more use; another one may be."""
    return Ended(LinkState.RECONNECTING, why)


def refused(error: SlotdError) -> Ended:
    """The daemon refused what the session needs."""
    message = clean(error.message)
    if isinstance(error, Unauthenticated):
        return Ended(LinkState.DENIED, message)
    if isinstance(error, UnsupportedProtocol):
        supported = clean(str(error.data.get("supported", "another")))
        ours = f"this slottop speaks {PROTOCOL_VERSION}"
        return Ended(LinkState.VERSION, f"the daemon speaks protocol {supported}, {ours}")
    return lost(message)
