"""The map: every slot has one place, the cursor is a slot, and a change draws one line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.style import Style

from protocol.ids import ResourceId, SlotId, slot_id
from tests.screens.scripted_cluster import ScriptedCluster, busy_cluster, large_cluster, slots_of
from tests.screens.stage import Stage, on_stage, whole
from tui.dashboard.link.news import EventsCame
from tui.dashboard.store.store import Phase
from tui.dashboard.view.glyphs import ASCII, UNICODE, Glyphs
from tui.dashboard.view.slot_grid import arrange, slots_by_executor
from tui.dashboard.widgets.slot_map import SlotMap

SIZES_OF_EXECUTORS = st.lists(st.integers(0, 70), min_size=1, max_size=40)


def tiles_of(sizes: list[int]) -> dict[ResourceId, list[SlotId]]:
    names = [ResourceId(f"te-{number}") for number in range(len(sizes))]
    return {
        name: [slot_id(name, number) for number in range(size)]
        for name, size in zip(names, sizes, strict=True)
    }


@given(SIZES_OF_EXECUTORS, st.integers(20, 200), st.integers(1, 50))
def test_every_slot_has_one_place_inside_the_width(
    sizes: list[int], width: int, height: int
) -> None:
    tiles = tiles_of(sizes)
    grid = arrange(tiles, width, height, by_slot=True)
    slots = [slot for owned in tiles.values() for slot in owned]
    assert sorted(grid.place) == sorted(slots)
    assert len(set(grid.place.values())) == len(slots)
    for slot, (line, column) in grid.place.items():
        assert 0 <= column < width
        assert grid.key_at(line, column) == slot


@given(SIZES_OF_EXECUTORS, st.integers(20, 200), st.integers(1, 50))
def test_one_cell_for_each_executor_when_slots_do_not_fit(
    sizes: list[int], width: int, height: int
) -> None:
    tiles = tiles_of(sizes)
    grid = arrange(tiles, width, height, by_slot=None)
    if grid.by_slot:
        assert len(grid.lines) <= height or len(tiles) <= height
    else:
        assert sorted(grid.place) == sorted(tiles)


def test_slots_whose_executor_is_not_known_are_on_the_map_too() -> None:
    slots = {SlotId("te-2_10"): None, SlotId("te-2_9"): None, SlotId("te-10_0"): None}
    assert slots_by_executor({ResourceId("te-1"): None}, slots) == {
        "te-1": [],
        "te-2": ["te-2_9", "te-2_10"],
        "te-10": ["te-10_0"],
    }


async def map_page(stage: Stage, cluster: ScriptedCluster) -> SlotMap:
    await stage.show(whole(cluster))
    await stage.press("2")
    return stage.app.query_one("#map-map", SlotMap)


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=lambda g: g.name)
def test_each_phase_has_its_own_character(glyphs: Glyphs) -> None:
    assert len(set(glyphs.phase.values())) == len(Phase)

    async def play(stage: Stage) -> None:
        await map_page(stage, busy_cluster())
        line = next(line for line in stage.lines() if line.startswith(" te-2 "))
        active, allocated = glyphs.phase[Phase.ACTIVE] * 2, glyphs.phase[Phase.ALLOCATED] * 2
        assert line.split() == ["te-2", *[active] * 14, *[allocated] * 2]
        line = next(line for line in stage.lines() if line.startswith(" gpu-1 "))
        assert line.split()[-1] == glyphs.phase[Phase.PENDING] * 2

    on_stage(play, glyphs=glyphs)


def test_a_change_of_a_slot_draws_its_line_alone() -> None:
    async def play(stage: Stage) -> None:
        cluster = busy_cluster()
        slots = await map_page(stage, cluster)
        drawn = slots.lines_drawn
        await stage.show([EventsCame(cluster.free(slots_of(cluster, "te-1")[3]), 0.0)])
        assert slots.lines_drawn == drawn + 1
        line = next(line for line in stage.lines() if line.startswith(" te-1 "))
        assert line.split()[4] == "··"

    on_stage(play)


def test_a_command_that_starts_or_ends_shows_on_its_slot() -> None:
    async def play(stage: Stage) -> None:
        cluster = busy_cluster()
        await map_page(stage, cluster)
        slot = slots_of(cluster, "te-2")[15]
        seen = len(cluster.history)
        task_id = cluster.start_task(slot)
        await stage.show([EventsCame(tuple(cluster.history[seen:]), 0.0)])
        line = next(line for line in stage.lines() if line.startswith(" te-2 "))
        assert line.split()[-2:] == ["▒▒", "██"]
        await stage.show([EventsCame(cluster.finish_task(task_id), 0.0)])
        line = next(line for line in stage.lines() if line.startswith(" te-2 "))
        assert line.split()[-2:] == ["▒▒", "▒▒"]

    on_stage(play)


def test_many_changes_on_one_line_draw_it_once() -> None:
    async def play(stage: Stage) -> None:
        cluster = busy_cluster()
        slots = await map_page(stage, cluster)
        drawn, seen = slots.lines_drawn, len(cluster.history)
        for slot in slots_of(cluster, "te-1"):
            cluster.free(slot)
        await stage.show([EventsCame(tuple(cluster.history[seen:]), 0.0)])
        assert slots.lines_drawn == drawn + 1

    on_stage(play)


def test_a_change_out_of_sight_draws_nothing() -> None:
    async def play(stage: Stage) -> None:
        cluster = large_cluster(200, 16, 0)
        await stage.show(whole(cluster))
        await stage.press("2", "z")
        slots = stage.app.query_one("#map-map", SlotMap)
        assert slots.grid.by_slot
        assert len(slots.grid.lines) > slots.room
        drawn = slots.lines_drawn
        far = next(s for s in reversed(cluster.state.slots.values()) if s.job_id is None)
        request = cluster.ask(next(iter(cluster.state.jobs)))
        await stage.show([EventsCame(tuple(cluster.history[-2:]), 0.0)])
        before = slots.lines_drawn
        await stage.show([EventsCame(cluster.assign(request, far.slot_id), 0.0)])
        assert slots.lines_drawn == before
        await stage.press("end")
        assert slots.lines_drawn > drawn
        assert "te-0199_15" in stage.lines()[3]

    on_stage(play, (80, 24))


def test_the_cursor_is_a_slot_and_the_title_says_which() -> None:
    async def play(stage: Stage) -> None:
        cluster = busy_cluster()
        slots = await map_page(stage, cluster)
        assert slots.cursor_key == "gpu-1_0"
        await stage.press("right", "l", "right")
        assert slots.cursor_key == "gpu-1_3"
        assert "gpu-1_3 pending by fraud-features for 6s" in stage.lines()[3]
        await stage.press("down", "left")
        assert slots.cursor_key == "te-1_2"
        await stage.press("j", "k", "G")
        assert slots.cursor_key == "te-3_15"
        await stage.press("g")
        cluster.add_executor("aa-0", 4)
        seen = len(cluster.history) - 5
        await stage.show([EventsCame(tuple(cluster.history[seen:]), 0.0)])
        assert slots.cursor_key == "gpu-1_0", "the key, not the place"

    on_stage(play)


def test_a_click_selects_the_slot_under_the_pointer() -> None:
    async def play(stage: Stage) -> None:
        slots = await map_page(stage, busy_cluster())
        for key in (SlotId("te-1_0"), SlotId("te-2_7"), SlotId("te-3_15")):
            line, column = slots.grid.place[key]
            await stage.pilot.click(slots, offset=(column, line + 1))
            await stage.settle()
            assert slots.cursor_key == key
        await stage.pilot.click(slots, offset=(1, 2))
        assert slots.cursor_key == "te-3_15", "a label is no slot"

    on_stage(play)


def test_the_cursor_is_seen_on_a_full_block_and_without_colour() -> None:
    async def play(stage: Stage) -> None:
        await map_page(stage, busy_cluster())
        row = next(r for r in stage.strips() if "".join(s.text for s in r).startswith(" gpu-1"))
        cursor = next(s for s in row if s.text.startswith("██"))
        other = next(s for s in row if s.text.startswith("██ "))
        assert (cursor.style or Style()).color != (other.style or Style()).color
        assert "██<██" in stage.text()

    on_stage(play)


def test_zoom_shows_executors_by_what_is_used() -> None:
    async def play(stage: Stage) -> None:
        slots = await map_page(stage, busy_cluster())
        await stage.press("z")
        assert not slots.grid.by_slot
        assert "█" in stage.lines()[4]
        assert stage.lines()[4].strip() == "███D", "te-3 is draining"
        assert "gpu-1: 4 of 4 slots used" in stage.lines()[3]
        await stage.press("z")
        assert slots.grid.by_slot

    on_stage(play)


def test_ten_thousand_slots_become_a_cell_for_each_executor() -> None:
    async def play(stage: Stage) -> None:
        slots = await map_page(stage, large_cluster(625, 16, 0))
        assert not slots.grid.by_slot
        assert len(slots.grid.place) == 625
        assert sum(line.count("▆") for line in stage.lines()) == 625

    on_stage(play)


def test_an_executor_that_goes_takes_its_tile_with_it() -> None:
    async def play(stage: Stage) -> None:
        cluster = busy_cluster()
        slots = await map_page(stage, cluster)
        await stage.show([EventsCame(cluster.lose_executor("gpu-1"), 0.0)])
        assert " gpu-1 " not in stage.text()
        assert slots.cursor_key == "te-1_0"

    on_stage(play)
