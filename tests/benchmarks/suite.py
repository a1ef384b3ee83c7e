"""How a figure comes about: A and B in turns, the ratio of each pair, and no verdict on noise.

Only ratios of one interleaved run mean anything: the host's speed wanders. A group of rows is a
module of this folder with a function ``rows(quick: bool) -> list[Row]``.
"""

import gc
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs

MEASURE = Callable[[], float | Sequence[float]]


@attrs.frozen
class Goal:
    """What counts as leading; bounds on the ratio to the anchor, or on the figure itself."""

    ratio_at_least: float | None = None
    ratio_at_most: float | None = None
    at_least: float | None = None
    at_most: float | None = None

    def __str__(self) -> str:
        parts = [
            (self.ratio_at_least, ">= {}x"),
            (self.ratio_at_most, "<= {}x"),
            (self.at_least, ">= {}"),
            (self.at_most, "<= {}"),
        ]
        texts = [form.format(short(bound)) for bound, form in parts if bound is not None]
        return ", ".join(texts) or "-"

    def met(self, value: float, ratio: float | None) -> bool:
        """Whether the medians keep every bound."""
        checks = [
            self.at_least is None or value >= self.at_least,
            self.at_most is None or value <= self.at_most,
            self.ratio_at_least is None or (ratio is not None and ratio >= self.ratio_at_least),
            self.ratio_at_most is None or (ratio is not None and ratio <= self.ratio_at_most),
        ]
        return all(checks)

    @property
    def on_ratio(self) -> bool:
        """Whether the ratio is judged."""
        return self.ratio_at_least is not None or self.ratio_at_most is not None


@attrs.frozen
class Metric:
    """One figure of a row; ``name`` is added to the row's, if there are several."""

    unit: str
    goal: Goal = attrs.field(factory=Goal)
    name: str = ""


@attrs.frozen
class Row:
    """What is measured: ``measure`` gives one figure per metric, ``anchor`` the same for B."""

    name: str
    conditions: str
    metrics: tuple[Metric, ...]
    measure: MEASURE
    anchor: MEASURE | None = None
    anchor_name: str = ""
    pairs: int = 7
    pinned: bool = True
    """One process: it stays on one core."""


@attrs.frozen
class Result:
    """A metric of a row as it was measured."""

    name: str
    conditions: str
    unit: str
    values: list[float]
    anchors: list[float]
    anchor_name: str
    goal: Goal
    pairs_needed: int = 1

    @property
    def ratios(self) -> list[float]:
        """Of each pair."""
        pairs = zip(self.values, self.anchors, strict=True) if self.anchors else ()
        return [a / b for a, b in pairs if b]

    @property
    def ratio(self) -> float | None:
        """The median of the pairs' ratios."""
        return statistics.median(self.ratios) if self.ratios else None

    @property
    def spread(self) -> float:
        """The largest over the smallest of what is judged."""
        judged = self.ratios if self.goal.on_ratio else self.values
        return max(judged) / min(judged) if min(judged) > 0 else 1.0

    @property
    def verdict(self) -> str:
        """``ok``, ``missed``, ``-`` without a goal, or why there is none."""
        if self.goal == Goal():
            return "-"
        if len(self.values) < self.pairs_needed:
            return f"not judged: {len(self.values)} of {self.pairs_needed} pairs"
        if self.spread > 2.0:
            return f"not judged: spread {self.spread:.1f}x"
        return "ok" if self.goal.met(statistics.median(self.values), self.ratio) else "missed"


def run(row: Row, pairs: int) -> list[Result]:
    """Measure a row: A B A B ..."""
    values: list[list[float]] = [[] for _ in row.metrics]
    anchors: list[list[float]] = [[] for _ in row.metrics]
    with _collecting_seldom(), _pinned() if row.pinned else _nothing():
        for _ in range(pairs):
            _collect(values, row.measure)
            if row.anchor is not None:
                _collect(anchors, row.anchor)
    return [
        Result(
            f"{row.name} {metric.name}".strip(),
            row.conditions,
            metric.unit,
            values[number],
            anchors[number],
            row.anchor_name,
            metric.goal,
            row.pairs,
        )
        for number, metric in enumerate(row.metrics)
    ]


def _collect(figures: list[list[float]], measure: MEASURE) -> None:
    gc.collect()
    taken = measure()
    numbers = [taken] if isinstance(taken, int | float) else taken
    for series, figure in zip(figures, numbers, strict=False):
        series.append(float(figure))


@contextmanager
def _collecting_seldom() -> Iterator[None]:
    """As the daemon has Python do (``daemon.app``), for both sides of a pair."""
    before = gc.get_threshold()
    gc.set_threshold(50_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def _pinned() -> Iterator[None]:
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def cpu_time(work: Callable[[], object]) -> float:
    """Seconds of CPU time that ``work`` takes, beginning with a heap without garbage.

    What was made before it, to have something to work on, is collected first: otherwise one full
    collection falls into it, or not, by chance.
    """
    gc.collect()
    begin = time.process_time()
    work()
    return time.process_time() - begin


def short(number: float) -> str:
    """``12.3k``: three digits and a unit."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"


HEAD = ("name", "conditions", "min / median / max", "unit", "anchor", "ratio", "goal", "verdict")


def line(result: Result) -> tuple[str, ...]:
    """The cells of a result."""
    low, middle, high = min(result.values), statistics.median(result.values), max(result.values)
    anchor = "-"
    if result.anchors:
        anchor = f"{short(statistics.median(result.anchors))} {result.anchor_name}"
    return (
        result.name,
        result.conditions,
        f"{short(low)} / {short(middle)} / {short(high)}",
        result.unit,
        anchor,
        f"{result.ratio:.2f}" if result.ratio is not None else "-",
        str(result.goal),
        result.verdict,
    )


def table(results: Sequence[Result]) -> str:
    """All results as one Markdown table."""
    lines = [HEAD, tuple("---" for _ in HEAD), *(line(result) for result in results)]
    widths = [max(len(cells[number]) for cells in lines) for number in range(len(HEAD))]
    return "\n".join(
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        + " |"
        for cells in lines
    )


def host() -> dict[str, object]:
    """What the figures were measured on, and how busy it was."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
    }


def save(path: Path, results: Sequence[Result], at: dict[str, object]) -> None:
    """Write everything that was measured as JSON."""
    rows = [
        {
            "name": result.name,
            "conditions": result.conditions,
            "unit": result.unit,
            "values": result.values,
            "anchors": result.anchors,
            "anchor": result.anchor_name,
            "ratio": result.ratio,
            "goal": str(result.goal),
            "verdict": result.verdict,
        }
        for result in results
    ]
    path.write_text(json.dumps({"host": at, "rows": rows}, indent=1) + "\n")
