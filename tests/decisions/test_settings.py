"""The configuration as a whole: who wins, what is told of a mistake, what the machine adds."""

import os
import tempfile
from pathlib import Path
from typing import Any

import attrs
import pytest

from daemon.configuration.keys import KEYS
from daemon.configuration.loading import load
from daemon.configuration.machine import Machine, even_share, measure
from daemon.configuration.sources import ConfigurationError
from daemon.core.registration import RegistrationSettings
from daemon.settings import Settings
from protocol.resources import ResourceProfile

MACHINE = Machine(cores=(0, 1, 2, 3), free_memory_mb=10_000, memory_mb=16_000, host="box")


def settings(
    flags: dict[str, str] | None = None,
    environment: dict[str, str] | None = None,
    file: Path | None = None,
) -> Settings:
    return load(flags or {}, environment or {}, file, MACHINE).settings


def problems(*arguments: Any, **keywords: Any) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        settings(*arguments, **keywords)
    return list(caught.value.problems)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "slotd.toml"


def test_without_a_word_the_defaults_and_the_machine_decide() -> None:
    """E41: as many slots as cores, memory divided among them, cores evenly."""
    given = settings()
    assert given == Settings(
        state_dir=given.state_dir,
        scratch_dirs=given.scratch_dirs,
        slots=4,
        slot_profile=ResourceProfile(1.0, 1750),
        host="box",
    )
    assert all(directory.is_dir() for directory in given.scratch_dirs)


def test_every_key_fills_a_field_of_its_own() -> None:
    fields = {field.name for field in attrs.fields(Settings)}
    nested = {f"registration.{field.name}" for field in attrs.fields(RegistrationSettings)}
    filled = [key.field for key in KEYS]
    assert len(set(filled)) == len(filled)
    listen = {"listen_host", "listen_port"}
    assert set(filled) == (fields | nested | {"listen"}) - listen - {"registration"}


def test_a_flag_beats_the_environment_beats_the_file_beats_the_default(file: Path) -> None:
    file.write_text('slot-timeout = "1 s"\nrpc-timeout = "2 s"\njob-timeout = "3 s"\n')
    environment = {"SLOTD_SLOT_TIMEOUT": "4 s", "SLOTD_RPC_TIMEOUT": "5 s"}
    given = settings({"slot-timeout": "6 s"}, environment, file)
    assert (
        given.slot_timeout_s,
        given.rpc_timeout_s,
        given.job_timeout_s,
        given.slot_idle_timeout_s,
    ) == (6.0, 5.0, 3.0, 50.0)


def test_the_file_may_use_what_toml_has(file: Path, tmp_path: Path) -> None:
    file.write_text(
        f'listen = "[::1]:0"\nexecutors = 2\nslots = 3\nroles = ["task-executor"]\n'
        f'scratch-dirs = ["{tmp_path}"]\nmemory-fraction = 0.6\nmax-line-bytes = "64KiB"\n'
        f'registration-timeout = "inf"\nregistration-initial-timeout = "500 ms"\n'
    )
    given = settings(file=file)
    assert (given.listen_host, given.listen_port, given.roles) == ("::1", 0, ("task-executor",))
    assert given.scratch_dirs == (tmp_path,)
    assert given.slot_profile == ResourceProfile(0.66, 1000)
    assert given.max_line_bytes == 65536
    assert given.registration_timeout_s == float("inf")
    assert given.registration.initial_timeout_s == 0.5


def test_a_configured_profile_is_taken_as_it_is() -> None:
    given = settings({"slot-profile": "cpu=2,memory=1GiB,gpu=1", "slots": "2"})
    assert given.slot_profile == ResourceProfile(2, 1024, {"gpu": 1})


def test_an_even_share_never_adds_up_to_more_than_there_is() -> None:
    for slots in (1, 3, 7, 400, 5000):
        share = even_share(MACHINE, slots, 0.7)
        assert share.cpu_cores * slots <= 4 + 1e-9
        assert share.memory_mb * slots <= 7000


def test_this_machine_can_be_measured() -> None:
    machine = measure()
    assert machine.cores
    assert 0 < machine.free_memory_mb <= machine.memory_mb
    assert machine.host


def test_an_error_names_the_file_the_key_the_value_and_what_was_expected(file: Path) -> None:
    """X410: the key that is wrong, not its neighbour; and every one that is wrong."""
    file.write_text('slots = 0\nregistration-refused-delay = "30"\n')
    assert problems(file=file) == [
        f"file {file}: slots = 0: expected a whole number from 1 to 100000 (or -1)",
        f"file {file}: registration-refused-delay = '30': expected a duration with its unit, "
        "such as '500 ms', '50 s', '1 min' or '2 h'; a number alone has no unit: '30 s'?",
    ]


@pytest.mark.parametrize("key", [key for key in KEYS if key.kind.startswith("duration")])
def test_each_bad_duration_is_reported_under_its_own_key(key: Any) -> None:
    """E42, X410."""
    (problem,) = problems({key.name: "soon"})
    assert problem.startswith(f"flag --{key.name}: {key.name} = 'soon': expected a duration")
    (problem,) = problems({}, {key.variable: "soon"})
    assert problem.startswith(f"environment {key.variable}: {key.name} = 'soon': expected")


