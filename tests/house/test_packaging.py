"""What is installed works, owns its names, and its papers point at what is there."""

import importlib
import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGES = ("daemon", "protocol", "tui")
PAPERS = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"]


@pytest.mark.parametrize("name", ["slotd", "slotctl", "slottop"])
def test_a_console_script_resolves(name: str) -> None:
    module, _, function = PROJECT["scripts"][name].partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_there_are_no_other_scripts() -> None:
    assert set(PROJECT["scripts"]) == {"slotd", "slotctl", "slottop"}


@pytest.mark.parametrize("name", PACKAGES)
def test_nobody_else_owns_our_import_names(name: str) -> None:
    """python-daemon, for one, installs a ``daemon`` of its own."""
    owners = set(metadata.packages_distributions().get(name, []))
    assert owners <= {PROJECT["name"]}


def test_the_packages_are_those_that_the_wheel_has() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert build["targets"]["wheel"]["packages"] == list(PACKAGES)


def test_what_is_pinned_satisfies_what_is_declared() -> None:
    pinned = dict(
        line.partition("==")[::2]
        for line in (ROOT / "requirements" / "runtime.txt").read_text().splitlines()
        if "==" in line
    )
    for requirement in PROJECT["dependencies"]:
        name, least = re.fullmatch(r"([\w-]+)>=([\d.]+).*", requirement).groups()  # type: ignore[union-attr]  # a None is a failure too
        numbers = [int(number) for number in pinned[name].split(".")]
        assert numbers >= [int(number) for number in least.split(".")], requirement


def test_the_version_has_an_entry_in_the_changelog() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"(?m)^## {re.escape(PROJECT['version'])}\b", changes)


@pytest.mark.parametrize(
    "paper", [*PAPERS, *sorted(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
)
def test_links_lead_to_files_that_exist(paper: str) -> None:
    text = (ROOT / paper).read_text()
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        if "://" not in target:
            assert (ROOT / paper).parent.joinpath(target).exists(), f"{paper}: {target}"


def test_the_readme_names_every_promise_with_a_test() -> None:
    rows = re.findall(r"(?m)^\| (\d) \|.*\| (.*) \|$", (ROOT / "README.md").read_text())
    assert [number for number, _ in rows] == list("123456")
    assert all("](tests/" in proofs for _, proofs in rows)


def test_the_licence_is_the_one_that_is_declared() -> None:
    assert PROJECT["license"] == "Apache-2.0"
    assert (
        "Apache License\n                           Version 2.0" in (ROOT / "LICENSE").read_text()
    )
