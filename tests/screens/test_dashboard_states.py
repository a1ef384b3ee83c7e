"""What the screen says in each state of the link: words, no made-up zeros, old data greyed."""

import attrs
import pytest
from rich.style import Style

from tests.screens.scripted_cluster import ScriptedCluster, busy_cluster
from tests.screens.stage import LIVE, Stage, on_stage, whole, with_tail
from tui.dashboard.link.news import EventsCame, LinkChanged, LinkState, LinkStatus
from tui.dashboard.view.phrase import Role
from tui.dashboard.widgets.palette import style_of

ADDRESS = "127.0.0.1:6123"


def troubled(state: LinkState, detail: str, **more: object) -> LinkChanged:
    return LinkChanged(LinkStatus(state, ADDRESS, "prod-a", detail, **more))  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(80, 24), (140, 40)])
@pytest.mark.parametrize(
    ("news", "words"),
    [
        (troubled(LinkState.CONNECTING, "refused", retry_at=2.0), "CONNECTING in 2s  refused"),
        (troubled(LinkState.CONNECTING, "no /x: is slotd running?"), "no /x: is slotd running?"),
        (troubled(LinkState.SYNCING, "saying hello"), "SYNCING  saying hello"),
        (
            troubled(LinkState.DENIED, "the token is wrong"),
            "DENIED  R tries again  the token is wrong",
        ),
        (troubled(LinkState.VERSION, "the daemon speaks 2"), "VERSION  the daemon speaks 2"),
    ],
)
def test_before_the_first_picture_words_say_how_it_is_and_nothing_is_zero(
    news: LinkChanged, words: str, size: tuple[int, int]
) -> None:
    async def play(stage: Stage) -> None:
        await stage.show([news])
        lines = stage.lines()
        assert words in lines[0]
        assert lines[1].split() == ["RM", "-", "JM", "-"]
        assert "nothing is known yet" in lines[2]
        assert "0" not in "".join(lines[1:-1])
        assert "Nothing is known yet." in stage.text()

    on_stage(play, size)


def test_live_is_said_with_the_picture_and_not_before() -> None:
    async def play(stage: Stage) -> None:
        await stage.show([troubled(LinkState.SYNCING, "taking a first picture")])
        assert "LIVE" not in stage.text()
        await stage.show(whole(busy_cluster()))
        assert "LIVE  prod-a  10.0.3.7:6123  seq 391" in stage.lines()[0]
        assert "epoch 17" in stage.lines()[1]

    on_stage(play)


@pytest.mark.parametrize(
    ("state", "detail", "words"),
    [
        (LinkState.STALE, "the daemon is silent", "STALE  data is 5s old  the daemon is silent"),
        (LinkState.RECONNECTING, "hung up", "RECONNECTING in 2s (try 3)  data is 5s old  hung up"),
        (LinkState.SYNCING, "event 7 is missing", "SYNCING  data is 5s old  event 7 is missing"),
        (LinkState.DENIED, "token gone", "DENIED  R tries again  data is 5s old  token gone"),
    ],
)
def test_a_lost_link_keeps_the_picture_grey_with_its_age_in_words(
    state: LinkState, detail: str, words: str
) -> None:
    async def play(stage: Stage) -> None:
        await stage.show(whole(busy_cluster()))
        before = stage.lines()
        retry = 7.0 if state is LinkState.RECONNECTING else None
        attempt = 3 if state is LinkState.RECONNECTING else 1
        await stage.show([troubled(state, detail, heard_at=0.0, retry_at=retry, attempt=attempt)])
        await stage.wait(5.0)
        assert words in stage.lines()[0]
        assert stage.lines()[1:] == before[1:], "ages stand still, nothing disappears"
        grey = style_of(Role.PLAIN, old=True).color
        for row in (*stage.strips()[1:3], *stage.strips()[5:20]):
            styles = [segment.style or Style() for segment in row if segment.text.strip(" ─>")]
            assert all(_is_grey(style, grey) for style in styles), row

    on_stage(play)


def _is_grey(style: Style, grey: object) -> bool:
    return style.color == grey or _is_title(style)


