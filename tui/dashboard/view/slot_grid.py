"""Where each slot stands on the map: executors as tiles, or one cell per executor when too many."""

import math
from collections.abc import Mapping, Sequence

import attrs

from protocol.ids import ResourceId, SlotId, executor_of, slot_number_of
from tui.dashboard.view.tables.names import natural

LABEL = 14
"""No executor's label is wider; the end of a name tells more than its beginning."""
RUN = 32
"""At most so many cells of one executor stand in one line."""
STEPS = (3, 2, 1)
"""How wide a slot may be: two characters and a gap, one and a gap, one."""

Key = ResourceId | SlotId


@attrs.frozen
class Run:
    """Cells in one line from column ``x`` on, ``step`` wide each, after a label if there is one."""

    x: int
    label: str
    label_width: int
    executor: ResourceId | None
    keys: tuple[Key, ...]
    step: int

    @property
    def first_cell(self) -> int:
        """The column of the first cell."""
        return self.x + (self.label_width + 1 if self.label_width else 0)


@attrs.frozen
class Grid:
    """The lines of the map and the place of each key as (line, column).

    ``by_slot``: a cell is a slot; otherwise it is an executor.
    """

    lines: tuple[tuple[Run, ...], ...]
    place: Mapping[Key, tuple[int, int]]
    by_slot: bool

    def key_at(self, line: int, column: int) -> Key | None:
        """What stands at a place; None for a label or a gap."""
        if not 0 <= line < len(self.lines):
            return None
        for run in self.lines[line]:
            index = (column - run.first_cell) // run.step
            if 0 <= index < len(run.keys):
                return run.keys[index]
        return None

    def nearest(self, line: int, column: int) -> Key | None:
        """What stands in ``line`` nearest to ``column``."""
        if not 0 <= line < len(self.lines):
            return None
        keys = [key for run in self.lines[line] for key in run.keys]
        return min(keys, key=lambda key: abs(self.place[key][1] - column), default=None)


def slots_by_executor(
    executors: Mapping[ResourceId, object], slots: Mapping[SlotId, object]
) -> dict[ResourceId, list[SlotId]]:
    """The slots of each executor by number, executors in natural order; none is left out."""
    found: dict[ResourceId, list[SlotId]] = {resource_id: [] for resource_id in executors}
    for slot_id in slots:
        found.setdefault(executor_of(slot_id), []).append(slot_id)
    for owned in found.values():
        owned.sort(key=slot_number_of)
    return {name: found[name] for name in sorted(found, key=natural)}


def arrange(
    tiles: Mapping[ResourceId, Sequence[SlotId]], width: int, height: int, by_slot: bool | None
) -> Grid:
    """The map for ``width`` x ``height`` cells; ``by_slot`` None: by slot as long as it fits.

    By slot the cells are as wide as the height allows; a map that is too high is scrolled.
    """
    if width <= 0 or not tiles:
        return Grid((), {}, by_slot is not False)
    if by_slot is not False:
        for step in STEPS:
            grid = _by_slot(tiles, width, height, step)
            if len(grid.lines) <= height:
                return grid
            if step == STEPS[-1] and (by_slot or len(tiles) <= height):
                return grid
    return _by_executor(tuple(tiles), width)


def _by_slot(
    tiles: Mapping[ResourceId, Sequence[SlotId]], width: int, height: int, step: int
) -> Grid:
    label = min(LABEL, max(map(len, tiles)), max(1, width // 3))
    most = max(1, max(map(len, tiles.values())))
    run = max(1, min(most, RUN, (width - label - 2) // step))
    tile = 1 + label + 1 + run * step + 1
    depth = math.ceil(most / run)
    needed = math.ceil(len(tiles) * depth / max(1, height))
    across = max(1, min((width + 1) // tile, needed))
    lines: list[tuple[Run, ...]] = []
    names = list(tiles)
    for start in range(0, len(names), across):
        row = names[start : start + across]
        levels = max(1, max(math.ceil(len(tiles[name]) / run) for name in row))
        for level in range(levels):
            part = slice(level * run, (level + 1) * run)
            lines.append(
                tuple(
                    Run(
                        1 + column * tile,
                        "" if level else name,
                        label,
                        name,
                        tuple(tiles[name][part]),
                        step,
                    )
                    for column, name in enumerate(row)
                )
            )
    return _grid(lines, by_slot=True)


def _by_executor(names: Sequence[ResourceId], width: int) -> Grid:
    across = max(1, width - 2)
    lines = [
        (Run(1, "", 0, None, tuple(names[start : start + across]), 1),)
        for start in range(0, len(names), across)
    ]
    return _grid(lines, by_slot=False)


def _grid(lines: Sequence[tuple[Run, ...]], *, by_slot: bool) -> Grid:
    place: dict[Key, tuple[int, int]] = {}
    for number, line in enumerate(lines):
        for run in line:
            for index, key in enumerate(run.keys):
                place[key] = (number, run.first_cell + index * run.step)
    return Grid(tuple(lines), place, by_slot)
