"""The whole app: sizes, keys, panes, hostile names, filters and explanations."""

import re

import pytest
from textual import events

from protocol.ids import RequestId
from protocol.messages.client import Explanation
from tests.screens.scripted_cluster import SMALL, ScriptedCluster, busy_cluster
from tests.screens.stage import Stage, on_stage, whole, with_tail
from tui.dashboard.keys import PAGES
from tui.dashboard.link.news import EventsCame, Explained
from tui.dashboard.view.glyphs import ASCII
from tui.dashboard.widgets.filter_line import FilterLine
from tui.dashboard.widgets.pane import Pane
from tui.dashboard.widgets.table import TablePane

HOSTILE = [
    "\\x1b]0;owned\\x07",
    "[/red][bold]",
    "漢字漢字漢字漢字漢字漢字漢字",
    "x" * 200,
    "\\u202e",
]
"""As the link delivers them: cleaned, but still markup, wide or long."""


@pytest.mark.parametrize("size", [(80, 24), (140, 40), (60, 15), (200, 60)])
def test_every_page_fits_every_size(size: tuple[int, int]) -> None:
    async def play(stage: Stage) -> None:
        await stage.show(with_tail(busy_cluster()))
        for number in range(len(PAGES)):
            await stage.press(str(number + 1))
            screen = stage.app.screen
            panes = list(stage.app.page.panes())
            assert panes
            for pane in panes:
                assert screen.region.contains_region(pane.region), pane
                assert pane.size.width > 0, pane
                assert pane.size.height > pane.head, pane
            assert not any(widget.show_horizontal_scrollbar for widget in screen.query("*"))
            assert stage.lines()[-1].startswith(" 1-7 pages  / filter  e explain")
            assert "q quit" in stage.lines()[-1]

    on_stage(play, size)


def test_80x24_shows_map_waiting_and_events() -> None:
    async def play(stage: Stage) -> None:
        await stage.show(with_tail(busy_cluster()))
        lines = stage.lines()
        assert len(lines) == 24
        assert lines[3].startswith("── slots ───")
        assert "gpu-1_0 active by fraud-features for 1m54s" in lines[3]
        assert lines[5].startswith(" te-1  ██ ██ ██")
        assert sum("no slot is large enough" in line for line in lines) == 2
        assert "4d82feac of fraud-features is to get gpu-1_3" in lines[22]
        shown = [pane.id for pane in stage.app.page.panes() if pane.size.height]
        assert shown == ["overview-map", "overview-pending", "overview-events"]

    on_stage(play, (80, 24))


def test_140x40_shows_every_pane() -> None:
    async def play(stage: Stage) -> None:
        await stage.show(with_tail(busy_cluster()))
        text = stage.text()
        for words in ("slots 52", "pending requests 9", "jobs 3", "executors 4", "events 7"):
            assert words in text
        assert "★ nightly-etl e1" in stage.lines()[1]

    on_stage(play, (140, 40))


def test_too_small_says_a_word_and_comes_back() -> None:
    async def play(stage: Stage) -> None:
        await stage.show(with_tail(busy_cluster()))
        before = stage.lines()
        await stage.resize(40, 10)
        assert stage.lines()[0] == "60x15 needed, have 40x10"
        assert not any(line.strip() for line in stage.lines()[1:])
        await stage.resize(200, 60)
        await stage.resize(140, 40)
        assert stage.lines() == before

    on_stage(play)


def test_hostile_names_are_shown_as_they_are_on_every_page() -> None:
    async def play(stage: Stage) -> None:
        cluster = busy_cluster()
        explained: list[Explained] = []
        for hostile in HOSTILE:
            allocation_id = cluster.ask(cluster.open_job(hostile), SMALL, timeout=5)
            explanation = Explanation(RequestId(allocation_id), "PENDING", hostile, SMALL, 1.0)
            explained.append(Explained(allocation_id, explanation, "", 0.0))
        cluster.depose(next(c for c in cluster.state.leaders if "/" in c))
        await stage.show([*with_tail(cluster, last=40), *explained])
        for number, name in enumerate(PAGES, start=1):
            await stage.press(str(number))
            assert_harmless(stage)
            if name in ("pending", "jobs", "events"):
                assert "[/red][bold]" in stage.text(), name
            await stage.press("e")
            assert_harmless(stage)
            if name == "pending":
                assert "PENDING  \\x1b]0;owned\\x07" in stage.text()
            await stage.press("escape")
            if name != "map":
                await stage.press("slash", *"[/r", "enter")
                assert "filter: [/r" in stage.text()

    on_stage(play)


def assert_harmless(stage: Stage) -> None:
    for line in stage.lines():
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e]", line)


