"""What must hold between values, and between a value and this machine (E41, J08, K10)."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from daemon.configuration.durations import in_words

Complain = Callable[[str, object, str], str]
"""From a key, the value that does not do, and what was expected, to a line."""

ABSENT = "a directory that exists"


def problems(values: Mapping[str, Any], complain: Complain) -> Iterator[str]:
    """One line for each rule that is broken. Touches no file but to look."""
    for least, most in (
        ("heartbeat-interval", "heartbeat-timeout"),
        ("registration-initial-timeout", "registration-max-timeout"),
    ):
        if values[most] < values[least]:
            expected = f"at least {least}, which is {in_words(values[least])!r}"
            yield complain(most, in_words(values[most]), expected)
    if not values["scratch-dirs"]:
        yield complain("scratch-dirs", [], "at least one directory")
    for directory in values["scratch-dirs"]:
        if (missing := _lacks(directory)) is not None:
            yield complain("scratch-dirs", str(directory), missing)
    state_dir: Path = values["state-dir"]
    if (missing := _lacks(state_dir)) not in {None, ABSENT}:
        yield complain("state-dir", str(state_dir), str(missing))
    log_file: Path | None = values["log-file"]
    if log_file is not None and (
        _lacks(log_file) is None or _lacks(log_file.absolute().parent) is not None
    ):
        yield complain("log-file", str(log_file), "a file in a directory that takes it")


def _lacks(directory: Path) -> str | None:
    try:
        if not directory.exists():
            return ABSENT
        if not directory.is_dir():
            return "a directory"
    except OSError as error:
        return f"a directory that this user can reach ({error.strerror})"
    if not os.access(directory, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
        return "a directory that this user can write to"
    return None
