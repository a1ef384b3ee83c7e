"""Registration: which call timeout and which pause follow which outcome."""

import math

import pytest

from daemon.core.registration import (
    Attempt,
    RegistrationOutcome,
    RegistrationSettings,
    first_attempt,
    next_attempt,
)

SETTINGS = RegistrationSettings(
    initial_timeout_s=0.02, max_timeout_s=0.2, error_delay_s=0.3, refused_delay_s=0.4
)
TIMED_OUT, DECLINED, FAILED = RegistrationOutcome


def attempts(*outcomes: RegistrationOutcome) -> list[Attempt]:
    """The first attempt and the one after each outcome."""
    made = [first_attempt(SETTINGS)]
    for outcome in outcomes:
        made.append(next_attempt(SETTINGS, made[-1], outcome))
    return made


def test_timeouts_double_up_to_the_maximum_without_a_pause() -> None:
    """J04, X414"""
    assert attempts(*[TIMED_OUT] * 5) == [
        Attempt(0.0, 0.02),
        Attempt(0.0, 0.04),
        Attempt(0.0, 0.08),
        Attempt(0.0, 0.16),
        Attempt(0.0, 0.2),
        Attempt(0.0, 0.2),
    ]


def test_a_decline_pauses_for_the_refused_delay_and_starts_over() -> None:
    """J05"""
    assert attempts(TIMED_OUT, DECLINED, TIMED_OUT) == [
        Attempt(0.0, 0.02),
        Attempt(0.0, 0.04),
        Attempt(0.4, 0.02),
        Attempt(0.0, 0.04),
    ]


def test_an_error_pauses_for_the_error_delay_and_starts_over() -> None:
    """J06, J03, X413: connecting that fails is an error too, never retried at once."""
    assert attempts(TIMED_OUT, FAILED, FAILED, TIMED_OUT) == [
        Attempt(0.0, 0.02),
        Attempt(0.0, 0.04),
        Attempt(0.3, 0.02),
        Attempt(0.3, 0.02),
        Attempt(0.0, 0.04),
    ]


def test_pauses_shorter_than_a_second_stay_what_they_are() -> None:
    """X409: 500 ms are not 0."""
    settings = RegistrationSettings(error_delay_s=0.5, refused_delay_s=0.25)
    first = first_attempt(settings)
    assert next_attempt(settings, first, FAILED).delay_s == 0.5
    assert next_attempt(settings, first, DECLINED).delay_s == 0.25


@pytest.mark.parametrize("key", ["initial_timeout_s", "max_timeout_s"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_a_timeout_must_be_finite_and_positive_and_the_error_names_it(
    key: str, value: float
) -> None:
    """J08, E42, X410"""
    with pytest.raises(ValueError, match=f"^{key}: expected finite seconds > 0, got {value!r}$"):
        RegistrationSettings(**{key: value})


@pytest.mark.parametrize("key", ["error_delay_s", "refused_delay_s"])
@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
def test_a_delay_must_be_finite_and_not_negative_and_the_error_names_it(
    key: str, value: float
) -> None:
    """J08, E42, X410"""
    with pytest.raises(ValueError, match=f"^{key}: expected finite seconds >= 0, got {value!r}$"):
        RegistrationSettings(**{key: value})


def test_a_delay_may_be_nothing() -> None:
    """J08"""
    assert RegistrationSettings(error_delay_s=0.0, refused_delay_s=0.0).error_delay_s == 0.0


def test_the_maximum_is_not_below_the_initial_timeout() -> None:
    """J08"""
    RegistrationSettings(initial_timeout_s=2.0, max_timeout_s=2.0)
    with pytest.raises(ValueError, match=r"^max_timeout_s: expected at least initial_timeout_s"):
        RegistrationSettings(initial_timeout_s=2.0, max_timeout_s=1.9)
