"""The configuration in use, in the words that it can be given in."""

from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import cast

from daemon.configuration.durations import in_words
from daemon.configuration.keys import KEYS, Key
from daemon.configuration.loading import Configuration
from daemon.settings import Settings
from protocol.resources import ResourceProfile


def rows(configuration: Configuration) -> Iterator[tuple[str, str, str]]:
    """Each key with its value, as a flag would take it, and where the value comes from."""
    for key in KEYS:
        given = configuration.given.get(key.name)
        source = "default" if given is None else given.source
        yield key.name, text_of(key, configuration.settings), source


def text_of(key: Key, settings: Settings) -> str:
    """The value of a key as a text; empty where nothing is set."""
    if key.name == "listen":
        host = f"[{settings.listen_host}]" if ":" in settings.listen_host else settings.listen_host
        return f"{host}:{settings.listen_port}"
    value: object = attrgetter(key.field)(settings)
    if key.kind.startswith("duration") and isinstance(value, float):
        return in_words(value)
    if key.kind == "size":
        return f"{value}B"
    if isinstance(value, ResourceProfile):
        return _profile(value)
    if key.kind.startswith("list"):
        return ",".join(map(str, cast("tuple[str | Path, ...]", value)))
    return "" if value is None else str(value)


def _profile(profile: ResourceProfile) -> str:
    amounts = {"cpu": f"{profile.cpu_cores:g}", "memory": f"{profile.memory_mb}MiB"}
    amounts |= {name: f"{amount:g}" for name, amount in profile.extended.items()}
    return ",".join(f"{name}={amount}" for name, amount in amounts.items())


def reference() -> str:
    """The table of keys that docs/operations.md carries; a test keeps the two equal."""
    head = ["| key | form | default | meaning |", "|---|---|---|---|"]
    body = [f"| `{key.name}` | {key.kind} | {_quoted(key)} | {key.help} |" for key in KEYS]
    return "\n".join([*head, *body]) + "\n"


def _quoted(key: Key) -> str:
    return key.default_help or f"`{key.default}`"
