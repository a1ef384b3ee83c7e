"""Which columns of a table fit into a width, and how wide each of them is."""

from tui.dashboard.view.table import Column, Table

MARGIN = 2
"""The cells before the first column: how bad it is, and the cursor."""


def columns_for(table: Table, width: int) -> list[tuple[Column, int]]:
    """The columns that fit into ``width`` cells with their widths; ``keep`` says which go first."""
    columns = list(table.columns)
    while len(columns) > 1 and _needed(columns) > width:
        columns.remove(min(columns, key=lambda column: column.keep))
    left = max(0, width - _needed(columns))
    widths = {column: column.width for column in columns}
    for column in sorted(columns, key=lambda column: not column.grows):
        more = min(left, max(0, column.wish - column.width))
        left -= more
        widths[column] += more
    return [(column, widths[column] + (left if column.grows else 0)) for column in columns]


def _needed(columns: list[Column]) -> int:
    return MARGIN + sum(column.width + 1 for column in columns)
