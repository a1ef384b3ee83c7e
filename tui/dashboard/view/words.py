"""Small facts in few letters: durations, times of day, ids, profiles, counts."""

import time

from protocol.resources import ResourceProfile

UNKNOWN_FACT = "-"
"""What stands where nothing is known; never 0."""

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def duration(seconds: float) -> str:
    """``seconds`` in at most six letters: ``0.4s``, ``41s``, ``4m51s``, ``4h12m``, ``3d04h``."""
    seconds = max(seconds, 0.0)
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m{whole % _MINUTE:02}s"
    if whole < _DAY:
        return f"{whole // _HOUR}h{whole % _HOUR // _MINUTE:02}m"
    return f"{whole // _DAY}d{whole % _DAY // _HOUR:02}h"


def age(seconds: float) -> str:
    """A duration in whole seconds, which changes at most once a second."""
    return f"{int(max(seconds, 0))}s" if seconds < _MINUTE else duration(seconds)


def countdown(seconds: float) -> str:
    """What is left: ``0:09``, ``4:19``, ``1:02:00``; ``due`` when nothing is."""
    if seconds <= 0:
        return "due"
    whole = int(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE}:{whole % _MINUTE:02}"
    return f"{whole // _HOUR}:{whole % _HOUR // _MINUTE:02}:{whole % _MINUTE:02}"


def clock(at: float) -> str:
    """The local time of day of ``at`` (seconds since the epoch), to the millisecond."""
    return f"{time.strftime('%H:%M:%S', time.localtime(at))}.{int(at * 1000) % 1000:03}"


def short(identifier: str | None) -> str:
    """The first eight digits of a long id."""
    return UNKNOWN_FACT if not identifier else identifier[:8]


def count(number: int) -> str:
    """A number with its thousands apart."""
    return f"{number:,}"


def counted(number: int, noun: str) -> str:
    """``1 slot``, ``2 slots``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def profile(value: ResourceProfile) -> str:
    """A profile in few letters: ``2c/4G/gpu1``; ``any`` for one that says nothing."""
    if value.is_unknown:
        return "any"
    parts = [f"{value.cpu_cores:g}c", memory(value.memory_mb)]
    return "/".join(parts + [f"{name}{amount:g}" for name, amount in value.extended.items()])


def memory(megabytes: int) -> str:
    """``512M``, ``4G``, ``1.5G``."""
    if megabytes < 1024:
        return f"{megabytes}M"
    return f"{megabytes / 1024:.3g}G"
