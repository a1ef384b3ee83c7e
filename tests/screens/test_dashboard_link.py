"""The dialler over real sockets: it connects, follows, notices what is wrong and mends itself."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from tests.screens.scripted_cluster import busy_cluster
from tests.screens.scripted_daemon import TOKEN, ScriptedDaemon
from tui.dashboard.link import dialler as dialler_module
from tui.dashboard.link.access import AccessPlace, NoAccess
from tui.dashboard.link.dialler import BACK_OFF_MAX_S, BACK_OFF_MIN_S, Dialler, back_off
from tui.dashboard.link.news import LinkChanged, LinkNews, LinkState
from tui.dashboard.store.store import Store

PATIENCE_S = 20.0


class Follower:
    """A store behind a dialler, and a way to wait for what it shows."""

    def __init__(self, place: AccessPlace) -> None:
        self.store = Store()
        self.states: list[LinkState] = []
        self.dialler = Dialler(place, self._deliver, jitter=lambda: 0.0)
        self._changed = asyncio.Event()

    def _deliver(self, news: Sequence[LinkNews]) -> None:
        for piece in news:
            self.store.apply(piece)
            if isinstance(piece, LinkChanged):
                self.states.append(piece.status.state)
        self._changed.set()

    async def until(self, condition: Callable[[Store], bool]) -> None:
        """Wait until the store is as wanted."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition(self.store):
                self._changed.clear()
                await self._changed.wait()

    async def until_state(self, state: LinkState) -> None:
        await self.until(lambda store: store.status.state is state)


def follow(
    play: Callable[[Follower, ScriptedDaemon], Awaitable[None]],
    state_dir: Path,
    daemon: ScriptedDaemon | None = None,
) -> None:
    """Let a dialler follow a scripted daemon while ``play`` acts."""

    async def run() -> None:
        served = daemon or ScriptedDaemon(busy_cluster())
        async with served.serving():
            served.write_access(state_dir)
            follower = Follower(AccessPlace(state_dir))
            running = asyncio.create_task(follower.dialler.run())
            try:
                await play(follower, served)
                assert not running.done(), "the dialler never ends by itself"
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    asyncio.run(run())


def test_it_takes_a_picture_and_follows_the_events(tmp_path: Path) -> None:
    async def play(follower: Follower, daemon: ScriptedDaemon) -> None:
        await follower.until_state(LinkState.LIVE)
        assert follower.states == [LinkState.CONNECTING, LinkState.SYNCING, *follower.states[2:]]
        assert daemon.asked == ["hello", "events.subscribe", "cluster.snapshot"]
        cluster = daemon.cluster
        for _ in range(50):
            cluster.step()
        await follower.until(lambda store: store.cluster.seq == cluster.state.seq)
        assert follower.store.cluster.snapshot(0) == cluster.state.snapshot(0)
        assert follower.store.status.cluster == "prod-a"

    follow(play, tmp_path)


def test_a_lost_connection_is_told_and_mended_with_a_new_picture(tmp_path: Path) -> None:
    async def play(follower: Follower, daemon: ScriptedDaemon) -> None:
        await follower.until_state(LinkState.LIVE)
        daemon.hang_up()
        await follower.until_state(LinkState.RECONNECTING)
        assert follower.store.status.detail == "the daemon hung up"
        assert follower.store.status.heard_at is not None
        assert follower.store.known, "the old picture stays"
        daemon.cluster.open_job("meanwhile")
        await follower.until_state(LinkState.LIVE)
        assert follower.store.cluster.snapshot(0) == daemon.cluster.state.snapshot(0)

    follow(play, tmp_path)


@pytest.mark.parametrize(("good_after", "attempt"), [(0.0, 1), (1_000.0, 2)])
def test_only_a_picture_that_lived_ends_the_back_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, good_after: float, attempt: int
) -> None:
    monkeypatch.setattr(dialler_module, "GOOD_AFTER_S", good_after)

    async def play(follower: Follower, daemon: ScriptedDaemon) -> None:
        for _ in range(2):
            await follower.until_state(LinkState.LIVE)
            daemon.hang_up()
            await follower.until(lambda store: store.status.retry_at is not None)
        assert follower.store.status.attempt == attempt

    follow(play, tmp_path)


def test_a_daemon_that_moved_is_found_by_its_access_file(tmp_path: Path) -> None:
    async def play(follower: Follower, daemon: ScriptedDaemon) -> None:
        await follower.until_state(LinkState.LIVE)
        moved = ScriptedDaemon(busy_cluster(), token="another")
        async with moved.serving():
            moved.write_access(tmp_path)
            daemon.hang_up()
            await follower.until(
                lambda store: store.status.address == moved.address and store.status.is_current
            )

    follow(play, tmp_path)


