"""The suite itself: rows run, pairs are interleaved, and noise is not judged."""

import json
from pathlib import Path

import pytest

from tests.benchmarks import suite
from tests.benchmarks.__main__ import all_rows, main
from tests.benchmarks.suite import Goal, Metric, Row


def test_one_row_of_the_core_runs_and_is_written_down(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "figures.json"
    main(["core-churn", "--quick", "--json", str(written)])
    assert "| core-churn" in capsys.readouterr().out
    rows = json.loads(written.read_text())["rows"]
    assert {row["conditions"] for row in rows} == {
        "100 busy, 100 waiting, one",
        "100 busy, 100 waiting, anti",
    }
    assert all(len(row["values"]) == len(row["anchors"]) == 2 for row in rows)
    assert all(value > 0 for row in rows for value in row["values"])


@pytest.mark.parametrize(
    "row",
    [row for row in all_rows(quick=True) if row.name.startswith(("core-", "pack"))],
    ids=lambda row: f"{row.name}, {row.conditions}",
)
def test_every_figure_of_the_core_comes_out(row: Row) -> None:
    for result in suite.run(row, 1):
        assert len(result.values) == 1
        assert result.values[0] > 0
        assert suite.line(result)


def test_a_and_b_take_turns() -> None:
    turns: list[str] = []

    def a() -> float:
        turns.append("a")
        return 2.0

    def b() -> float:
        turns.append("b")
        return 1.0

    row = Row("x", "", (Metric("s", Goal(ratio_at_least=2.0)),), a, b, pairs=3)
    [result] = suite.run(row, 3)
    assert turns == ["a", "b"] * 3
    assert (result.ratio, result.verdict) == (2.0, "ok")


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([3.0, 3.1, 3.2], "ok"),
        ([1.0, 1.1, 1.2], "missed"),
        ([1.0, 3.0, 3.1], "not judged: spread 3.1x"),
        ([3.0, 3.1], "not judged: 2 of 3 pairs"),
    ],
)
def test_noise_and_too_few_pairs_are_not_judged(values: list[float], verdict: str) -> None:
    left = iter(values)
    row = Row("x", "", (Metric("s", Goal(at_least=2.0)),), lambda: next(left), pairs=3)
    [result] = suite.run(row, len(values))
    assert result.verdict == verdict


def test_goals_read_as_they_are_judged() -> None:
    assert str(Goal(at_least=100_000, ratio_at_least=1.0)) == ">= 1x, >= 100k"
    assert str(Goal(at_most=0.5)) == "<= 0.5"
    assert str(Goal()) == "-"
