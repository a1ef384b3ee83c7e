"""Where values come from: flags before variables before the file before defaults; all are named."""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from daemon.configuration.keys import BY_NAME, KEYS, Key

NOT_OURS = frozenset({"SLOTD_CONFIG", "SLOTD_SERVER", "SLOTD_TOKEN_FILE"})
"""Variables of the same prefix that are no keys: the daemon's own file, and the clients'."""


class ConfigurationError(Exception):
    """One line for each thing that is wrong, each with its source, key, value and what fits."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@attrs.frozen
class Given:
    """A value as it was given and by whom."""

    key: Key
    source: str
    raw: object

    def problem(self, expected: str) -> str:
        """The line that says why this value does not do."""
        return f"{self.source}: {self.key.name} = {_shown(self.raw)}: expected {expected}"


def gather(
    flags: Mapping[str, str], environment: Mapping[str, str], file: Path | None
) -> dict[str, Given]:
    """What was given, by key; a key that only has its default is left out.

    Raises:
        ConfigurationError: the file cannot be read, or it or a variable names an unknown key.

    """
    table = {} if file is None else _read(file)
    variables = {name: text for name, text in environment.items() if name.startswith("SLOTD_")}
    problems = [*_unknown_keys(file, table), *_unknown_variables(variables)]
    if problems:
        raise ConfigurationError(problems)
    given = {name: Given(BY_NAME[name], f"file {file}", raw) for name, raw in table.items()}
    for key in KEYS:
        if variables.get(key.variable):
            given[key.name] = Given(key, f"environment {key.variable}", variables[key.variable])
        if key.name in flags:
            given[key.name] = Given(key, f"flag {key.flag}", flags[key.name])
    return given


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError([f"file {file}: cannot be read: {error.strerror}"]) from error
    except ValueError as error:
        raise ConfigurationError([f"file {file}: not valid TOML: {error}"]) from error


def _unknown_keys(file: Path | None, table: Mapping[str, Any]) -> list[str]:
    return [
        f"file {file}: {name}: no such key{_meant(name)}" for name in table if name not in BY_NAME
    ]


def _unknown_variables(variables: Mapping[str, str]) -> list[str]:
    """Only what is nearly a key: the prefix does not belong to the daemon alone."""
    names = {key.variable.removeprefix("SLOTD_"): key.variable for key in KEYS}
    strangers = variables.keys() - names.values() - NOT_OURS
    nearest = {name: _nearest(name.removeprefix("SLOTD_"), names) for name in sorted(strangers)}
    return [
        f"environment {name}: no such key; did you mean {names[near]}?"
        for name, near in nearest.items()
        if near
    ]


def _meant(name: str) -> str:
    near = _nearest(name.replace("_", "-"), BY_NAME)
    return f"; did you mean {near}?" if near else ""


def _nearest(name: str, known: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(name, known, n=1)), None)


def _shown(raw: object) -> str:
    text = repr(raw)
    return text if len(text) <= 200 else text[:200] + "..."
