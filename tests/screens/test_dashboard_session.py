"""One connection without I/O: what is asked, what is delivered, when a new picture is taken."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.codec import encode_answer, encode_notification
from protocol.messages.client import Subscribed
from protocol.messages.session import Welcome
from protocol.news import Event, JobOpenedNews, OtherNews
from tests.screens.scripted_cluster import ScriptedCluster, busy_cluster
from tests.screens.scripted_daemon import explanation_of
from tui.dashboard.link.ending import Ended
from tui.dashboard.link.news import EventsCame, Explained, LinkNews, LinkState, SnapshotTaken
from tui.dashboard.link.session import (
    HELLO_TIMEOUT_S,
    MISSED_PINGS,
    PING_INTERVAL_S,
    SILENCE_S,
    Session,
)

WELCOME = Welcome(1, "slotd/0.1.0", "d" * 32, "prod-a", ["resource-manager"], 1 << 20, 10.0)


def state_of(session: Session) -> LinkState:
    """The state now; a call, so that the type checker forgets what it was before."""
    return session.state


def asked(session: Session) -> list[tuple[int, str, dict[str, Any]]]:
    """What the session wants to send: ids, methods and params."""
    lines = [json.loads(line) for line in session.data_to_send().splitlines()]
    return [(line["id"], line["method"], line["params"]) for line in lines]


def welcomed(now: float = 0.0, most_held: int = 100) -> Session:
    session = Session("secret", now, most_held)
    session.data_to_send()
    session.receive_data(encode_answer(1, WELCOME), now)
    session.receive_data(encode_answer(2, Subscribed(0)), now)
    session.data_to_send()
    return session


def synced(cluster: ScriptedCluster, now: float = 0.0) -> Session:
    session = welcomed(now)
    session.receive_data(encode_answer(3, cluster.state.snapshot(cluster.at)), now)
    return session


def lines_of(events: list[Event] | tuple[Event, ...]) -> bytes:
    return b"".join(map(encode_notification, events))


def test_hello_then_events_then_a_snapshot_are_asked_for_in_this_order() -> None:
    session = Session("secret", 0.0)
    assert asked(session) == [
        (1, "hello", {"protocol": 1, "client": "slottop/1", "token": "secret"})
    ]
    assert session.receive_data(encode_answer(1, WELCOME), 0.1) == []
    assert asked(session) == [(2, "events.subscribe", {})]
    assert (session.state, session.cluster) == (LinkState.SYNCING, "prod-a")
    assert session.receive_data(encode_answer(2, Subscribed(4)), 0.2) == []
    assert asked(session) == [(3, "cluster.snapshot", {})]


def test_it_is_live_only_with_the_snapshot() -> None:
    cluster = busy_cluster()
    session = welcomed()
    assert state_of(session) is LinkState.SYNCING
    snapshot = cluster.state.snapshot(cluster.at)
    assert session.receive_data(encode_answer(3, snapshot), 7.0) == [SnapshotTaken(snapshot, 7.0)]
    assert session.state is LinkState.LIVE
    assert asked(session) == []


def test_events_that_the_snapshot_contains_are_dropped_and_later_ones_follow_it() -> None:
    cluster = ScriptedCluster()
    session = welcomed()
    early = cluster.elect()
    session.receive_data(lines_of(early), 1.0)
    snapshot = cluster.state.snapshot(cluster.at)
    late = (*cluster.depose(), *cluster.elect(epoch=2))
    session.receive_data(lines_of(late), 2.0)
    news = session.receive_data(encode_answer(3, snapshot), 3.0)
    assert news == [SnapshotTaken(snapshot, 3.0), EventsCame(late, 3.0)]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(1, 4000), min_size=1))
def test_any_split_of_the_stream_delivers_the_same(seed: int, cuts: list[int]) -> None:
    cluster = ScriptedCluster(seed)
    first = cluster.elect()
    stream = encode_answer(1, WELCOME) + encode_answer(2, Subscribed(0)) + lines_of(first)
    stream += encode_answer(3, cluster.state.snapshot(cluster.at))
    for _ in range(10):
        cluster.step()
    later = cluster.history[1:]
    stream += lines_of(later)
    session = Session("secret", 0.0)
    news: list[LinkNews] = []
    while stream:
        size = cuts[len(news) % len(cuts)]
        news += session.receive_data(stream[:size], 1.0)
        stream = stream[size:]
    events = [event for piece in news if isinstance(piece, EventsCame) for event in piece.events]
    assert events == later
    assert session.is_synced


def test_a_gap_in_the_numbers_asks_for_a_new_picture() -> None:
    cluster = ScriptedCluster()
    session = synced(cluster)
    lost, kept = cluster.elect()[0], cluster.depose()[0]
    assert session.receive_data(lines_of([kept]), 1.0) == []
    assert (session.state, session.detail) == (LinkState.SYNCING, f"event {lost.seq} is missing")
    assert asked(session) == [(4, "cluster.snapshot", {})]
    snapshot = cluster.state.snapshot(cluster.at)
    assert session.receive_data(encode_answer(4, snapshot), 2.0) == [SnapshotTaken(snapshot, 2.0)]
    more = cluster.elect(epoch=9)
    assert session.receive_data(lines_of(more), 3.0) == [EventsCame(more, 3.0)]


def test_events_that_the_daemon_dropped_for_us_ask_for_a_new_picture() -> None:
    session = synced(ScriptedCluster())
    line = b'{"method":"events.lost","params":{"from_seq":1,"to_seq":500}}\n'
    session.receive_data(line, 1.0)
    assert session.state is LinkState.SYNCING
    assert asked(session) == [(4, "cluster.snapshot", {})]


def test_an_event_that_comes_twice_counts_once() -> None:
    cluster = ScriptedCluster()
    session = synced(cluster)
    event = cluster.elect()
    assert session.receive_data(lines_of(event + event), 1.0) == [EventsCame(event, 1.0)]


def test_events_held_for_a_snapshot_are_bounded() -> None:
    cluster = ScriptedCluster()
    session = welcomed(most_held=3)
    snapshot = cluster.state.snapshot(cluster.at)
    session.receive_data(lines_of(cluster.elect()) * 4, 1.0)
    assert session.receive_data(encode_answer(3, snapshot), 2.0) == []
    assert asked(session) == [(4, "cluster.snapshot", {})]
    fresh = cluster.state.snapshot(cluster.at)
    assert session.receive_data(encode_answer(4, fresh), 3.0) == [SnapshotTaken(fresh, 3.0)]


def test_news_of_an_unknown_type_keeps_the_numbers_whole() -> None:
    session = synced(ScriptedCluster())
    line = b'{"method":"event","params":{"seq":1,"at":2.0,"type":"slot_polished","who":"x"}}\n'
    assert session.receive_data(line, 1.0) == [
        EventsCame((Event(1, 2.0, OtherNews("slot_polished", {"who": "x"})),), 1.0)
    ]
    assert session.state is LinkState.LIVE


def test_hostile_text_is_escaped_where_it_enters() -> None:
    cluster = ScriptedCluster()
    session = synced(cluster)
    event = Event(1, 2.0, JobOpenedNews("a" * 32, "\x1b]0;x\x07[/red]\u202e", detached=True))  # type: ignore[arg-type]
    (came,) = session.receive_data(lines_of([event]), 1.0)
    assert isinstance(came, EventsCame)
    assert came.events[0].news == JobOpenedNews(
        "a" * 32,  # type: ignore[arg-type]
        "\\x1b]0;x\\x07[/red]\\u202e",
        detached=True,
    )
    cluster.open_job("na\x9bme")
    (taken,) = synced_again(session, cluster)
    assert isinstance(taken, SnapshotTaken)
    assert [job.name for job in taken.snapshot.jobs] == ["na\\x9bme"]


def synced_again(session: Session, cluster: ScriptedCluster) -> list[LinkNews]:
    session.resync("a test wants it")
    ((key, _, _),) = asked(session)
    return session.receive_data(encode_answer(key, cluster.state.snapshot(cluster.at)), 5.0)


def test_an_explanation_is_delivered_with_the_request_it_is_about() -> None:
    cluster = ScriptedCluster()
    cluster.elect()
    job_id = cluster.open_job("etl")
    allocation_id = cluster.ask(job_id)
    session = synced(cluster)
    assert session.explain(job_id, allocation_id)
    assert asked(session) == [(4, "slot.explain", {"job_id": job_id, "request_id": allocation_id})]
    explanation = explanation_of(cluster, allocation_id)
    assert session.receive_data(encode_answer(4, explanation), 3.0) == [
        Explained(allocation_id, explanation, "", 3.0)
    ]
    session.explain(job_id, allocation_id)
    refusal = b'{"id":5,"error":{"code":4003,"message":"no such\\u001b request","data":{}}}\n'
    assert session.receive_data(refusal, 4.0) == [
        Explained(allocation_id, None, "no such\\x1b request", 4.0)
    ]
    assert session.state is LinkState.LIVE


def test_nothing_is_explained_before_there_is_a_picture() -> None:
    cluster = busy_cluster()
    request = next(iter(cluster.state.requests.values()))
    assert not welcomed().explain(request.job_id, request.allocation_id)


def test_silence_is_pinged_then_stale_and_a_sign_of_life_mends_it() -> None:
    session = synced(ScriptedCluster(), now=0.0)
    for second in range(1, MISSED_PINGS + 1):
        session.tick(second * PING_INTERVAL_S)
        assert session.state is LinkState.LIVE
        assert [method for _, method, _ in asked(session)] == ["ping"]
    session.tick((MISSED_PINGS + 1) * PING_INTERVAL_S)
    assert state_of(session) is LinkState.STALE
    session.receive_data(b'{"id":4,"result":{}}\n', 6.0)
    assert session.state is LinkState.LIVE


def test_a_stream_that_speaks_is_not_pinged() -> None:
    cluster = ScriptedCluster()
    session = synced(cluster)
    session.receive_data(lines_of(cluster.elect()), 0.9)
    session.tick(1.0)
    assert asked(session) == []


def test_a_long_silence_and_a_hello_without_answer_end_the_session() -> None:
    session = synced(ScriptedCluster())
    with pytest.raises(Ended, match="silent for 15s") as silent:
        session.tick(SILENCE_S)
    assert silent.value.state is LinkState.RECONNECTING
    with pytest.raises(Ended, match="no answer to hello"):
        Session("secret", 0.0).tick(HELLO_TIMEOUT_S)


@pytest.mark.parametrize(
    ("line", "state", "words"),
    [
        (
            b'{"id":1,"error":{"code":1001,"message":"the token is wrong","data":{}}}',
            LinkState.DENIED,
            "the token is wrong",
        ),
        (
            b'{"id":1,"error":{"code":1002,"message":"no","data":{"supported":[2,3]}}}',
            LinkState.VERSION,
            r"the daemon speaks protocol \[2, 3\], this slottop speaks 1",
        ),
        (
            b'{"id":1,"error":{"code":1004,"message":"too many connections","data":{}}}',
            LinkState.RECONNECTING,
            "too many connections",
        ),
        (b"no json", LinkState.RECONNECTING, "a line that is no message"),
        (b'{"id":1,"result":{"protocol":1}}', LinkState.RECONNECTING, "result.server is missing"),
    ],
)
def test_a_refusal_says_what_it_means_for_the_link(
    line: bytes, state: LinkState, words: str
) -> None:
    session = Session("secret", 0.0)
    with pytest.raises(Ended, match=words) as ended:
        session.receive_data(line + b"\n", 1.0)
    assert ended.value.state is state


def test_the_end_of_the_stream_ends_the_session() -> None:
    with pytest.raises(Ended, match="hung up"):
        synced(ScriptedCluster()).receive_data(b"", 1.0)


def test_the_daemons_own_requests_are_answered() -> None:
    session = synced(ScriptedCluster())
    session.receive_data(b'{"id":"a","method":"ping"}\n{"id":"b","method":"job.open"}\n', 1.0)
    answers = [json.loads(line) for line in session.data_to_send().splitlines()]
    assert answers[0] == {"jsonrpc": "2.0", "id": "a", "result": {}}
    assert answers[1]["error"]["code"] == -32601


def test_an_answer_that_nobody_waits_for_changes_nothing() -> None:
    session = synced(ScriptedCluster())
    assert session.receive_data(b'{"id":99,"result":{"seq":7}}\n', 1.0) == []
    assert session.state is LinkState.LIVE
