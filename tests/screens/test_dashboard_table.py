"""Tables: the cursor stays on its row, only what changed is drawn, columns go by their worth."""

import pytest

from protocol.ids import AllocationId
from tests.screens.scripted_cluster import SMALL, ScriptedCluster, busy_cluster, large_cluster
from tests.screens.stage import Stage, on_stage, whole
from tui.dashboard.link.news import EventsCame
from tui.dashboard.view.columns import columns_for
from tui.dashboard.view.table import Table
from tui.dashboard.view.tables.executors import EXECUTORS
from tui.dashboard.view.tables.jobs import JOBS
from tui.dashboard.view.tables.names import natural
from tui.dashboard.view.tables.pending import PENDING
from tui.dashboard.view.tables.slots import SLOTS
from tui.dashboard.widgets.table import TablePane


def waiting(number: int) -> tuple[ScriptedCluster, list[AllocationId]]:
    """A cluster in which so many requests wait, soonest deadline first."""
    cluster = ScriptedCluster()
    cluster.elect()
    job_id = cluster.open_job("etl")
    return cluster, [cluster.ask(job_id, SMALL, 100.0 + index) for index in range(number)]


async def pending_page(stage: Stage, cluster: ScriptedCluster) -> TablePane:
    await stage.show(whole(cluster))
    await stage.press("4")
    return stage.app.query_one("#pending-table", TablePane)


def since(cluster: ScriptedCluster, seen: int) -> list[EventsCame]:
    return [EventsCame(tuple(cluster.history[seen:]), 0.0)]


def test_rows_stand_by_soonest_deadline() -> None:
    async def play(stage: Stage) -> None:
        cluster, requests = waiting(3)
        sooner = cluster.ask(next(iter(cluster.state.jobs)), SMALL, 5.0)
        table = await pending_page(stage, cluster)
        assert table.listing.keys == [sooner, *requests]
        assert stage.lines()[5].startswith("!>")

    on_stage(play)


def test_the_cursor_stays_on_its_request_when_rows_above_vanish() -> None:
    async def play(stage: Stage) -> None:
        cluster, requests = waiting(20)
        table = await pending_page(stage, cluster)
        await stage.press(*["down"] * 7)
        assert table.listing.cursor_key == requests[7]
        line = next(i for i, line in enumerate(stage.lines()) if line.startswith((" >", "!>")))
        seen = len(cluster.history)
        for request in requests[:4]:
            cluster.fail(request)
        await stage.show(since(cluster, seen))
        assert table.listing.cursor_key == requests[7]
        assert table.listing.keys[table.listing.cursor] == requests[7]
        assert stage.lines()[line - 4].startswith(" >")
        assert requests[7][:8] in stage.lines()[line - 4]

    on_stage(play)


def test_in_a_long_list_the_cursor_stays_on_its_line_too() -> None:
    async def play(stage: Stage) -> None:
        cluster, requests = waiting(200)
        table = await pending_page(stage, cluster)
        await stage.press("pagedown", "pagedown", "up", "up")
        key, on_screen = table.listing.cursor_key, table.listing.cursor - table.top
        seen = len(cluster.history)
        for request in requests[:30]:
            cluster.fail(request)
        await stage.show(since(cluster, seen))
        assert (table.listing.cursor_key, table.listing.cursor - table.top) == (key, on_screen)

    on_stage(play)


def test_the_neighbour_takes_the_cursor_of_a_row_that_vanishes() -> None:
    async def play(stage: Stage) -> None:
        cluster, requests = waiting(5)
        table = await pending_page(stage, cluster)
        await stage.press("down", "down")
        await stage.show([EventsCame(cluster.fail(requests[2]), 0.0)])
        assert table.listing.cursor_key == requests[3]
        await stage.press("G")
        await stage.show([EventsCame(cluster.fail(requests[4]), 0.0)])
        assert table.listing.cursor_key == requests[3]

    on_stage(play)


def test_until_a_row_is_chosen_the_worst_stays_in_sight_and_under_the_cursor() -> None:
    async def play(stage: Stage) -> None:
        cluster, requests = waiting(3)
        table = await pending_page(stage, cluster)
        for timeout in (50.0, 40.0, 30.0):
            seen = len(cluster.history)
            sooner = cluster.ask(next(iter(cluster.state.jobs)), SMALL, timeout)
            await stage.show(since(cluster, seen))
            assert (table.listing.cursor_key, table.top) == (sooner, 0)
        await stage.press("down", "down", "down")
        assert table.listing.cursor_key == requests[0]
        seen = len(cluster.history)
        soonest = cluster.ask(next(iter(cluster.state.jobs)), SMALL, 20.0)
        await stage.show(since(cluster, seen))
        assert (table.listing.cursor_key, table.listing.keys[0], table.top) == (
            requests[0],
            soonest,
            0,
        )
        await stage.press("g")
        assert table.listing.cursor_key == soonest

    on_stage(play)


