"""Structured logs: key=value on a terminal, JSON otherwise; no secret and no escape passes."""

import json
import os
import signal
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from types import FrameType
from typing import Any

import orjson
import structlog

from protocol.clean import clean

Line = MutableMapping[str, Any]

HIDDEN = "(hidden)"
_SECRET_KEYS = frozenset({"authorization", "env", "password", "secret", "stdin", "token"})
_FIRST_KEYS = ["timestamp", "level", "event", "job_id", "allocation_id"]
_LONGEST_VALUE = 2000
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_STDERR = 2

_secrets: set[str] = set()


class LogFile:
    """Where lines go: stderr, or a file that is opened again when the next line follows a HUP.

    A line that cannot be written (disk full, reader gone) is lost: that must not stop a role.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._fd = _STDERR if path is None else _open(path)
        self._is_stale = False

    def reopen_soon(self, _number: int, _frame: FrameType | None) -> None:
        """On HUP: the next line goes to a newly opened file, for the old one was moved away."""
        self._is_stale = self._path is not None

    def msg(self, line: str) -> None:
        """Writes a line; this is what structlog calls for every level."""
        try:
            if self._is_stale and self._path is not None:
                self._is_stale = False
                os.dup2(fresh := _open(self._path), self._fd, inheritable=False)
                os.close(fresh)
            os.write(self._fd, (line + "\n").encode("utf-8", "backslashreplace"))
        except OSError:
            pass

    debug = info = warning = error = critical = exception = msg


def configure(path: Path | None, form: str, level: str) -> LogFile:
    """Sends every log line of this process to ``path`` (None: stderr), from ``level`` upward.

    ``form`` is ``text``, ``json``, or ``auto``: text if the target is a terminal. A HUP opens the
    file again; with stderr it is ignored. Must be called in the main thread.

    Raises:
        OSError: the file cannot be opened.

    """
    file = LogFile(path)
    is_text = form == "text" or (form == "auto" and path is None and sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            drop_secrets,
            render_text if is_text else render_json,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=lambda *_: file,
        cache_logger_on_first_use=True,
    )
    signal.signal(signal.SIGHUP, file.reopen_soon)
    return file


def hide(secret: str) -> None:
    """From now on no line contains ``secret``, wherever it came from (a traceback, say)."""
    _secrets.add(secret)


def drop_secrets(_: object, __: str, line: Line) -> Line:
    """Values under the name of a secret, at any depth, are not written."""
    for key in line:
        line[key] = _without_secrets(key, line[key])
    return line


def render_json(_: object, __: str, line: Line) -> str:
    """One JSON object."""
    try:
        text = orjson.dumps(dict(line), default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # a file name that is not UTF-8, say: half a surrogate pair
        text = json.dumps(dict(line), default=repr)
    return _without_known_secrets(text)


def render_text(_: object, __: str, line: Line) -> str:
    """``key=value`` pairs, and a traceback below."""
    trace = str(line.pop("exception", ""))
    keys = [key for key in _FIRST_KEYS if key in line]
    pairs = [_pair(key, line[key]) for key in [*keys, *(key for key in line if key not in keys)]]
    below = [f"    {clean(row, _LONGEST_VALUE)}" for row in trace.splitlines()]
    return _without_known_secrets("\n".join([" ".join(pairs), *below]))


def _without_known_secrets(rendered: str) -> str:
    for secret in _secrets:
        rendered = rendered.replace(secret, HIDDEN)
    return rendered


def _without_secrets(key: str, value: object) -> object:
    if key.lower() in _SECRET_KEYS or key.lower().endswith("_token"):
        return HIDDEN
    if isinstance(value, Mapping):
        return {str(k): _without_secrets(str(k), v) for k, v in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # whatever was logged
    return value


def _pair(key: str, value: object) -> str:
    text = clean(value if isinstance(value, str) else str(value), _LONGEST_VALUE)
    if not text or any(character in ' "=' for character in text):
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        text = f'"{escaped}"'
    return f"{clean(key)}={text}"


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
