"""How a registration is retried: which call timeout, which pause, after which outcome."""

import enum
import math
from typing import Any

import attrs


class RegistrationOutcome(enum.Enum):
    """How one attempt ended, short of success."""

    TIMED_OUT = enum.auto()
    DECLINED = enum.auto()
    FAILED = enum.auto()


def _timeout(_: object, attribute: "attrs.Attribute[Any]", value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{attribute.name}: expected finite seconds > 0, got {value!r}")


def _delay(_: object, attribute: "attrs.Attribute[Any]", value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{attribute.name}: expected finite seconds >= 0, got {value!r}")


@attrs.frozen
class RegistrationSettings:
    """Seconds. Raises ValueError for a timeout <= 0, a negative delay or max < initial (J08)."""

    initial_timeout_s: float = attrs.field(default=0.1, validator=_timeout)
    max_timeout_s: float = attrs.field(default=30.0, validator=_timeout)
    error_delay_s: float = attrs.field(default=10.0, validator=_delay)
    refused_delay_s: float = attrs.field(default=30.0, validator=_delay)

    def __attrs_post_init__(self) -> None:
        if self.max_timeout_s < self.initial_timeout_s:
            raise ValueError(
                f"max_timeout_s: expected at least initial_timeout_s ({self.initial_timeout_s!r}), "
                f"got {self.max_timeout_s!r}"
            )


@attrs.frozen
class Attempt:
    """Pause ``delay_s``, then call with a limit of ``timeout_s``."""

    delay_s: float
    timeout_s: float


def first_attempt(settings: RegistrationSettings) -> Attempt:
    """At once, with the initial timeout."""
    return Attempt(0.0, settings.initial_timeout_s)


def next_attempt(
    settings: RegistrationSettings, attempt: Attempt, outcome: RegistrationOutcome
) -> Attempt:
    """Timeouts double without a pause; a decline or an error pauses and starts over (J03-J06)."""
    match outcome:
        case RegistrationOutcome.TIMED_OUT:
            return Attempt(0.0, min(2 * attempt.timeout_s, settings.max_timeout_s))
        case RegistrationOutcome.DECLINED:
            return Attempt(settings.refused_delay_s, settings.initial_timeout_s)
        case RegistrationOutcome.FAILED:
            return Attempt(settings.error_delay_s, settings.initial_timeout_s)