def test_a_table_without_the_focus_shows_its_beginning() -> None:
    async def play(stage: Stage) -> None:
        cluster = ScriptedCluster()
        cluster.elect()
        for name in "cdefghijkl":
            cluster.open_job(name)
        await stage.show(whole(cluster))
        jobs = stage.app.query_one("#overview-jobs", TablePane)
        seen = len(cluster.history)
        cluster.ask(cluster.open_job("zz"))
        await stage.show(since(cluster, seen))
        await stage.wait(1.0)
        assert (jobs.top, jobs.listing.cursor) == (0, 0)
        assert jobs.listing.keys[0] == cluster.history[-1].news.job_id  # type: ignore[attr-defined]

    on_stage(play)


def test_sorting_keeps_the_cursor_on_its_key() -> None:
    async def play(stage: Stage) -> None:
        await stage.show(whole(busy_cluster()))
        await stage.press("6", "down", "down")
        table = stage.app.query_one("#executors-table", TablePane)
        key = table.listing.cursor_key
        orders = []
        for _ in range(4):
            await stage.press("s")
            orders.append(list(table.listing.keys))
            assert table.listing.keys[table.listing.cursor] == key
        assert len({tuple(order) for order in orders}) > 1
        await stage.press("S")
        assert table.listing.keys[table.listing.cursor] == key
        assert "▼" in stage.lines()[3]

    on_stage(play)


def test_a_click_on_a_title_sorts_and_a_click_on_a_row_selects() -> None:
    async def play(stage: Stage) -> None:
        await stage.show(whole(busy_cluster()))
        await stage.press("6")
        table = stage.app.query_one("#executors-table", TablePane)
        x = stage.lines()[4].index("free")
        await stage.pilot.click(table, offset=(x, 1))
        assert table.listing.keys[0] == "te-3"
        await stage.pilot.click(table, offset=(x, 1))
        assert table.listing.keys[-1] == "te-3"
        await stage.pilot.click(table, offset=(5, 3))
        assert table.listing.cursor == 1

    on_stage(play)


def test_the_wheel_scrolls_without_moving_the_cursor() -> None:
    async def play(stage: Stage) -> None:
        cluster, requests = waiting(200)
        table = await pending_page(stage, cluster)
        table.scroll_lines(3)
        assert (table.top, table.listing.cursor_key) == (3, requests[0])
        table.scroll_lines(1_000)
        await stage.settle()
        assert table.top == 200 - table.room
        assert requests[-1][:8] in stage.text()
        await stage.press("down")
        assert table.top == 1

    on_stage(play)


@pytest.mark.parametrize("rows", [0, 1, 33, 34, 35])
def test_ends_are_where_they_should_be(rows: int) -> None:
    async def play(stage: Stage) -> None:
        cluster, requests = waiting(rows)
        table = await pending_page(stage, cluster)
        assert table.room == 34
        await stage.press("G", "down", "pagedown")
        assert table.listing.cursor_key == (requests[-1] if rows else None)
        assert table.top == max(0, rows - 34)
        await stage.press("g", "up", "pageup")
        assert table.listing.cursor_key == (requests[0] if rows else None)
        assert table.top == 0

    on_stage(play)


def test_only_rows_in_sight_that_changed_are_drawn() -> None:
    async def play(stage: Stage) -> None:
        cluster, requests = waiting(200)
        cluster.add_executor("te-1", 4)
        table = await pending_page(stage, cluster)
        drawn = table.lines_drawn
        await stage.show([EventsCame(cluster.assign(requests[3], "te-1_0"), 0.0)])  # type: ignore[arg-type]
        assert table.lines_drawn == drawn + 1
        await stage.show([EventsCame(cluster.assign(requests[150], "te-1_1"), 0.0)])  # type: ignore[arg-type]
        assert table.lines_drawn == drawn + 1
        await stage.show()
        assert table.lines_drawn == drawn + 1

    on_stage(play)


def test_ages_tick_once_a_second_on_the_rows_in_sight() -> None:
    async def play(stage: Stage) -> None:
        cluster, _ = waiting(3)
        table = await pending_page(stage, cluster)
        drawn = table.lines_drawn
        await stage.wait(1.0)
        assert table.lines_drawn == drawn + 4, "three rows, and the title with the oldest age"
        assert "1s   1:39" in stage.lines()[5]

    on_stage(play)


