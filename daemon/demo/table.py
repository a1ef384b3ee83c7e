"""The demo's last word as text: one row a request, and a summary; pure."""

from collections.abc import Sequence

from daemon.demo.records import Outcome, Record

_HEAD = ("TASK", "WAITED", "RAN", "WHERE", "LOCALITY", "EXIT")
_IS_NUMBER = (False, True, True, False, False, True)


def table(records: Sequence[Record]) -> list[str]:
    """A head and a row for each request, in the order in which they were asked."""
    rows = [_HEAD, *map(_row, records)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return [
        "  ".join(
            cell.rjust(width) if is_number else cell.ljust(width)
            for cell, width, is_number in zip(row, widths, _IS_NUMBER, strict=True)
        ).rstrip()
        for row in rows
    ]


def summary(records: Sequence[Record], elapsed_s: float, bytes_read: int) -> list[str]:
    """Who waited longest, and how the requests ended."""
    served = [record for record in records if record.waited_s is not None]
    lines = [f"{bytes_read / 1e6:.0f} MB of the standard library were read in {elapsed_s:.1f} s."]
    if served:
        longest = max(served, key=lambda record: record.waited_s or 0.0)
        lines.append(f"Waited longest: {longest.name}, {_seconds(longest.waited_s)}.")
    counts = [
        (outcome, sum(record.outcomes == [outcome] for record in records)) for outcome in Outcome
    ]
    parts = ", ".join(f"{count} {outcome.value}" for outcome, count in counts if count)
    lines.append(f"Requests: {len(records)}, of which {parts}.")
    again = sum(record.asked_again > 0 for record in records)
    if again:
        lines.append(f"Asked again because their job's leader changed: {again}.")
    return lines


def _row(record: Record) -> tuple[str, ...]:
    return (
        record.name,
        _seconds(record.waited_s),
        _seconds(record.ran_s),
        record.slot_id or "-",
        record.locality or "-",
        record.ended or "-",
    )


def _seconds(amount: float | None) -> str:
    return "-" if amount is None else f"{amount:.2f} s"
