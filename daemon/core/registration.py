"""How a registration is retried: which call timeout, which pause, after which outcome."""

import enum

import attrs


class RegistrationOutcome(enum.Enum):
    """How one attempt ended, short of success."""

    TIMED_OUT = enum.auto()
    DECLINED = enum.auto()
    FAILED = enum.auto()


@attrs.frozen
class RegistrationSettings:
    """Seconds. Raises ValueError for a timeout <= 0, a negative delay or max < initial (J08)."""

    initial_timeout_s: float = 0.1
    max_timeout_s: float = 30.0
    error_delay_s: float = 10.0
    refused_delay_s: float = 30.0


@attrs.frozen
class Attempt:
    """Pause ``delay_s``, then call with a limit of ``timeout_s``."""

    delay_s: float
    timeout_s: float


def first_attempt(settings: RegistrationSettings) -> Attempt:
    """At once, with the initial timeout."""
    raise NotImplementedError


def next_attempt(
    settings: RegistrationSettings, attempt: Attempt, outcome: RegistrationOutcome
) -> Attempt:
    """Timeouts double without a pause; a decline or an error pauses and starts over (J03-J06)."""
    raise NotImplementedError
