"""Exit codes, and which one an error of the daemon becomes; one line says what to do about it."""

from typing import Any

from protocol.errors import (
    InvalidParams,
    MethodNotFound,
    NoResourceAvailable,
    Overloaded,
    SlotdError,
    SlotRequestTimeout,
    Unauthenticated,
    UnknownJob,
    UnknownRequest,
    UnknownTask,
    UnknownTaskExecutor,
)

TIMED_OUT = 124
FAILED = 125
SIGNALLED = 128
USAGE = 64
UNREACHABLE = 69
WOULD_WAIT = 75
NOT_ALLOWED = 77
NEVER = 78

START_IT = "is slotd running? start it with: slotd"

_EXITS = {
    InvalidParams.code: USAGE,
    MethodNotFound.code: USAGE,
    Unauthenticated.code: NOT_ALLOWED,
    Overloaded.code: WOULD_WAIT,
    SlotRequestTimeout.code: TIMED_OUT,
    UnknownJob.code: USAGE,
    UnknownTaskExecutor.code: USAGE,
    UnknownRequest.code: USAGE,
    UnknownTask.code: USAGE,
}
_ADVICE = {
    MethodNotFound.code: "is slotd older than this slotctl? see: slotctl status",
    Unauthenticated.code: "the token is wrong: give --state-dir or --token-file of this slotd",
    Overloaded.code: "slotd is busy; try again later",
    UnknownJob.code: "see: slotctl ls jobs",
    UnknownTaskExecutor.code: "see: slotctl ls executors",
    UnknownRequest.code: "see: slotctl ls requests",
    UnknownTask.code: "see: slotctl ls tasks",
}


class Failure(Exception):
    """The command cannot go on: a sentence, the exit code and what to do about it."""

    def __init__(self, message: str, exit_code: int = FAILED, *, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code
        self.advice = advice

    def as_json(self) -> dict[str, Any]:
        """The failure as ``--json`` shows it."""
        return {"error": {"message": self.message, "exit_code": self.exit_code}}


class Refused(Failure):
    """The daemon answered with an error: its ``code`` and ``data``."""

    def __init__(self, error: SlotdError) -> None:
        super().__init__(error.message, exit_code_of(error), advice=_ADVICE.get(error.code, ""))
        self.code = error.code
        self.data = error.data

    def as_json(self) -> dict[str, Any]:
        """The daemon's error as it came, and the exit code."""
        error = {"code": self.code, "message": self.message, "data": self.data}
        return {"error": {**error, "exit_code": self.exit_code}}


class LinkLost(Failure):
    """The daemon hung up."""


class Interrupted(Exception):
    """A signal arrived while an answer was awaited."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def exit_code_of(error: SlotdError) -> int:
    """The exit code for the daemon's error; no resource and a nearest one named means never."""
    if error.code == NoResourceAvailable.code:
        return NEVER if "nearest" in error.data else WOULD_WAIT
    return _EXITS.get(error.code, FAILED)
