"""From what was given to Settings: each value read, all rules checked, every error reported."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from daemon.configuration.checks import problems
from daemon.configuration.keys import KEYS
from daemon.configuration.machine import Machine, even_share
from daemon.configuration.sources import ConfigurationError, Given, gather
from daemon.core.registration import RegistrationSettings
from daemon.settings import Settings


@attrs.frozen
class Configuration:
    """The settings, and by whom each key was given where it was not the default."""

    settings: Settings
    given: Mapping[str, Given]


def load(
    flags: Mapping[str, str],
    environment: Mapping[str, str],
    file: Path | None,
    machine: Machine,
) -> Configuration:
    """The configuration for this machine; flags are by key name.

    Raises:
        ConfigurationError: with a line for each value that does not do.

    """
    given = gather(flags, environment, file)
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for key in KEYS:
        try:
            mine = given.get(key.name)
            values[key.name] = key.default_value() if mine is None else key.read(mine.raw)
        except ValueError as error:
            wrong.append(given[key.name].problem(str(error)))
    if not wrong:
        wrong += problems(values, partial(_complaint, given))
    if wrong:
        raise ConfigurationError(wrong)
    return Configuration(_settings(values, machine), given)


def _complaint(given: Mapping[str, Given], name: str, value: object, expected: str) -> str:
    source = given[name].source if name in given else "default"
    return f"{source}: {name} = {value!r}: expected {expected}"


def _settings(values: dict[str, Any], machine: Machine) -> Settings:
    if values["slots"] == -1:
        values["slots"] = len(machine.cores)
    if values["slot-profile"] is None:
        slots = max(1, values["executors"]) * values["slots"]
        values["slot-profile"] = even_share(machine, slots, values["memory-fraction"])
    values["host"] = values["host"] or machine.host
    fields: dict[str, Any] = {}
    registration: dict[str, float] = {}
    for key in KEYS:
        _, dot, field = key.field.rpartition("registration.")
        (registration if dot else fields)[field] = values[key.name]
    fields["listen_host"], fields["listen_port"] = fields.pop("listen")
    return Settings(registration=RegistrationSettings(**registration), **fields)
