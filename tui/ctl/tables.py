"""The cluster as tables of text: pure, and every word from the cluster was cleaned before."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tui.ctl.phrases import amounts, span

Row = dict[str, Any]
Column = tuple[str, Callable[[Row, "Names"], object]]


class Names:
    """What a row needs beside itself: the time, the jobs' names, how long ids must be."""

    def __init__(self, snapshot: dict[str, Any]) -> None:
        self.at: float = snapshot["at"]
        self._jobs = {job["job_id"]: job["name"] for job in snapshot["jobs"]}
        self._length = _unique_length(_ids(snapshot))

    def short(self, identifier: str | None) -> str:
        """Enough of an id to tell it from all others of its snapshot."""
        return identifier[: self._length] if identifier else "-"

    def job(self, job_id: str | None) -> str:
        """A job's id and name."""
        name = self._jobs.get(job_id or "")
        return f"{self.short(job_id)} {name}" if name else self.short(job_id)

    def since(self, at: float) -> str:
        """How long ago."""
        return span(max(0.0, self.at - at))


SHORTEST_ID = 8


def _ids(snapshot: dict[str, Any]) -> set[str]:
    keys = ("job_id", "allocation_id", "task_id", "request_id")
    kinds = ("slots", "requests", "jobs", "tasks")
    return {row[key] for kind in kinds for row in snapshot[kind] for key in keys if row.get(key)}


def _unique_length(ids: set[str]) -> int:
    in_order = sorted(ids)
    shared = (
        next((i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), len(one))
        for one, two in itertools.pairwise(in_order)
    )
    return max(SHORTEST_ID, 1 + max(shared, default=0))


_COLUMNS: dict[str, list[Column]] = {
    "slots": [
        ("SLOT", lambda row, _: row["slot_id"]),
        ("STATE", lambda row, _: row["state"]),
        ("SINCE", lambda row, names: names.since(row["since"])),
        ("PROFILE", lambda row, _: amounts(row["profile"])),
        ("ALLOCATION", lambda row, names: names.short(row["allocation_id"])),
        ("JOB", lambda row, names: names.job(row["job_id"])),
    ],
    "requests": [
        ("ALLOCATION", lambda row, names: names.short(row["allocation_id"])),
        ("STATE", lambda row, _: row["state"]),
        ("WAITED", lambda row, names: names.since(row["since"])),
        ("GIVES UP IN", lambda row, names: span(max(0.0, row["deadline"] - names.at))),
        ("PROFILE", lambda row, _: amounts(row["profile"])),
        ("SLOT", lambda row, _: row.get("slot_id") or "-"),
        ("JOB", lambda row, names: names.job(row["job_id"])),
    ],
    "executors": [
        ("EXECUTOR", lambda row, _: row["resource_id"]),
        ("STATE", lambda row, _: row["state"]),
        ("SLOTS", lambda row, _: row["slots"]),
        ("FREE", lambda row, _: row["free"]),
        ("HOST", lambda row, _: row["host"]),
        ("ADDRESS", lambda row, _: row["address"]),
        ("HEARD", lambda row, names: names.since(row["last_heartbeat"])),
    ],
    "jobs": [
        ("JOB", lambda row, names: names.short(row["job_id"])),
        ("NAME", lambda row, _: row["name"]),
        ("STATE", lambda row, _: row["state"]),
        ("ALLOCATED", lambda row, _: row["pool"]["allocated"]),
        ("AVAILABLE", lambda row, _: row["pool"]["available"]),
        ("PENDING", lambda row, _: row["pool"]["pending"]),
        ("UNASKED", lambda row, _: row["pool"]["waiting_for_resource_manager"]),
    ],
    "leaders": [
        ("COMPONENT", lambda row, _: row["component"]),
        ("EPOCH", lambda row, _: row["epoch"]),
        ("SINCE", lambda row, names: names.since(row["since"])),
        ("ADDRESS", lambda row, _: row["address"]),
        ("LEADER", lambda row, names: names.short(row["leader_id"])),
    ],
    "tasks": [
        ("TASK", lambda row, names: names.short(row["task_id"])),
        ("RUNS", lambda row, names: names.since(row["since"])),
        ("SLOT", lambda row, _: row["slot_id"]),
        ("JOB", lambda row, names: names.job(row["job_id"])),
        ("COMMAND", lambda row, _: " ".join(row["command"])),
    ],
}

KINDS = tuple(_COLUMNS)


def listing(kind: str, snapshot: dict[str, Any]) -> list[str]:
    """One kind of thing (of KINDS) in a cleaned snapshot, as a table with a heading."""
    columns = _COLUMNS[kind]
    names = Names(snapshot)
    rows = [[cell(row, names) for _, cell in columns] for row in snapshot[kind]]
    return table([heading for heading, _ in columns], rows)


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Columns as wide as their widest cell; numbers to the right, no blanks at a line's end."""
    cells = list(rows)
    columns = list(zip(headings, *cells, strict=True))
    rights = [all(isinstance(cell, int) for cell in column[1:]) and cells for column in columns]
    widths = [max(len(str(cell)) for cell in column) for column in columns]
    return [
        "  ".join(
            str(cell).rjust(width) if right else str(cell).ljust(width)
            for cell, width, right in zip(line, widths, rights, strict=True)
        ).rstrip()
        for line in (headings, *cells)
    ]
