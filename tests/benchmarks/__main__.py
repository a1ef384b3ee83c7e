"""The benchmark suite: ``python -m tests.benchmarks [NAME ...] [--json FILE] [--quick]``.

A name selects the rows whose name begins with it.
"""

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks import suite
from tests.benchmarks.suite import Result, Row

FOLDER = Path(__file__).parent


def all_rows(*, quick: bool) -> list[Row]:
    """The rows of every module of this folder that has some."""
    rows: list[Row] = []
    for module in sorted(module.name for module in pkgutil.iter_modules([str(FOLDER)])):
        if module not in ("__main__", "suite") and not module.startswith("test_"):
            group = importlib.import_module(f"tests.benchmarks.{module}")
            make = getattr(group, "rows", None)
            rows += make(quick) if make is not None else []
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suite; the exit code tells whether a goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help="rows to run; all when none is named")
    parser.add_argument("--json", type=Path, help="write everything that was measured here")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, 2 pairs: does it run?")
    parser.add_argument("--pairs", type=int, help="pairs per row, at least 7 to be judged")
    chosen = parser.parse_args(arguments)
    rows = [
        row
        for row in all_rows(quick=chosen.quick)
        if not chosen.names or any(row.name.startswith(name) for name in chosen.names)
    ]
    if not rows:
        parser.error(f"no row is called {' or '.join(chosen.names)}")
    at = suite.host()
    results: list[Result] = []
    for row in rows:
        pairs = chosen.pairs or (2 if chosen.quick else row.pairs)
        measured = suite.run(row, pairs)
        results += measured
        for result in measured:
            print(" | ".join(suite.line(result)), file=sys.stderr)
    print(", ".join(f"{key} {value}" for key, value in at.items()))
    print(suite.table(results))
    if chosen.json is not None:
        suite.save(chosen.json, results, at)
    return int(any(result.verdict == "missed" for result in results))


if __name__ == "__main__":
    sys.exit(main())