def test_a_daemon_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    async def run() -> None:
        follower = Follower(AccessPlace(tmp_path))
        running = asyncio.create_task(follower.dialler.run())
        await follower.until(lambda store: store.status.retry_at is not None)
        status = follower.store.status
        assert status.state is LinkState.CONNECTING
        assert status.detail == f"no {tmp_path}/access.json: is slotd running?"
        daemon = ScriptedDaemon(busy_cluster())
        async with daemon.serving():
            daemon.write_access(tmp_path)
            follower.dialler.retry_now()
            await follower.until_state(LinkState.LIVE)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(run())


def test_a_refused_token_is_not_tried_again_until_the_file_or_the_person_changes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialler_module, "WATCH_S", 0.01)

    async def play(follower: Follower, daemon: ScriptedDaemon) -> None:
        daemon.token = "changed"
        await follower.until_state(LinkState.DENIED)
        assert follower.store.status.detail == "the token is wrong"
        follower.dialler.retry_now()
        await follower.until(lambda _: daemon.asked.count("hello") == 2)
        await follower.until_state(LinkState.DENIED)
        daemon.write_access(tmp_path)
        await follower.until_state(LinkState.LIVE)
        assert daemon.asked.count("hello") == 3

    daemon = ScriptedDaemon(busy_cluster())
    follow(play, tmp_path, daemon)


def test_another_protocol_is_said_and_not_tried_again(tmp_path: Path) -> None:
    async def play(follower: Follower, daemon: ScriptedDaemon) -> None:
        await follower.until_state(LinkState.VERSION)
        status = follower.store.status
        assert status.detail == "the daemon speaks protocol [2], this slottop speaks 1"
        assert status.retry_at is None

    daemon = ScriptedDaemon(busy_cluster())
    daemon.protocols = [2]
    follow(play, tmp_path, daemon)


def test_events_that_are_missing_are_made_good_by_a_new_picture(tmp_path: Path) -> None:
    async def play(follower: Follower, daemon: ScriptedDaemon) -> None:
        await follower.until_state(LinkState.LIVE)
        daemon.skip_events = 3
        for _ in range(10):
            daemon.cluster.open_job("x")
        await follower.until(lambda store: store.cluster.seq == daemon.cluster.state.seq)
        await follower.until_state(LinkState.LIVE)
        assert follower.store.cluster.snapshot(0) == daemon.cluster.state.snapshot(0)
        assert daemon.asked.count("cluster.snapshot") == 2
        daemon.lose_events(1, 2)
        await follower.until_state(LinkState.SYNCING)
        await follower.until_state(LinkState.LIVE)
        assert daemon.asked.count("hello") == 1

    follow(play, tmp_path)


def test_explanations_come_over_the_same_connection(tmp_path: Path) -> None:
    async def play(follower: Follower, daemon: ScriptedDaemon) -> None:
        request = next(iter(daemon.cluster.state.requests.values()))
        assert not follower.dialler.explain(request.job_id, request.allocation_id)
        await follower.until_state(LinkState.LIVE)
        assert follower.dialler.explain(request.job_id, request.allocation_id)
        await follower.until(lambda store: request.allocation_id in store.explanations)
        told = follower.store.explanations[request.allocation_id].explanation
        assert told is not None
        assert told.reason == "no slot is large enough"

    follow(play, tmp_path)


def test_back_off_doubles_to_its_bound_and_is_spread_over_its_upper_half() -> None:
    assert [back_off(attempt, 1.0) for attempt in range(1, 9)] == [
        0.25,
        0.5,
        1.0,
        2.0,
        4.0,
        8.0,
        BACK_OFF_MAX_S,
        BACK_OFF_MAX_S,
    ]
    assert back_off(1, 0.0) == BACK_OFF_MIN_S / 2
    assert back_off(1_000_000, 0.5) == BACK_OFF_MAX_S * 0.75


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{}", "the access file has no address or no token"),
        ("[1]", "is not an access file of slotd"),
        ("not json", "is not an access file of slotd"),
        ('{"address":"nowhere","token":"x"}', "'nowhere' is not host:port"),
        ('{"address":"h:99999","token":"x"}', "'h:99999' is not host:port"),
        ('{"address":"h:1","token":"x","fingerprint":"ab"}', "asks for TLS"),
    ],
)
def test_an_access_file_that_is_of_no_use_is_said_in_words(
    tmp_path: Path, content: str, words: str
) -> None:
    (tmp_path / "access.json").write_text(content)
    with pytest.raises(NoAccess) as refused:
        AccessPlace(tmp_path).read()
    assert words in str(refused.value)


@pytest.mark.parametrize("content", [f"{TOKEN}\n", f'{{"address":"a:1","token":"{TOKEN}"}}'])
def test_a_server_with_a_token_file_needs_no_state_directory(tmp_path: Path, content: str) -> None:
    (tmp_path / "token").write_text(content)
    access = AccessPlace(tmp_path / "none", "[::1]:6123", tmp_path / "token").read()
    assert (access.host, access.port, access.token) == ("::1", 6123, TOKEN)
    assert access.address == "[::1]:6123"
    assert TOKEN not in repr(access)
