"""docs/behaviours.md is complete and true: each id has a row, each proof that is named exists."""

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "behaviours.md").read_text()
ROWS = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|([^|]*)\|$", PAGE, re.MULTILINE)
ID = re.compile(r"\b(?:[A-L]\d\d|X\d{3}|FLINK-\d+)\b")

SECTIONS = "A1-23 B1-16 C1-48 D1-48 E1-45 F37-44 G1-24 H1-18 I1-11 J1-15 K1-15 L1-16"
MISTAKES = [(1, 20), (101, 105), (117, 118), (201, 218), (301, 309), (401, 416), (501, 516)]
TICKETS = "12835 32254 33228 32882 34434 27409 23912 24005 21751 28640 22891"


def catalogue() -> set[str]:
    """Every id that must have a row."""
    ids = set[str]()
    for section in SECTIONS.split():
        low, high = section[1:].split("-")
        ids |= {f"{section[0]}{n:02}" for n in range(int(low), int(high) + 1)}
    ids |= {f"X{n:03}" for low, high in MISTAKES for n in range(low, high + 1)}
    return ids | {f"FLINK-{number}" for number in TICKETS.split()}


def listed() -> list[str]:
    return [one for row in ROWS for one in ID.findall(row[0])]


def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    names = {
        n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    return names | {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def test_every_id_has_one_row() -> None:
    assert catalogue() <= set(listed())
    assert len(listed()) == len(set(listed()))


def test_every_row_says_what_the_behaviour_is_and_where_it_is_proven_or_why_not() -> None:
    for ids, behaviour, proof, note in ROWS:
        if ids == "id" or set(ids) <= {"-"}:
            continue
        assert behaviour.strip(), ids
        assert proof.startswith("`") or (proof == "-" and note.strip()), ids


def proofs() -> list[str]:
    return sorted({proof for row in ROWS for proof in re.findall(r"`([^`]+)`", row[2])})


@pytest.mark.parametrize("file", sorted({proof.partition("::")[0] for proof in proofs()}))
def test_every_proof_that_is_named_exists(file: str) -> None:
    named = {name for path, _, name in (p.partition("::") for p in proofs()) if path == file}
    assert named <= names_in(TESTS / file)


def test_every_id_that_a_test_cites_has_a_row() -> None:
    cited = {
        one
        for path in TESTS.rglob("*.py")
        if path != Path(__file__)
        for one in ID.findall(path.read_text())
    }
    assert cited <= set(listed())


def test_a_row_without_a_test_is_cited_by_none() -> None:
    """What is said to have no meaning here is not proven after all."""
    without = {
        one
        for row in ROWS
        if row[2] == "-" and "No meaning" in row[3]
        for one in ID.findall(row[0])
    }
    for path in TESTS.rglob("test_*.py"):
        if path != Path(__file__):
            assert not without & set(ID.findall(path.read_text())), path