def _is_title(style: Style) -> bool:
    titles = {style_of(role, old=False).color for role in (Role.TITLE, Role.DIM)}
    white = style.color is not None and style.color.name == "#ffffff"
    return style.color in titles or white


def test_the_countdown_falls_and_the_age_of_the_data_grows() -> None:
    async def play(stage: Stage) -> None:
        await stage.show(whole(busy_cluster()))
        lost = troubled(LinkState.RECONNECTING, "refused", heard_at=0.0, retry_at=9.0, attempt=4)
        await stage.show([lost])
        await stage.wait(3.0)
        assert "RECONNECTING in 6s (try 4)  data is 3s old" in stage.lines()[0]
        await stage.wait(62.0)
        assert "RECONNECTING in 0s (try 4)  data is 1m05s old" in stage.lines()[0]

    on_stage(play)


def test_a_mended_link_shows_the_new_picture_in_colour() -> None:
    async def play(stage: Stage) -> None:
        cluster = busy_cluster()
        await stage.show(whole(cluster))
        await stage.show([troubled(LinkState.RECONNECTING, "refused", heard_at=0.0)])
        cluster.lose_executor("te-1")
        await stage.show(whole(cluster))
        assert "LIVE" in stage.lines()[0]
        assert "te-1 " not in stage.text()
        colours = {s.style.color for row in stage.strips() for s in row if s.style is not None}
        assert style_of(Role.ACTIVE, old=False).color in colours

    on_stage(play)


def test_a_cluster_without_anything_says_so_in_each_place() -> None:
    async def play(stage: Stage) -> None:
        await stage.show(whole(ScriptedCluster()))
        text = stage.text()
        assert "RM ! no leader   JM no job" in text
        assert "free 0  of 0 slots   0 executors   0 requests" in text
        for words in (
            "No executor has registered. Start one: slotd --roles task-executor",
            "No slot is registered.",
            "Nothing waits for a slot.",
            "No job is open.",
            "No event since this picture was taken.",
        ):
            assert words in text

    on_stage(play)


def test_a_lost_leader_and_its_new_term_are_pointed_out() -> None:
    async def play(stage: Stage) -> None:
        cluster = ScriptedCluster()
        cluster.elect(epoch=16)
        await stage.show(whole(cluster))
        await stage.show([EventsCame(cluster.depose(), 0.0)])
        await stage.wait(4.0)
        assert "RM ! no leader for 4s (epoch 16 ended)" in stage.lines()[1]
        cluster.at += 5
        await stage.show([EventsCame(cluster.elect(epoch=17), 5.0)])
        assert "epoch 17 for 0s, was epoch 16" in stage.lines()[1]
        await stage.wait(11.0)
        assert "epoch 17 for 10s" in stage.lines()[1]
        assert "was epoch" not in stage.lines()[1]

    on_stage(play)


def test_a_paused_picture_stands_still_and_says_what_it_misses() -> None:
    async def play(stage: Stage) -> None:
        cluster = busy_cluster()
        await stage.show(with_tail(cluster))
        await stage.wait(1.0)
        before = stage.lines()
        await stage.press("p")
        seen = len(cluster.history)
        cluster.lose_executor("te-1")
        cluster.open_job("brand-new")
        await stage.show([EventsCame(tuple(cluster.history[seen:]), 2.0)])
        await stage.wait(30.0)
        assert "PAUSED" in stage.lines()[0]
        assert "19 changes behind" in stage.lines()[0]
        assert stage.lines()[1:] == before[1:]
        await stage.press("down", "j", "tab", "tab")
        assert "brand-new" not in stage.text(), "moving about shows the standing picture too"
        await stage.press("p")
        await stage.show()
        assert "PAUSED" not in stage.text()
        assert "brand-new" in stage.text()
        assert stage.app.store.cluster.snapshot(0) == cluster.state.snapshot(0)

    on_stage(play)


def test_a_link_that_is_lost_during_a_pause_is_said_too() -> None:
    async def play(stage: Stage) -> None:
        await stage.show(whole(busy_cluster()))
        await stage.press("p")
        await stage.show([LinkChanged(attrs.evolve(LIVE, state=LinkState.STALE))])
        assert "STALE  " in stage.lines()[0]
        assert "PAUSED" in stage.lines()[0]

    on_stage(play)
