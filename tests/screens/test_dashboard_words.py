"""Words and lines that need no screen: durations, counts, the tail, the plain text."""

import subprocess
import sys

import pytest

from protocol.news import NEWS, News, OtherNews
from protocol.resources import UNKNOWN, ResourceProfile
from tests.screens.scripted_cluster import busy_cluster
from tests.screens.stage import whole
from tui.dashboard.link.news import LinkState
from tui.dashboard.store.store import Phase, Store
from tui.dashboard.view import words
from tui.dashboard.view.glyphs import ASCII, UNICODE, choose
from tui.dashboard.view.sentences import _SENTENCES, sentence, type_of
from tui.dashboard.view.text import facts


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.0s"),
        (0.42, "0.4s"),
        (9.96, "10s"),
        (59.4, "59s"),
        (59.6, "1m00s"),
        (291, "4m51s"),
        (3_599.7, "1h00m"),
        (15_120, "4h12m"),
        (273_600, "3d04h"),
    ],
)
def test_a_duration_is_short_and_rounds_over(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "due"), (0, "due"), (9.9, "0:09"), (259, "4:19"), (3_723, "1:02:03")],
)
def test_a_countdown_says_when_it_is_due(seconds: float, text: str) -> None:
    assert words.countdown(seconds) == text


def test_profiles_are_short() -> None:
    assert words.profile(UNKNOWN) == "any"
    assert words.profile(ResourceProfile(0.5, 512)) == "0.5c/512M"
    assert words.profile(ResourceProfile(2.0, 4096, {"gpu": 1})) == "2c/4G/gpu1"
    assert words.profile(ResourceProfile(1.0, 1536)) == "1c/1.5G"


@pytest.mark.parametrize("kind", NEWS.values(), ids=lambda kind: kind.TYPE)
def test_every_kind_of_news_that_is_listed_has_a_sentence(kind: type[News]) -> None:
    assert kind in _SENTENCES or kind.TYPE == "pool_changed"


def test_news_of_an_unknown_kind_is_shown_with_its_fields() -> None:
    news = OtherNews("slot_polished", {"slot_id": "te-1_0", "by": "me"})
    assert type_of(news) == "slot_polished"
    assert sentence(news, "") == "slot_id=te-1_0 by=me"


def test_every_state_and_phase_has_a_glyph_one_cell_wide() -> None:
    for glyphs in (UNICODE, ASCII):
        assert set(glyphs.link) == set(LinkState)
        assert set(glyphs.phase) == set(Phase)
        assert all(len(glyph) == 1 for glyph in (*glyphs.link.values(), *glyphs.phase.values()))
    assert all(glyph.isascii() for glyph in (*ASCII.link.values(), *ASCII.phase.values()))
    assert ASCII.used.isascii()
    assert len(ASCII.used) == len(UNICODE.used)


@pytest.mark.parametrize(
    ("wanted", "encoding", "language", "chosen"),
    [
        (None, "UTF-8", "en_US", UNICODE),
        (None, "utf8", "", UNICODE),
        (None, "ANSI_X3.4-1968", "", ASCII),
        (None, "UTF-8", "ja_JP", ASCII),
        ("unicode", "ascii", "ja_JP", UNICODE),
        ("ascii", "UTF-8", "en_US", ASCII),
    ],
)
def test_glyphs_suit_the_terminal(
    wanted: str | None, encoding: str, language: str, chosen: object
) -> None:
    assert choose(wanted, encoding, language) is chosen


def test_the_plain_text_has_every_entity_in_a_line() -> None:
    cluster = busy_cluster()
    store = Store()
    for news in whole(cluster):
        store.apply(news)
    lines = list(facts(store, 0.0, UNICODE))
    assert lines[0] == "cluster prod-a at 10.0.3.7:6123, seq 391"
    assert lines[1].startswith("leader of resource manager: ")
    assert "epoch 17 at 127.0.0.1:6123 for 17m34s" in lines[1]
    assert lines[5] == (
        "? pending 1 ▒ allocated 2 █ active 42 · free 7 of 52 slots"
        " 4 executors (1 draining) 9 requests 42 commands running"
    )
    for key in (*cluster.state.slots, *cluster.state.executors):
        assert sum(line.split()[:1] == [key] for line in lines) == 1, key
    for allocation_id in cluster.state.requests:
        assert sum(line.split()[:1] == [allocation_id[:8]] for line in lines) == 1


@pytest.mark.parametrize(
    ("module", "left_out"),
    [
        ("tui.dashboard.link.session", ("asyncio", "textual", "rich", "trio")),
        ("tui.dashboard.store.store", ("asyncio", "textual", "rich", "trio")),
        ("tui.dashboard.view.text", ("asyncio", "textual", "rich", "trio")),
        ("tui.dashboard.once", ("textual", "rich", "trio")),
        ("tui.dashboard.app", ("trio", "daemon")),
    ],
)
def test_each_layer_loads_only_what_it_needs(module: str, left_out: tuple[str, ...]) -> None:
    program = f"import sys, {module}; print(*(n for n in {left_out!r} if n in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout.strip(), done.returncode) == ("", 0), done.stderr
