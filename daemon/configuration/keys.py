"""The one table of keys: flags, variables, keys of the file, the docs and errors come from it."""

import os
import tempfile
from collections.abc import Callable
from typing import Any

import attrs

from daemon.configuration import forms

ROLES = ("resource-manager", "job-master", "task-executor")
PLACEMENTS = ("first-fit", "best-fit", "spread", "pack")


def _state_dir() -> str:
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return f"{home}/slotd"


@attrs.frozen
class Key:
    """A key with its form and default; ``field`` is where ``Settings`` holds it.

    ``default`` is written as a person would, or computed, or None where ``default_help`` says what
    stands in for it.
    """

    name: str
    kind: str
    read: forms.Read
    field: str
    help: str
    default: str | Callable[[], object] | None = None
    default_help: str = ""

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return "SLOTD_" + self.name.replace("-", "_").upper()

    @property
    def flag(self) -> str:
        """Its flag."""
        return f"--{self.name}"

    @property
    def default_text(self) -> str:
        """The default as the documentation shows it."""
        return self.default_help or str(self.default)

    def default_value(self) -> Any:
        """The default, read."""
        raw = self.default() if callable(self.default) else self.default
        return None if raw is None else self.read(raw)


def _duration(name: str, default: str, help_: str, field: str = "") -> Key:
    field = field or name.replace("-", "_") + "_s"
    return Key(name, "duration", forms.duration, field, help_, default)


def _delay(name: str, default: str, help_: str) -> Key:
    field = name.replace("-", "_") + "_s"
    return Key(name, "duration, may be 0", forms.duration_or_zero, field, help_, default)


KEYS = (
    Key(
        "listen", "host:port", forms.listen, "listen",
        "Where clients and other roles connect. Port 0: any free one.", "127.0.0.1:6123",
    ),
    Key(
        "state-dir", "path", forms.path, "state_dir",
        "Holds access.json (0600), by which clients find the daemon and prove who they are.",
        _state_dir, "$XDG_STATE_HOME/slotd",
    ),
    Key(
        "roles", "list", forms.some_of(ROLES), "roles",
        f"What this daemon does: {', '.join(ROLES)}.", ",".join(ROLES), "all",
    ),
    Key(
        "executors", "number", forms.whole(0, 1000), "executors",
        "TaskExecutors in this daemon; 0: none.", "1",
    ),
    Key(
        "slots", "number", forms.whole(1, 100_000, also=-1), "slots",
        "Slots of each executor; -1: one per core that the daemon may use.", "-1", "one per core",
    ),
    Key(
        "slot-profile", "profile", forms.profile, "slot_profile",
        "What each slot has, such as cpu=1,memory=512MB,gpu=1.",
        None, "an even share of cores and memory",
    ),
    Key(
        "memory-fraction", "fraction", forms.fraction, "memory_fraction",
        "How much of the free memory the slots share, where slot-profile does not say.", "0.7",
    ),
    Key(
        "scratch-dirs", "list, of paths", forms.paths, "scratch_dirs",
        "Where tasks get their scratch directories, in turn by slot.",
        lambda: [tempfile.gettempdir()], "the system's",
    ),
    Key(
        "host", "name", forms.name, "host",
        "The name of this host, for preferences and people.", None, "its name",
    ),
    Key("cluster", "name", forms.name, "cluster", "The cluster's name, for people.", "slotd"),
    Key(
        "placement", "word", forms.one_of(PLACEMENTS), "placement",
        f"Which slot serves a request: {', '.join(PLACEMENTS)}.", "first-fit",
    ),
    _delay("start-up-time", "15 s", "Grace of a new leader before it refuses the impossible."),
    _duration("slot-request-timeout", "5 min", "A request's whole life, from its creation."),
    _duration("rpc-timeout", "10 s", "One call between roles."),
    _duration("slot-timeout", "10 s", "A slot that is allocated but not yet accepted by its job."),
    _duration("slot-idle-timeout", "50 s", "A slot that its job does not use goes back."),
    _duration(
        "executor-idle-timeout", "30 s",
        "An executor that nobody uses may be given back, where somebody starts executors.",
    ),
    _delay("job-timeout", "10 s", "A job that is not detached, after its connection is gone."),
    _duration("heartbeat-interval", "10 s", "Between two heartbeats."),
    _duration(
        "heartbeat-timeout", "50 s",
        "A peer without an answer for so long is lost; at least heartbeat-interval.",
    ),
    _duration(
        "registration-initial-timeout", "100 ms", "The first call of a registration; then doubled.",
        "registration.initial_timeout_s",
    ),
    _duration(
        "registration-max-timeout", "30 s",
        "The longest call of a registration; at least registration-initial-timeout.",
        "registration.max_timeout_s",
    ),
    _duration(
        "registration-error-delay", "10 s", "Pause after a registration that failed.",
        "registration.error_delay_s",
    ),
    _duration(
        "registration-refused-delay", "30 s", "Pause after a registration that was refused.",
        "registration.refused_delay_s",
    ),
    Key(
        "registration-timeout", "duration, or inf", forms.duration_or_inf, "registration_timeout_s",
        "An executor without a ResourceManager for so long gives up.", "5 min",
    ),
    _delay("task-cancellation-grace", "5 s", "Between TERM and KILL when a task is ended."),
    Key(
        "max-line-bytes", "size", forms.line_size, "max_line_bytes",
        "The longest line of the protocol.", "1MiB",
    ),
    Key("log-file", "path", forms.path, "log_file", "Where logs go.", None, "stderr"),
    Key(
        "log-format", "word", forms.one_of(("auto", "text", "json")), "log_format",
        "text: key=value; json: one object a line; auto: text on a terminal.", "auto",
    ),
    Key(
        "log-level", "word", forms.one_of(("debug", "info", "warning", "error")), "log_level",
        "The least important lines that are written.", "info",
    ),
)  # fmt: skip

BY_NAME = {key.name: key for key in KEYS}