def test_wide_names_keep_the_columns_in_line() -> None:
    async def play(stage: Stage) -> None:
        cluster = ScriptedCluster()
        cluster.elect()
        for name in ("plain", "漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字", ""):
            cluster.ask(cluster.open_job(name))
        await stage.show(whole(cluster))
        await stage.press("4")
        columns = [_column_of(line, "5:00") for line in stage.lines() if "5:00" in line]
        assert len(columns) == 3
        assert len(set(columns)) == 1

    on_stage(play)


def _column_of(line: str, word: str) -> int:
    before = line[: line.index(word)]
    return sum(2 if character >= "\u1100" and character != "…" else 1 for character in before)


def test_ascii_glyphs_leave_nothing_but_ascii_on_the_screen() -> None:
    async def play(stage: Stage) -> None:
        await stage.show(with_tail(busy_cluster()))
        for key in "1234567":
            await stage.press(key)
            assert stage.text().isascii(), [line for line in stage.lines() if not line.isascii()]
        await stage.press("1")
        assert "## ## ##" in stage.text()
        assert "oo oo" in stage.text()
        await stage.press("4", "e")
        assert stage.text().isascii()

    on_stage(play, glyphs=ASCII)


def test_tab_goes_through_the_panes_and_back() -> None:
    async def play(stage: Stage) -> None:
        await stage.show(with_tail(busy_cluster()))
        seen = []
        for _ in range(6):
            seen.append(stage.app.focused.id if stage.app.focused else None)
            await stage.press("tab")
        assert seen == [pane.id for pane in stage.app.page.panes()]
        assert stage.app.focused is not None
        assert stage.app.focused.id == seen[0]
        await stage.press("shift+tab")
        assert stage.app.focused.id == seen[-1]

    on_stage(play)


@pytest.mark.parametrize(
    ("page", "key"), [*((page, "q") for page in "1234567"), ("1", "ctrl+c"), ("3", "ctrl+q")]
)
def test_leaving_works_on_every_page(page: str, key: str) -> None:
    async def play(stage: Stage) -> None:
        await stage.press(page, key)
        assert not stage.app.is_running
        assert (stage.app.return_code or 0) == 0

    on_stage(play, (80, 24))


def test_q_types_into_the_filter_and_leaves_nothing() -> None:
    async def play(stage: Stage) -> None:
        await stage.show(whole(busy_cluster()))
        await stage.press("4", "slash", "q", "p", "1")
        assert stage.app.is_running
        assert stage.app.page_name == "pending"
        assert stage.app.query_one(FilterLine).value == "qp1"
        assert '0 of 9 match "qp1": escape shows all' in stage.text()

    on_stage(play)


def test_a_filter_stays_through_changes_pages_and_new_pictures() -> None:
    async def play(stage: Stage) -> None:
        cluster = busy_cluster()
        await stage.show(whole(cluster))
        await stage.press("4", "slash", *"LEDG", "enter")
        assert "pending requests 2 of 9" in stage.text()
        assert "filter: LEDG" in stage.text()
        assert "nightly" not in "\n".join(stage.lines()[3:])
        await stage.press("1", "4")
        assert "pending requests 2 of 9" in stage.text()
        ledger = next(job for job in cluster.state.jobs.values() if job.name == "ledger")
        cluster.ask(ledger.job_id)
        await stage.show(whole(cluster))
        assert "pending requests 3 of 10" in stage.text()
        await stage.press("escape")
        assert "pending requests 10" in stage.text()

    on_stage(play)


def test_the_reasons_of_rows_in_sight_are_asked_for_two_a_second() -> None:
    async def play(stage: Stage) -> None:
        cluster = busy_cluster()
        await stage.show(whole(cluster))
        await stage.press("4")
        waiting = _pane(stage, "pending-table").listing.keys[:8]
        for second in range(1, 5):
            await stage.wait(1.0)
            assert stage.link.asked == [("explain", key) for key in waiting[: 2 * second]]
        await stage.wait(1.0)
        assert len(stage.link.asked) == 8, "one is assigned already; the others are fresh"
        await stage.wait(10.0)
        assert stage.link.asked[8:] == [("explain", key) for key in waiting[:2]]

    on_stage(play)


def test_nothing_is_asked_while_the_picture_is_old_or_stands_still() -> None:
    async def play(stage: Stage) -> None:
        await stage.wait(1.0)
        await stage.show(whole(busy_cluster()))
        await stage.press("4", "p")
        await stage.wait(1.0)
        assert stage.link.asked == []

    on_stage(play)


