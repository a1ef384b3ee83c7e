"""docs/operations.md is kept true: its table, its examples, and the variables that it names."""

import re
import tomllib
from pathlib import Path

import pytest

from daemon.configuration.keys import KEYS
from daemon.configuration.loading import load
from daemon.configuration.machine import Machine
from daemon.configuration.showing import reference
from daemon.configuration.sources import ConfigurationError
from daemon.payload.environment import TaskInSlot, environment
from daemon.payload.shares import SlotShare
from protocol.ids import AllocationId, JobId, ResourceId, TaskId
from protocol.resources import ResourceProfile

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()


def test_the_table_of_keys_is_the_one_that_the_daemon_uses() -> None:
    """Write it anew with ``daemon.configuration.showing.reference()``."""
    table = PAGE.partition("<!-- keys -->\n")[2].partition("<!-- /keys -->")[0]
    assert table == reference()


def test_the_defaults_in_the_table_are_those_of_the_design() -> None:
    shown = {key.name: key.default_text for key in KEYS}
    assert shown["listen"] == "127.0.0.1:6123"
    assert shown["slots"] == "one per core"
    assert [shown[f"{name}-timeout"] for name in ("slot-request", "slot", "slot-idle", "rpc")] == [
        "5 min",
        "10 s",
        "50 s",
        "10 s",
    ]


def test_the_example_file_is_accepted_as_far_as_this_machine_goes(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert set(tomllib.loads(example)) <= {key.name for key in KEYS}
    for directory in ("a", "b"):
        (tmp_path / directory).mkdir()
    file = tmp_path / "slotd.toml"
    file.write_text(example.replace("/scratch", str(tmp_path)))
    machine = Machine(tuple(range(8)), 64_000, 64_000, "box")
    given = load({}, {}, file, machine).settings
    assert given.slot_profile == ResourceProfile(4, 16384, {"gpu": 1})


@pytest.mark.parametrize(
    ("flags", "file"),
    [({}, 'slot-tiemout = "1 s"\n'), ({"slots": "many"}, "")],
)
def test_the_errors_on_the_page_are_the_errors(
    flags: dict[str, str], file: str, tmp_path: Path
) -> None:
    path = tmp_path / "slotd.toml"
    path.write_text(file)
    with pytest.raises(ConfigurationError) as caught:
        load(flags, {}, path, Machine((0,), 1, 1, "box"))
    (problem,) = caught.value.problems
    assert f"slotd: {problem}".replace(str(path), "slotd.toml") in PAGE


def test_every_variable_of_a_command_is_on_the_page() -> None:
    profile = ResourceProfile(1, 1, {"gpu": 1})
    share = SlotShare(frozenset({0}), {"gpu": (0,)})
    ids = JobId("j"), TaskId("t"), AllocationId("a"), ResourceId("te")
    names = set(environment({}, {}, TaskInSlot(*ids, 0, profile, share, 1))) | {"SLOT_TMPDIR"}
    shown = set(re.findall(r"`(SLOT_[A-Z_<>]+)", PAGE)) | {"SLOT_RESOURCE_GPU"}
    assert {name.replace("_GPU_LIST", "_<NAME>_LIST") for name in names} <= shown