def test_deadlines_warn_at_thirty_seconds_and_again_at_ten() -> None:
    async def play(stage: Stage) -> None:
        cluster, _ = waiting(1)
        await pending_page(stage, cluster)
        looks = []
        for seconds in (60.0, 11.0, 20.0, 20.0):
            await stage.wait(seconds)
            line = stage.strips()[5]
            left = next(s for s in line if ":" in s.text or "due" in s.text)
            looks.append((stage.lines()[5][:2], str(left.style.color.name), left.text.strip()))
        assert looks == [
            (" >", "#e0e0e0", looks[0][2]),
            ("!>", "#f0e442", "0:29"),
            ("!>", "#ff7a1a", "0:09"),
            ("!>", "#ff7a1a", "due"),
        ]

    on_stage(play)


def test_an_order_that_a_change_of_cells_asks_for_is_made_once_a_second() -> None:
    async def play(stage: Stage) -> None:
        cluster = ScriptedCluster()
        cluster.elect()
        jobs = [cluster.open_job(name) for name in ("a", "b")]
        await stage.show(whole(cluster))
        await stage.press("5")
        table = stage.app.query_one("#jobs-table", TablePane)
        seen = len(cluster.history)
        cluster.ask(jobs[1])
        await stage.show(since(cluster, seen))
        assert table.listing.keys == jobs, "nothing moves under the finger"
        await stage.wait(1.0)
        assert table.listing.keys == [jobs[1], jobs[0]]

    on_stage(play)


def test_ten_thousand_slots_are_listed_and_only_the_sight_is_drawn() -> None:
    async def play(stage: Stage) -> None:
        await stage.show(whole(large_cluster(625, 16, 10)))
        await stage.press("3")
        table = stage.app.query_one("#slots-table", TablePane)
        assert len(table.listing.keys) == 10_000
        assert table.lines_drawn < 200
        await stage.press("G")
        assert table.listing.cursor_key == "te-0624_15"
        assert "te-0624_15" in stage.text()

    on_stage(play)


def test_events_follow_the_newest_until_a_person_looks_back() -> None:
    async def play(stage: Stage) -> None:
        cluster = ScriptedCluster()
        cluster.elect()
        await stage.show(whole(cluster))
        await stage.press("7")
        table = stage.app.query_one("#events-table", TablePane)
        for number in range(60):
            seen = len(cluster.history)
            cluster.add_executor(f"te-{number}", 0)
            await stage.show(since(cluster, seen))
        assert "te-59 on" in stage.lines()[-2]
        await stage.press("up", "up")
        assert "te-57 on" in next(line for line in stage.lines() if line.startswith(" >"))
        seen = len(cluster.history)
        cluster.add_executor("te-60", 0)
        await stage.show(since(cluster, seen))
        assert "te-60 on" not in stage.text()
        assert not table.listing.following
        await stage.press("end")
        assert table.listing.following
        assert "te-60 on" in stage.lines()[-2]

    on_stage(play)


@pytest.mark.parametrize("table", [SLOTS, PENDING, JOBS, EXECUTORS], ids=lambda t: t.name)
@pytest.mark.parametrize("width", [20, 40, 60, 80, 140, 200])
def test_columns_fill_the_width_and_the_least_worth_goes_first(table: Table, width: int) -> None:
    chosen = columns_for(table, width)
    used = 2 + sum(cells + 1 for _, cells in chosen)
    assert used <= width or len(chosen) == 1
    kept = [column.keep for column, _ in chosen]
    gone = [column.keep for column in table.columns if column not in dict(chosen)]
    assert not gone or max(gone) <= min(kept)
    if len(chosen) > 1 and any(column.grows for column, _ in chosen):
        assert used == width


def test_a_column_that_wishes_for_more_gets_it_before_the_one_that_grows() -> None:
    widths = {column.title: cells for column, cells in columns_for(PENDING, 140)}
    assert (widths["job"], widths["profile"]) == (24, 16)
    assert widths["why it waits"] == 140 - 2 - (8 + 24 + 16 + 6 + 6) - 6


def test_names_with_numbers_stand_in_their_natural_order() -> None:
    names = ["te-10", "te-9", "te-1", "gpu-2", "te-1a", "te", "te-09"]
    assert sorted(names, key=natural) == ["gpu-2", "te", "te-1", "te-1a", "te-9", "te-09", "te-10"]
