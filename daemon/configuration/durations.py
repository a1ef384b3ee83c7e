"""Durations and sizes as people write them; a number without its unit is refused, not guessed."""

import math
import re

_QUANTITY = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")

_SECONDS = {
    unit: seconds
    for units, seconds in (
        ("ms milli millisecond milliseconds", 0.001),
        ("s sec second seconds", 1.0),
        ("m min minute minutes", 60.0),
        ("h hour hours", 3600.0),
        ("d day days", 86400.0),
    )
    for unit in units.split()
}
_BYTES: dict[str, int] = {"b": 1} | {
    f"{prefix}{kind}": base**power
    for kind, base in (("b", 1000), ("ib", 1024))
    for power, prefix in enumerate(("k", "m", "g", "t"), start=1)
}
_MIB = 1 << 20

DURATION = "a duration with its unit, such as '500 ms', '50 s', '1 min' or '2 h'"
SIZE = "a size with its unit, such as '512MB' or '4GiB'"


def duration_s(raw: object) -> float:
    """Seconds, finite and >= 0, to the millisecond and below (X409). Raises ValueError."""
    amount, unit = _quantity(raw, DURATION, "s")
    if unit not in _SECONDS:
        raise ValueError(DURATION)
    seconds = amount * _SECONDS[unit]
    if not math.isfinite(seconds):
        raise ValueError(f"a finite duration: {DURATION}")
    return seconds


def size_bytes(raw: object) -> int:
    """Bytes: ``MB`` is 10**6, ``MiB`` 2**20; rounded up. Raises ValueError."""
    amount, unit = _quantity(raw, SIZE, "MiB")
    if unit not in _BYTES:
        raise ValueError(SIZE)
    if not math.isfinite(amount):
        raise ValueError(f"a finite size: {SIZE}")
    return math.ceil(amount * _BYTES[unit])


def size_mib(raw: object) -> int:
    """MiB, rounded up: ``512MB`` for a slot is never less than ``512MB`` of a request."""
    return -(-size_bytes(raw) // _MIB)


def in_words(seconds: float) -> str:
    """The shortest text that ``duration_s`` reads as ``seconds``."""
    if not math.isfinite(seconds):
        return "inf"
    for unit, factor in (("h", 3600.0), ("min", 60.0), ("s", 1.0)):
        if seconds and seconds % factor == 0:
            return f"{seconds / factor:g} {unit}"
    return f"{seconds:g} s" if seconds >= 1 or not seconds else f"{seconds * 1000:g} ms"


def _quantity(raw: object, expected: str, usual_unit: str) -> tuple[float, str]:
    match = _QUANTITY.fullmatch(raw) if isinstance(raw, str) else None
    is_bare = isinstance(raw, int | float) and not isinstance(raw, bool)
    if is_bare or (match and not match[2]):
        raise ValueError(f"{expected}; a number alone has no unit: '{raw} {usual_unit}'?")
    if match is None:
        raise ValueError(expected)
    return float(match[1]), match[2].lower()
