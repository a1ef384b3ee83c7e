"""Puts the app on a stage: a clock that stands still, news from a script, the picture as text."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import attrs
from textual import events
from textual.drivers.headless_driver import HeadlessDriver
from textual.geometry import Size
from textual.keys import _character_to_key
from textual.pilot import Pilot

from protocol.cluster_state import ClusterState
from protocol.ids import AllocationId, JobId
from tests.screens.scripted_cluster import ScriptedCluster
from tests.screens.scripted_daemon import explanation_of
from tui.dashboard.app import SlotTop
from tui.dashboard.link.news import (
    EventsCame,
    Explained,
    LinkChanged,
    LinkNews,
    LinkState,
    LinkStatus,
    SnapshotTaken,
)
from tui.dashboard.view.glyphs import UNICODE, Glyphs

LIVE = LinkStatus(LinkState.LIVE, "10.0.3.7:6123", "prod-a", heard_at=0.0)
SIZES = [(80, 24), (140, 40)]
SETTLED_AFTER = 4
"""A message may cause a message; deeper than this nothing goes."""
CHARACTERS = {"slash": "/", "question_mark": "?"}


@attrs.define
class Clock:
    """Monotonic seconds that pass when told."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@attrs.define
class RecordingLink:
    """A link that nothing comes from; it notes what it is asked."""

    asked: list[tuple[str, str]] = attrs.field(factory=list)

    async def run(self) -> None:
        await asyncio.Event().wait()

    def explain(self, job_id: JobId, allocation_id: AllocationId) -> bool:
        self.asked.append(("explain", allocation_id))
        return True

    def resync(self, why: str) -> None:
        self.asked.append(("resync", why))

    def retry_now(self) -> None:
        self.asked.append(("retry", ""))


@attrs.define
class Stage:
    """The running app with its pilot and its clock."""

    app: SlotTop
    pilot: Pilot[None]
    clock: Clock
    link: RecordingLink

    async def settle(self) -> None:
        """Let every widget take its messages; nothing here looks at a clock."""
        for _ in range(SETTLED_AFTER):
            await self.pilot._wait_for_screen()
            self.app.screen._on_timer_update()

    async def show(self, news: Sequence[LinkNews] = ()) -> None:
        """Let news in and draw."""
        if news:
            self.app.ingest(news)
        self.app.flush()
        await self.settle()

    async def wait(self, seconds: float) -> None:
        """Let time pass, with a tick at its end."""
        self.clock.now += seconds
        self.app.tick()
        await self.settle()

    async def press(self, *keys: str) -> None:
        """Press keys, by name or as characters, and draw after each."""
        for key in keys:
            character = key if len(key) == 1 else CHARACTERS.get(key)
            name = _character_to_key(key) if len(key) == 1 else key
            self.app.post_message(events.Key(name, character))
            await self.settle()

    async def resize(self, width: int, height: int) -> None:
        """Another size of the terminal."""
        size = Size(width, height)
        driver = self.app._driver
        assert isinstance(driver, HeadlessDriver)
        driver._size = size
        self.app.post_message(events.Resize(size, size))
        for _ in range(2 * SETTLED_AFTER):
            await self.settle()
        assert self.app.screen.size == size

    def lines(self) -> list[str]:
        """The picture as text, one string a row."""
        return [strip.text.rstrip() for strip in self.app.screen._compositor.render_strips()]

    def text(self) -> str:
        """The picture as one text."""
        return "\n".join(self.lines())

    def strips(self) -> list[Any]:
        """The picture with its styles."""
        return [list(strip) for strip in self.app.screen._compositor.render_strips()]

    async def redraw(self) -> None:
        """Forget every drawn line of every pane, and draw them all."""
        for pane in self.app.page.panes():
            pane.notify_style_update()
            pane.refresh()
        await self.settle()


def on_stage(
    play: Callable[[Stage], Awaitable[None]],
    size: tuple[int, int] = (140, 40),
    glyphs: Glyphs = UNICODE,
) -> None:
    """Run the app without a terminal and let ``play`` act; a crash of the app is raised."""

    async def run() -> None:
        clock, link = Clock(), RecordingLink()
        app = SlotTop(lambda _: link, glyphs=glyphs, fps=1000, clock=clock, ticking=False)
        async with app.run_test(size=size) as pilot:
            stage = Stage(app, pilot, clock, link)
            await stage.settle()
            await play(stage)

    asyncio.run(run())


def whole(cluster: ScriptedCluster, now: float = 0.0) -> list[LinkNews]:
    """The cluster as it is: a snapshot, and that the link is live."""
    return [SnapshotTaken(cluster.state.snapshot(cluster.at), now), LinkChanged(LIVE)]


def with_tail(cluster: ScriptedCluster, last: int = 14, now: float = 0.0) -> list[LinkNews]:
    """The same picture, but the last events came one by one; and why each request waits."""
    earlier = ClusterState()
    for event in cluster.history[:-last]:
        earlier.apply(event)
    news: list[LinkNews] = [SnapshotTaken(earlier.snapshot(cluster.at), now), LinkChanged(LIVE)]
    news.append(EventsCame(tuple(cluster.history[-last:]), now))
    for allocation_id in cluster.state.requests:
        news.append(Explained(allocation_id, explanation_of(cluster, allocation_id), "", now))
    return news
