"""The error table of the wire: one class per row; every refusal in slotd is one of these."""

from typing import Any, ClassVar


class SlotdError(Exception):
    """A refusal that a peer can act on. A refused call changed nothing.

    Attributes:
        code: the number on the wire; ``data`` gives details and always has ``type``.

    """

    code: ClassVar[int]

    def __init__(self, message: str, **data: Any) -> None:
        super().__init__(message)
        self.message = message
        self.data: dict[str, Any] = {"type": type(self).__name__, **data}


class ParseError(SlotdError):
    """The line is not JSON or not UTF-8."""

    code = -32700


class InvalidRequest(SlotdError):
    """The line is JSON but not a request, response or notification."""

    code = -32600


class MethodNotFound(SlotdError):
    """No such method, or not one that this side serves."""

    code = -32601


class InvalidParams(SlotdError):
    """A value is of the wrong form: ``data.path`` and ``data.expected`` say which and how."""

    code = -32602


class InternalError(SlotdError):
    """A bug in slotd; the daemon's log has the details."""

    code = -32603


class Unauthenticated(SlotdError):
    """No token, a wrong token, or something else before hello."""

    code = 1001


class UnsupportedProtocol(SlotdError):
    """``data.supported`` lists the protocol versions that this side speaks."""

    code = 1002


class LineTooLong(SlotdError):
    """A line exceeded ``max_line_bytes``; the connection is closed."""

    code = 1003


class Overloaded(SlotdError):
    """A bounded queue is full; try again later."""

    code = 1004


class NotLeader(SlotdError):
    """The callee does not lead; ``data.address`` says who does, if known."""

    code = 2001


class LeaderIdMismatch(SlotdError):
    """The call names a leader id that is not the callee's current one."""

    code = 2002


class NoResourceAvailable(SlotdError):
    """No slot can serve the request now, or ever (``data.nearest``)."""

    code = 3001


class SlotRequestTimeout(SlotdError):
    """The request's deadline passed."""

    code = 3002


class RequestCancelled(SlotdError):
    """The request was withdrawn."""

    code = 3003


class SlotOccupied(SlotdError):
    """``data.allocation_id`` holds the slot."""

    code = 3004


class SlotNotFound(SlotdError):
    """No such slot at this executor."""

    code = 3005


class SlotAllocationFailed(SlotdError):
    """The executor cannot give the slot now."""

    code = 3006


class UnknownJob(SlotdError):
    """No open job has this id."""

    code = 4001


class UnknownTaskExecutor(SlotdError):
    """No registered executor has this name, or not with this instance id."""

    code = 4002


class UnknownRequest(SlotdError):
    """The job has no request with this id."""

    code = 4003


class UnknownTask(SlotdError):
    """No such task, or it has ended."""

    code = 4004


class PeerGone(SlotdError):
    """The peer died or hung up before it answered; never on the wire."""

    code = -32000


class ProtocolError(SlotdError):
    """The peer breaks the protocol; never on the wire, the connection is closed."""

    code = -32001


ERRORS_BY_CODE: dict[int, type[SlotdError]] = {
    error.code: error for error in SlotdError.__subclasses__()
}


def error_from_wire(code: int, message: str, data: dict[str, Any]) -> SlotdError:
    """The error that a response carries; one of an unknown code becomes InternalError."""
    error = ERRORS_BY_CODE.get(code, InternalError)(message)
    error.data.update(data)
    return error
