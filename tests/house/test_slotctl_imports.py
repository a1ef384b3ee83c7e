"""slotctl starts fast because it loads little: which modules its commands may load."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tui.ctl.version import VERSION

ROOT = Path(__file__).parents[2]
HEAVY = {"trio", "asyncio", "textual", "rich", "attrs", "attr", "cattrs", "structlog", "psutil"}
LOADED = """
import sys
from tui.ctl.__main__ import execute
code = execute(sys.argv[1:])
print(code, *sorted({name.partition(".")[0] for name in sys.modules}), file=sys.__stderr__)
"""


def loaded_by(*words: str) -> tuple[int, set[str]]:
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-c",
            f"import sys; sys.path.insert(0, {str(ROOT)!r})" + LOADED,
            *words,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    code, *modules = done.stderr.splitlines()[-1].split()
    return int(code), set(modules)


@pytest.mark.parametrize("command", [["run", "-n", "--", "true"], ["status"], ["ls", "slots"]])
def test_a_command_loads_neither_click_nor_what_the_daemon_needs(
    command: list[str], tmp_path: Path
) -> None:
    name, *words = command
    code, modules = loaded_by(name, "--state-dir", str(tmp_path), *words)
    assert code == 69
    assert modules & (HEAVY | {"click", "subprocess", "pathlib"}) == set()


def test_help_loads_click_but_nothing_heavy() -> None:
    code, modules = loaded_by("--help")
    assert code == 0
    assert modules & HEAVY == set()
    assert "click" in modules


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION
