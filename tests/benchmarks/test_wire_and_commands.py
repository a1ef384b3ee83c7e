"""The rows that need a running slotd, once each and tiny: do figures come out?"""

import math
from collections.abc import Iterator

import pytest

from tests.benchmarks import commands, processes, standing, suite, wire
from tests.benchmarks.suite import Row


@pytest.fixture(scope="module", autouse=True)
def _processes() -> Iterator[None]:
    yield
    processes.end_all()


def _rows() -> list[Row]:
    return [*wire.rows(True), *commands.rows(True), *standing.rows(True)]


@pytest.mark.parametrize("row", _rows(), ids=lambda row: f"{row.name}, {row.conditions}")
def test_every_figure_of_a_row_comes_out(row: Row) -> None:
    results = suite.run(row, 1)
    assert len(results) == len(row.metrics)
    for result in results:
        assert all(math.isfinite(value) and value >= 0 for value in result.values)
        assert len(result.values) == 1
        assert suite.line(result)
