"""The map of slots: a cell for each slot, or for each executor; the cursor is a key."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.strip import Strip

from protocol.ids import ResourceId, SlotId, executor_of
from protocol.snapshot import ExecutorState
from tui.dashboard.store.changes import Changes, Kind
from tui.dashboard.view import words
from tui.dashboard.view.phrase import Phrase, Role, role_of
from tui.dashboard.view.slot_grid import Grid, Key, Run, arrange, slots_by_executor
from tui.dashboard.view.tables.names import job_name
from tui.dashboard.widgets.board import Board
from tui.dashboard.widgets.drawing import fit
from tui.dashboard.widgets.palette import CELL_CURSOR, CURSOR_ELSEWHERE, style_of
from tui.dashboard.widgets.pane import Pane, Picture


class SlotMap(Pane):
    """Shows every slot of the store."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "step(-1)", "left", show=False, id="map.left"),
        Binding("right,l", "step(1)", "right", show=False, id="map.right"),
        Binding("z", "zoom", "zoom", show=False, id="map.zoom"),
    ]

    def __init__(self, board: Board, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(board, id=id)
        self.grid = Grid((), {}, by_slot=True)
        self.cursor_key: Key | None = None
        self._by_slot: bool | None = None
        self._first_slots: dict[Hashable, SlotId] = {}
        """A slot in the line that has the executor's label."""

    def body_lines(self) -> int:
        """The lines of the grid; one for the words that stand for none."""
        return max(1, len(self.grid.lines))

    def title(self) -> tuple[str, str]:
        """What a cell is, and at the right what the cursor is on."""
        name = "slots" if self.grid.by_slot else "executors by slots in use"
        if not self.board.store.known:
            return f"{name} {words.UNKNOWN_FACT}", ""
        return name, self._words_for_cursor()

    def head_phrase(self, y: int) -> Phrase:
        """There is no fixed line but the title."""
        return []

    def body_picture(self, index: int) -> Picture:
        """The glyphs of a line with their roles, and where the cursor is in it."""
        if not self.grid.lines:
            return (self._words_for_none(), None)
        line = self.grid.lines[index]
        place = None if self.cursor_key is None else self.grid.place.get(self.cursor_key)
        cursor = place[1] if place is not None and place[0] == index else None
        cells = tuple((run.x, self._label(run), *map(self._cell, run.keys)) for run in line)
        return (cells, cursor, self.has_focus if cursor is not None else None)

    def draw_body(self, picture: Picture, base: Style, *, old: bool) -> Strip:
        """The line: runs of equal style are one segment."""
        width = self.width
        if isinstance(picture[0], str):
            text = fit(f"  {picture[0]}", width, self.board.glyphs.more)
            return Strip([Segment(text, base + style_of(Role.DIM, old=old))])
        segments: list[Segment] = []
        x = 0
        for start, (label, role), *cells in picture[0]:
            step = self.grid.lines[0][0].step
            segments.append(Segment(" " * (start - x), base))
            segments.append(Segment(label, base + style_of(role, old=old)))
            x = start + len(label)
            for glyph, cell_role in _runs(cells):
                style = base + style_of(cell_role, old=old)
                segments.append(Segment(_cells(glyph, step), style))
                x += len(glyph) * step
        strip = Strip(segments).adjust_cell_length(width, base)
        return strip if picture[1] is None else self._with_cursor(strip, picture[1])

    def rearrange(self, changes: Changes) -> None:
        """Arrange the tiles again when slots or executors came or went."""
        cluster = self.board.store.cluster
        tiles = slots_by_executor(cluster.executors, cluster.slots)
        self._first_slots = {name: slots[0] for name, slots in tiles.items() if slots}
        self.grid = arrange(tiles, self.width, self.room, self._by_slot)
        if self.cursor_key not in self.grid.place:
            self.cursor_key = next(iter(self.grid.place), None)

    def concerned(self, changes: Changes) -> bool:
        """Whether a slot, an executor's state or a job's name changed."""
        return any(changes.concerns(kind) for kind in (Kind.SLOTS, Kind.EXECUTORS, Kind.JOBS))

    def flush(self, changes: Changes) -> None:
        """Arrange only when the places changed."""
        moved = {Kind.SLOTS, Kind.EXECUTORS} & changes.membership
        if changes.everything or moved:
            self.rearrange(changes)
            self.repaint()
        elif changes.link or changes.concerns(Kind.JOBS) or not self.grid.lines:
            self.repaint()
        else:
            self.repaint_lines(self._lines_of(changes))

    def tick(self) -> None:
        """A second has passed: the cursor's slot grew older."""
        self.repaint_title()

    def follow_cursor(self) -> None:
        """Scroll so that the cursor is seen."""
        place = None if self.cursor_key is None else self.grid.place.get(self.cursor_key)
        if place is not None and self.room:
            self.top = max(min(self.top, place[0]), place[0] - self.room + 1)

    def action_step(self, by: int) -> None:
        """To the next cell, over the end of the line."""
        keys = list(self.grid.place)
        if self.cursor_key is not None and self.cursor_key in self.grid.place:
            index = keys.index(self.cursor_key) + by
            self._go(keys[max(0, min(index, len(keys) - 1))])

    def action_move(self, by: int) -> None:
        """To the cell above or below."""
        place = None if self.cursor_key is None else self.grid.place.get(self.cursor_key)
        if place is None:
            return
        line = place[0]
        while 0 <= (line := line + (1 if by > 0 else -1)) < len(self.grid.lines):
            key = self.grid.nearest(line, place[1])
            if key is not None:
                self._go(key)
                if abs(line - place[0]) >= abs(by):
                    return

    def action_page(self, by: int) -> None:
        """Up or down by what is seen."""
        self.action_move(by * max(1, self.room - 1))

    def action_first(self) -> None:
        """To the first cell."""
        self._go(next(iter(self.grid.place), None))

    def action_last(self) -> None:
        """To the last cell."""
        self._go(next(reversed(list(self.grid.place)), None))

    def action_zoom(self) -> None:
        """Between a cell for each slot and a cell for each executor."""
        self._by_slot = not self.grid.by_slot
        before = self.cursor_key
        self._forget()
        self.rearrange(Changes.all())
        if before is not None and not self.grid.by_slot:
            self.cursor_key = executor_of(SlotId(before))
        self.follow_cursor()
        self.repaint()

    def on_click(self, event: events.Click) -> None:
        """The cell under the pointer takes the cursor."""
        key = self.grid.key_at(self.top + event.y - self.head, event.x)
        if event.y >= self.head and key is not None:
            self._go(key)

    def _go(self, key: Key | None) -> None:
        self.cursor_key = key
        self.follow_cursor()
        self.repaint()

    def _lines_of(self, changes: Changes) -> set[int]:
        """The body lines on which something was touched."""
        touched = changes.touched[Kind.SLOTS] if self.grid.by_slot else set[Hashable]()
        place: Mapping[Any, tuple[int, int]] = self.grid.place
        lines = {place[key][0] for key in touched if key in place}
        for resource_id in changes.touched[Kind.EXECUTORS]:
            key = resource_id if not self.grid.by_slot else self._first_slots.get(resource_id)
            if key in place:
                lines.add(place[key][0])
        return lines

    def _label(self, run: Run) -> tuple[str, Role]:
        if not run.label_width:
            return ("", Role.PLAIN)
        executor = self.board.store.cluster.executors.get(run.executor or ResourceId(""))
        draining = executor is not None and executor.state is ExecutorState.DRAINING
        name = run.label
        if len(name) > run.label_width:
            name = self.board.glyphs.more + name[1 - run.label_width :]
        label = f"{name:<{run.label_width}} "
        return (label, Role.WARNING if draining else Role.DIM)

    def _cell(self, key: Key) -> tuple[str, Role]:
        store, glyphs = self.board.store, self.board.glyphs
        if self.grid.by_slot:
            slot = store.cluster.slots.get(SlotId(key))
            if slot is None:
                return (" ", Role.PLAIN)
            phase = store.phase(slot)
            return (glyphs.phase[phase], role_of(phase))
        executor = store.cluster.executors.get(ResourceId(key))
        if executor is None:
            return (" ", Role.PLAIN)
        if executor.state is ExecutorState.DRAINING:
            return (glyphs.draining, Role.WARNING)
        used = executor.slots - executor.free
        scale = len(glyphs.used) - 1
        level = 0 if not used else max(1, used * scale // max(1, executor.slots))
        return (glyphs.used[min(level, scale)], Role.ACTIVE if used else Role.FREE)

    def _with_cursor(self, strip: Strip, column: int) -> Strip:
        step = self.grid.lines[0][0].step
        end = column + max(1, step - 1)
        before, cell, after = strip.divide([column, end, strip.cell_length])
        if not self.has_focus:
            return Strip.join([before, cell.apply_style(CURSOR_ELSEWHERE), after])
        segments = [Segment(segment.text, CELL_CURSOR) for segment in cell]
        if step > 1:  # without colour, a mark in the gap tells
            segments.append(Segment("<", self.rich_style + CELL_CURSOR))
            after = after.crop(1)
        return Strip.join([before, Strip(segments), after])

    def _words_for_none(self) -> str:
        if not self.board.store.known:
            return "Nothing is known yet."
        return "No executor has registered. Start one: slotd --roles task-executor"

    def _words_for_cursor(self) -> str:
        if self.cursor_key is None:
            return ""
        if not self.grid.by_slot:
            executor = self.board.store.cluster.executors.get(ResourceId(self.cursor_key))
            if executor is None:
                return self.cursor_key
            used = executor.slots - executor.free
            return f"{executor.resource_id}: {used} of {executor.slots} slots used"
        return self._words_for_slot(SlotId(self.cursor_key))

    def _words_for_slot(self, slot_id: SlotId) -> str:
        store = self.board.store
        slot = store.cluster.slots.get(slot_id)
        if slot is None:
            return slot_id
        since = words.age(self.board.at() - slot.since)
        holder = "" if slot.job_id is None else f" by {job_name(store, slot.job_id)}"
        return f"{slot_id} {store.phase(slot).value}{holder} for {since}"


def _runs(cells: Sequence[tuple[str, Role]]) -> list[tuple[str, Role]]:
    """Neighbours of the same role joined."""
    runs: list[tuple[str, Role]] = []
    for glyph, role in cells:
        if runs and runs[-1][1] is role:
            runs[-1] = (runs[-1][0] + glyph, role)
        else:
            runs.append((glyph, role))
    return runs


def _cells(glyphs: str, step: int) -> str:
    """Each glyph as a cell ``step`` wide: the last column of a wide cell is a gap."""
    if step == 1:
        return glyphs
    return "".join(f"{glyph * (step - 1)} " for glyph in glyphs)
