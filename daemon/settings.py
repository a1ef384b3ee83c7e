"""The configuration as the roles see it; ``daemon.configuration`` reads it, the roles obey it."""

from pathlib import Path

import attrs

from daemon.core.registration import RegistrationSettings
from protocol.resources import ResourceProfile


@attrs.frozen
class Settings:
    """The daemon's configuration. Durations in seconds, sizes in MiB; E41 and E42 hold."""

    state_dir: Path
    listen_host: str = "127.0.0.1"
    listen_port: int = 6123
    roles: tuple[str, ...] = ("resource-manager", "job-master", "task-executor")
    executors: int = 1
    slots: int = 1
    slot_profile: ResourceProfile | None = None
    scratch_dirs: tuple[Path, ...] = ()
    host: str | None = None
    cluster: str = "slotd"
    placement: str = "first-fit"
    start_up_time_s: float = 15.0
    slot_request_timeout_s: float = 300.0
    rpc_timeout_s: float = 10.0
    slot_timeout_s: float = 10.0
    slot_idle_timeout_s: float = 50.0
    executor_idle_timeout_s: float = 30.0
    job_timeout_s: float = 10.0
    heartbeat_interval_s: float = 10.0
    heartbeat_timeout_s: float = 50.0
    registration: RegistrationSettings = attrs.field(factory=RegistrationSettings)
    registration_timeout_s: float = 300.0
    task_cancellation_grace_s: float = 5.0
    max_line_bytes: int = 1 << 20
    memory_fraction: float = 0.7
    log_file: Path | None = None
    log_format: str = "auto"
    log_level: str = "info"
