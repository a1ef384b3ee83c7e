"""Words of the command line become values; a ValueError says what was expected instead."""

import math
import re

_NUMBER = r"\s*([0-9]+(?:\.[0-9]+)?)\s*"
_DURATION = re.compile(_NUMBER + r"([a-z]*)\s*")
_SIZE = re.compile(_NUMBER + r"([a-zA-Z]+)\s*")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_EXECUTOR = re.compile(r"[A-Za-z0-9._-]{1,128}")

_SECONDS = {
    unit: seconds
    for units, seconds in (
        ("ms", 0.001),
        (" s sec second seconds", 1.0),
        ("m min minute minutes", 60.0),
        ("h hour hours", 3600.0),
        ("d day days", 86400.0),
    )
    for unit in units.split(" ")
}
_BYTES = {
    f"{prefix}{kind}".lower(): base**power
    for kind, base in (("b", 1000), ("ib", 1024))
    for power, prefix in enumerate(("k", "m", "g", "t"), start=1)
}
_MIB = 1 << 20


def duration(text: str) -> float:
    """Seconds in ``500ms``, ``50 s``, ``1 min``, ``2h``; a number alone is seconds. More than 0."""
    match = _DURATION.fullmatch(text)
    seconds = float(match[1]) * _SECONDS.get(match[2], math.nan) if match else math.nan
    if not (0 < seconds < math.inf):
        raise ValueError(f"{text!r} is not a duration above 0 such as 500ms, 50s or '1 min'")
    return seconds


def immediate(text: str) -> float:
    """Seconds to wait for a slot before giving up; an empty text is 0: not at all."""
    return duration(text) if text else 0.0


def mebibytes(text: str) -> int:
    """MiB in ``512MB`` (10**6 bytes), ``4GiB`` (2**30 bytes), rounded up."""
    match = _SIZE.fullmatch(text)
    unit = _BYTES.get(match[2].lower(), 0) if match else 0
    if match is None or not unit:
        raise ValueError(f"{text!r} is not a size such as 512MB or 4GiB")
    whole, _, fraction = match[1].partition(".")
    parts: int = 10 ** len(fraction)
    return -(-int(whole + fraction) * unit // (parts * _MIB))


def amount(text: str) -> float:
    """A finite amount of at least 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (0 <= value < math.inf):
        raise ValueError(f"{text!r} is not an amount such as 1 or 0.5")
    return value


def resource(text: str) -> tuple[str, float]:
    """The name and amount in ``licence=1``."""
    name, equals, value = text.partition("=")
    if not (equals and _NAME.fullmatch(name)):
        raise ValueError(f"{text!r} is not NAME=AMOUNT such as licence=1")
    return name, amount(value)


def variable(text: str) -> tuple[str, str]:
    """The name and value of an environment variable in ``NAME=VALUE``."""
    name, equals, value = text.partition("=")
    if not (equals and name) or "\0" in text:
        raise ValueError(f"{text!r} is not NAME=VALUE")
    return name, value


def location(text: str) -> dict[str, str]:
    """A preferred place: ``te-1`` is an executor, ``host:lab3`` a host."""
    kind, colon, host = text.partition(":")
    if colon and kind == "host" and host:
        return {"host": host}
    if not _EXECUTOR.fullmatch(text):
        raise ValueError(f"{text!r} is neither an executor's name nor host:NAME")
    return {"resource_id": text}


def whole(text: str) -> int:
    """A whole number of at least 0."""
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def choice(*names: str) -> "Choice":
    """One of these words."""
    return Choice(names)


class Choice:
    """A converter that accepts one of a few words."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names

    def __call__(self, text: str) -> str:
        """``text`` if it is one of them."""
        if text not in self.names:
            raise ValueError(f"{text!r} is not one of {', '.join(self.names)}")
        return text
