"""The forms of values: from a text, or a TOML value, to what the daemon uses; pure but for ``~``.

A form that does not fit raises ValueError with what was expected: "expected ..." in the error.
"""

import ipaddress
import math
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

from daemon.configuration.durations import DURATION, duration_s, size_bytes, size_mib
from protocol.resources import EXTENDED_NAME, ResourceProfile

Read = Callable[[object], Any]
"""From a flag's or variable's text, or a value of the file, to the value."""

_WHOLE = re.compile(r"-?[0-9]{1,18}")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,128}")
PROFILE = "amounts such as 'cpu=1,memory=512MB,gpu=1'"
LISTEN = "host:port of a loopback address, such as 127.0.0.1:6123 or [::1]:0"


def duration(raw: object) -> float:
    """Seconds > 0."""
    seconds = duration_s(raw)
    if seconds <= 0:
        raise ValueError(f"more than zero: {DURATION}")
    return seconds


def duration_or_zero(raw: object) -> float:
    """Seconds >= 0."""
    return duration_s(raw)


def duration_or_inf(raw: object) -> float:
    """Seconds > 0, or ``inf`` for no limit (E42)."""
    if (isinstance(raw, str) and raw.strip().lower() == "inf") or raw == math.inf:
        return math.inf
    try:
        return duration(raw)
    except ValueError as error:
        raise ValueError(f"{error}, or 'inf'") from error


def line_size(raw: object) -> int:
    """Bytes of a line: no less than a hello needs."""
    value = size_bytes(raw)
    if not 8192 <= value <= 1 << 30:
        raise ValueError("a size between '8KiB' and '1GiB'")
    return value


def whole(least: int, most: int, also: int | None = None) -> Read:
    """A whole number within bounds; ``also`` is one more that is allowed."""

    def read(raw: object) -> int:
        text = raw.strip() if isinstance(raw, str) else repr(raw)  # True is no number here
        if _WHOLE.fullmatch(text) and (least <= int(text) <= most or int(text) == also):
            return int(text)
        extra = "" if also is None else f" (or {also})"
        raise ValueError(f"a whole number from {least} to {most}{extra}")

    return read


def fraction(raw: object) -> float:
    """A number strictly between 0 and 1 (E41)."""
    try:
        value = math.nan if isinstance(raw, bool) else float(str(raw))
    except ValueError:
        value = math.nan
    if not 0 < value < 1:
        raise ValueError("a number between 0 and 1, such as 0.7")
    return value


def one_of(choices: Iterable[str]) -> Read:
    """One of these words."""
    allowed = tuple(choices)

    def read(raw: object) -> str:
        if raw not in allowed:
            raise ValueError(f"one of {', '.join(allowed)}")
        return str(raw)

    return read


def some_of(choices: Iterable[str]) -> Read:
    """One or more of these words, each once, in their own order."""
    allowed = tuple(choices)

    def read(raw: object) -> tuple[str, ...]:
        words = items(raw)
        if not words or len(set(words)) < len(words) or not set(words) <= set(allowed):
            raise ValueError(f"one or more of {', '.join(allowed)}, each once")
        return tuple(word for word in allowed if word in words)

    return read


def items(raw: object) -> list[str]:
    """The words of a comma-separated text, or of an array of texts."""
    values = cast("list[object]", raw) if isinstance(raw, list) else None
    if isinstance(raw, str):
        values = [*raw.split(",")]
    words = [value.strip() for value in values or () if isinstance(value, str)]
    if values is None or len(words) < len(values):
        raise ValueError("a comma-separated text or an array of texts")
    return [word for word in words if word]


def name(raw: object) -> str:
    """A short name of a host or cluster."""
    if not isinstance(raw, str) or not _NAME.fullmatch(raw):
        raise ValueError("a name of 1 to 128 of A-Z a-z 0-9 . _ -")
    return raw


def path(raw: object) -> Path:
    """A path of the file system; ``~`` is the home directory."""
    if not isinstance(raw, str) or not raw or "\0" in raw:
        raise ValueError("a path")
    try:
        return Path(raw).expanduser()
    except RuntimeError as error:
        raise ValueError("a path; '~' has no meaning without a home directory") from error


def paths(raw: object) -> tuple[Path, ...]:
    """Some paths."""
    return tuple(path(word) for word in items(raw))


def listen(raw: object) -> tuple[str, int]:
    """Host and port, loopback only: there is no TLS yet."""
    host, colon, port = raw.rpartition(":") if isinstance(raw, str) else ("", "", "")
    if not (host and colon and _WHOLE.fullmatch(port)):
        raise ValueError(LISTEN)
    if not 0 <= int(port) <= 65535:
        raise ValueError(f"a port from 0 to 65535: {LISTEN}")
    if host == "localhost":
        return "127.0.0.1", int(port)
    is_bracketed = host.startswith("[") and host.endswith("]")
    try:
        address = ipaddress.ip_address(host[1:-1] if is_bracketed else host)
    except ValueError:
        raise ValueError(LISTEN) from None
    if is_bracketed != (address.version == 6):
        raise ValueError(LISTEN)
    if not address.is_loopback:
        raise ValueError(f"{LISTEN}: without TLS nothing may listen beyond loopback")
    return str(address), int(port)


def profile(raw: object) -> ResourceProfile:
    """A profile as ``cpu=1,memory=512MB,gpu=1``; what is left out is none of it."""
    amounts: dict[str, str] = {}
    for word in items(raw):
        key, equals, amount = (part.strip() for part in word.partition("="))
        if not equals or not amount:
            raise ValueError(f"{PROFILE}: {word!r} has no amount")
        if not EXTENDED_NAME.fullmatch(key):
            raise ValueError(f"{PROFILE}: {key!r} is no name of a resource")
        if key in amounts:
            raise ValueError(f"{PROFILE}: {key!r} only once")
        amounts[key] = amount
    if not amounts:
        raise ValueError(PROFILE)
    cpu = _amount("cpu", amounts.pop("cpu", "0"))
    memory_mb = size_mib(amounts.pop("memory", "0MiB"))
    extended = {key: _amount(key, amount) for key, amount in amounts.items()}
    return ResourceProfile(cpu, memory_mb, extended)


def _amount(key: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{PROFILE}: {key!r} needs a finite number >= 0, got {text!r}")
    return value