def test_e_explains_the_request_under_the_cursor_and_follows_it() -> None:
    async def play(stage: Stage) -> None:
        cluster = busy_cluster()
        await stage.show(with_tail(cluster))
        await stage.press("4", "down", "e")
        row = _pane(stage, "pending-table").cursor_row
        assert stage.link.asked[:1] == [("explain", row.allocation_id)]
        text = stage.text()
        assert f"request {row.allocation_id}" in text
        assert "PENDING  no slot is large enough" in text
        assert "nearest: te-1: 7 cpu" in text
        assert "1c/512M: 48 slots" in text
        await stage.wait(3.0)
        assert "answer of 3s ago" in stage.text()
        assert stage.link.asked[2:3] == [("explain", row.allocation_id)], "kept fresh while read"
        await stage.show([EventsCame(cluster.fail(row.allocation_id), 3.0)])
        assert "It no longer waits" in stage.text()
        await stage.press("escape")
        assert stage.app.screen is stage.app.screen_stack[0]

    on_stage(play)


def test_a_page_can_be_used_by_the_next_key() -> None:
    async def play(stage: Stage) -> None:
        cluster = busy_cluster()
        await stage.show(whole(cluster))
        for key in "4e":
            stage.app.post_message(events.Key(key, key))
        await stage.settle()
        await stage.settle()
        first = min(cluster.state.requests.values(), key=lambda request: request.deadline)
        assert f"request {first.allocation_id}" in stage.text()
        await stage.press("escape")
        assert stage.app.focused is _pane(stage, "pending-table")

    on_stage(play)


def test_e_without_a_request_says_what_to_do() -> None:
    async def play(stage: Stage) -> None:
        await stage.show(whole(ScriptedCluster()))
        await stage.press("e")
        assert "No pending request is selected here; page 4 lists them." in stage.text()
        assert stage.link.asked == []

    on_stage(play)


def test_help_lists_every_key_that_works() -> None:
    async def play(stage: Stage) -> None:
        await stage.show(whole(busy_cluster()))
        wanted = {
            active.binding.tooltip or active.binding.description
            for active in stage.app.screen.active_bindings.values()
            if not active.binding.system
        }
        await stage.press("question_mark")
        text = stage.text()
        assert wanted
        assert [words for words in wanted if words not in text] == []

    on_stage(play, (140, 60))


def test_reconnecting_now_is_one_key() -> None:
    async def play(stage: Stage) -> None:
        await stage.press("R")
        assert stage.link.asked == [("retry", "")]

    on_stage(play)


def test_a_page_that_is_not_shown_does_no_work_and_is_right_when_it_comes_back() -> None:
    async def play(stage: Stage) -> None:
        cluster = busy_cluster()
        await stage.show(whole(cluster))
        await stage.press("5", "4")
        jobs = stage.app.query_one("#jobs-table", TablePane)
        drawn = jobs.lines_drawn
        seen = len(cluster.history)
        cluster.open_job("brand-new")
        await stage.show([EventsCame(tuple(cluster.history[seen:]), 1.0)])
        assert jobs.lines_drawn == drawn
        await stage.press("5")
        assert "brand-new" in stage.text()

    on_stage(play)


def test_nothing_arrives_and_nothing_is_drawn() -> None:
    async def play(stage: Stage) -> None:
        await stage.show(whole(busy_cluster()))
        flushes = stage.app.flushes
        drawn = [pane.lines_drawn for pane in stage.app.screen.query(Pane)]
        for _ in range(5):
            await stage.settle()
        assert stage.app.flushes == flushes
        assert [pane.lines_drawn for pane in stage.app.screen.query(Pane)] == drawn

    on_stage(play)


@pytest.mark.parametrize("seed", range(2))
def test_the_picture_after_many_changes_is_the_picture_drawn_anew(seed: int) -> None:
    async def play(stage: Stage) -> None:
        cluster = ScriptedCluster(seed)
        cluster.elect()
        for _ in range(40):
            cluster.step()
        await stage.show(whole(cluster))
        await stage.press(cluster.rng.choice("1234567"))
        for _ in range(15):
            seen = len(cluster.history)
            cluster.at += 1
            for _ in range(cluster.rng.randrange(6)):
                cluster.step()
            await stage.show([EventsCame(tuple(cluster.history[seen:]), stage.clock.now + 1)])
            await stage.press(cluster.rng.choice(["down", "up", "tab", "s", "S", "end", "G"]))
            await stage.wait(1.0)
            drawn = stage.strips()
            await stage.redraw()
            assert stage.strips() == drawn

    on_stage(play, (120, 36))


def _pane(stage: Stage, name: str) -> TablePane:
    return stage.app.query_one(f"#{name}", TablePane)