def test_a_mistyped_key_is_answered_with_the_one_that_was_meant(file: Path) -> None:
    file.write_text('slot-timeot = "1 s"\nheartbeat_interval = "1 s"\nzebra = 1\n')
    assert problems(file=file) == [
        f"file {file}: slot-timeot: no such key; did you mean slot-timeout?",
        f"file {file}: heartbeat_interval: no such key; did you mean heartbeat-interval?",
        f"file {file}: zebra: no such key",
    ]


def test_a_mistyped_variable_is_noticed_and_a_strangers_is_not() -> None:
    assert problems({}, {"SLOTD_SLOT_TIMEOT": "1 s"}) == [
        "environment SLOTD_SLOT_TIMEOT: no such key; did you mean SLOTD_SLOT_TIMEOUT?"
    ]
    others = {"SLOTD_CONFIG": "x", "SLOTD_SERVER": "x", "SLOTD_TOKEN_FILE": "x", "SLOTD_ZZZ": "x"}
    assert settings({}, others) == settings()


def test_an_empty_variable_is_not_set() -> None:
    assert settings({}, {"SLOTD_SLOT_TIMEOUT": ""}).slot_timeout_s == 10.0


def test_a_table_in_the_file_is_no_key(file: Path) -> None:
    file.write_text("[slots]\nnumber = 3\n")
    assert problems(file=file) == [
        f"file {file}: slots = {{'number': 3}}: expected a whole number from 1 to 100000 (or -1)"
    ]


def test_a_file_that_cannot_be_read_is_one_error(file: Path, tmp_path: Path) -> None:
    assert problems(file=file) == [f"file {file}: cannot be read: No such file or directory"]
    assert problems(file=tmp_path) == [f"file {tmp_path}: cannot be read: Is a directory"]
    file.write_text("slots 3")
    (problem,) = problems(file=file)
    assert problem.startswith(f"file {file}: not valid TOML: ")
    file.write_bytes(b'host = "\xff"')
    (problem,) = problems(file=file)
    assert problem.startswith(f"file {file}: not valid TOML: ")


def test_what_is_overridden_need_not_be_right(file: Path) -> None:
    file.write_text("slots = 0")
    assert settings({"slots": "2"}, {}, file).slots == 2


def test_a_timeout_of_heartbeats_is_at_least_their_interval() -> None:
    """K10."""
    assert problems({"heartbeat-timeout": "9 s"}) == [
        "flag --heartbeat-timeout: heartbeat-timeout = '9 s': "
        "expected at least heartbeat-interval, which is '10 s'"
    ]
    same = settings({"heartbeat-timeout": "1 s", "heartbeat-interval": "1 s"})
    assert same.heartbeat_timeout_s == same.heartbeat_interval_s == 1.0


def test_the_longest_registration_call_is_at_least_the_first() -> None:
    """J08; the culprit may be the key that was set while the other kept its default."""
    assert problems({"registration-initial-timeout": "1 min"}) == [
        "default: registration-max-timeout = '30 s': "
        "expected at least registration-initial-timeout, which is '1 min'"
    ]


def test_scratch_directories_exist_are_directories_and_are_writable(tmp_path: Path) -> None:
    """E41: each with its own error."""
    (tmp_path / "file").touch()
    flags = {"scratch-dirs": f"{tmp_path}, {tmp_path}/missing, {tmp_path}/file"}
    prefix = "flag --scratch-dirs: scratch-dirs = "
    assert problems(flags) == [
        f"{prefix}'{tmp_path}/missing': expected a directory that exists",
        f"{prefix}'{tmp_path}/file': expected a directory",
    ]
    assert problems({"scratch-dirs": ""}) == [f"{prefix}[]: expected at least one directory"]


def test_a_scratch_directory_of_somebody_else_does_not_do() -> None:
    """E41; as a plain user, for root may write anywhere."""
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as theirs:
        Path(theirs).chmod(0o555)
        os.seteuid(user or 65534)
        try:
            (problem,) = problems({"scratch-dirs": theirs, "state-dir": f"{theirs}/later"})
        finally:
            os.seteuid(user)
    assert problem.endswith(f"'{theirs}': expected a directory that this user can write to")


def test_a_path_behind_a_closed_door_is_an_error_not_a_crash() -> None:
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as closed:
        Path(closed).chmod(0)
        os.seteuid(user or 65534)
        try:
            (problem,) = problems({"state-dir": f"{closed}/state"})
        finally:
            os.seteuid(user)
    assert problem.endswith("a directory that this user can reach (Permission denied)")


def test_the_state_directory_may_be_made_later_but_not_be_a_file(tmp_path: Path) -> None:
    assert settings({"state-dir": f"{tmp_path}/later"}).state_dir == tmp_path / "later"
    (tmp_path / "file").touch()
    assert problems({"state-dir": f"{tmp_path}/file"}) == [
        f"flag --state-dir: state-dir = '{tmp_path}/file': expected a directory"
    ]


def test_the_log_file_has_a_directory(tmp_path: Path) -> None:
    assert problems({"log-file": f"{tmp_path}/a/b.log"}) == [
        f"flag --log-file: log-file = '{tmp_path}/a/b.log': "
        "expected a file in a directory that takes it"
    ]
    assert settings({"log-file": f"{tmp_path}/b.log"}).log_file == tmp_path / "b.log"
