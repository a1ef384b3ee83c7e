"""The store: whatever happens, following events shows what a fresh snapshot would show."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.cluster_state import ClusterState
from protocol.ids import RESOURCE_MANAGER, JobId, job_master
from tests.screens.scripted_cluster import START, ScriptedCluster, busy_cluster, slots_of
from tests.screens.stage import LIVE, whole
from tui.dashboard.link.news import (
    EventsCame,
    Explained,
    LinkChanged,
    LinkState,
    LinkStatus,
    SnapshotTaken,
)
from tui.dashboard.store.backlog import MOST_EVENTS, Backlog
from tui.dashboard.store.changes import Kind
from tui.dashboard.store.store import EVENTS_KEPT, Phase, Store, Term


def following(cluster: ScriptedCluster) -> Store:
    store = Store()
    for news in whole(cluster):
        store.apply(news)
    store.take_changes()
    return store


def loaded(cluster: ScriptedCluster) -> Store:
    store = Store()
    store.apply(SnapshotTaken(cluster.state.snapshot(cluster.at), 0.0))
    return store


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**9), before=st.integers(0, 40), batches=st.lists(st.integers(1, 20)))
def test_events_lead_to_what_a_fresh_snapshot_shows(
    seed: int, before: int, batches: list[int]
) -> None:
    cluster = ScriptedCluster(seed)
    cluster.elect()
    for _ in range(before):
        cluster.step()
    store = following(cluster)
    for batch in batches:
        seen = len(cluster.history)
        for _ in range(batch):
            cluster.at += 1
            cluster.step()
        store.apply(EventsCame(tuple(cluster.history[seen:]), cluster.at - START))
        fresh = loaded(cluster)
        assert store.cluster.snapshot(0) == fresh.cluster.snapshot(0)
        assert store.counts == fresh.counts
        assert store.tasks_in == fresh.tasks_in


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**9), steps=st.integers(1, 60))
def test_every_key_whose_view_differs_is_among_the_changes(seed: int, steps: int) -> None:
    cluster = ScriptedCluster(seed)
    cluster.elect()
    for _ in range(30):
        cluster.step()
    store = following(cluster)
    old = ClusterState.of(store.cluster.snapshot(0))
    seen = len(cluster.history)
    for _ in range(steps):
        cluster.step()
    store.apply(EventsCame(tuple(cluster.history[seen:]), 1.0))
    changes = store.take_changes()
    pairs: list[tuple[Kind, dict[Any, Any], dict[Any, Any]]] = [
        (Kind.SLOTS, old.slots, store.cluster.slots),
        (Kind.REQUESTS, old.requests, store.cluster.requests),
        (Kind.JOBS, old.jobs, store.cluster.jobs),
        (Kind.EXECUTORS, old.executors, store.cluster.executors),
        (Kind.LEADERS, old.leaders, store.cluster.leaders),
    ]
    for kind, before, after in pairs:
        keys = before.keys() | after.keys()
        differing = {key for key in keys if before.get(key) != after.get(key)}
        assert differing <= changes.touched[kind], kind
        if before.keys() != after.keys():
            assert kind in changes.membership


def test_a_slot_is_active_while_a_command_runs_in_it() -> None:
    cluster = ScriptedCluster()
    cluster.add_executor("te-1", 3)
    job_id = cluster.open_job("etl")
    cluster.give(job_id, slots_of(cluster, "te-1")[0], task=False)
    store = following(cluster)
    assert store.counts == {
        Phase.PENDING: 0,
        Phase.ALLOCATED: 1,
        Phase.ACTIVE: 0,
        Phase.FREE: 2,
    }
    seen = len(cluster.history)
    task_id = cluster.start_task(slots_of(cluster, "te-1")[0])
    second = cluster.start_task(slots_of(cluster, "te-1")[0])
    cluster.finish_task(task_id)
    store.apply(EventsCame(tuple(cluster.history[seen:]), 1.0))
    assert store.counts[Phase.ACTIVE] == 1
    store.apply(EventsCame(cluster.finish_task(second), 1.0))
    assert (store.counts[Phase.ALLOCATED], store.counts[Phase.ACTIVE]) == (1, 0)


def test_before_a_snapshot_nothing_is_known() -> None:
    store = Store()
    store.apply(LinkChanged(LinkStatus(LinkState.SYNCING)))
    assert not store.known
    assert store.counts == {}


def test_the_daemons_clock_goes_on_with_ours_and_stands_still_with_a_lost_link() -> None:
    cluster = ScriptedCluster(at=START)
    cluster.elect()
    store = following(cluster)
    assert store.daemon_time(25.0) == START + 25
    store.apply(LinkChanged(LinkStatus(LinkState.STALE, heard_at=20.0)))
    assert store.daemon_time(25.0) == START + 20
    store.apply(LinkChanged(LIVE))
    assert store.daemon_time(40.0) == START + 40


def test_an_event_that_is_ahead_of_the_assumed_clock_moves_it_forward() -> None:
    cluster = ScriptedCluster(at=START)
    cluster.elect()
    store = following(cluster)
    cluster.at = START + 13
    store.apply(EventsCame(cluster.depose(), 10.0))
    assert store.daemon_time(10.0) == START + 13
    assert store.daemon_time(12.0) == START + 15


def test_the_term_before_is_remembered_until_its_job_is_gone() -> None:
    cluster = ScriptedCluster(at=START)
    cluster.elect(epoch=3)
    job_id = cluster.open_job("etl")
    store = following(cluster)
    cluster.at += 5
    store.apply(EventsCame(cluster.depose(), 5.0))
    store.apply(EventsCame(cluster.depose(job_master(job_id)), 5.0))
    assert store.earlier_terms == {
        RESOURCE_MANAGER: Term(3, START + 5),
        job_master(job_id): Term(1, START + 5),
    }
    store.apply(EventsCame(cluster.close_job(job_id), 6.0))
    assert store.earlier_terms == {RESOURCE_MANAGER: Term(3, START + 5)}


def test_an_explanation_goes_with_its_request() -> None:
    cluster = ScriptedCluster()
    cluster.elect()
    allocation_id = cluster.ask(cluster.open_job("etl"))
    store = following(cluster)
    store.apply(Explained(allocation_id, None, "busy", 1.0))
    assert store.explanations[allocation_id].error == "busy"
    store.apply(EventsCame(cluster.fail(allocation_id), 2.0))
    assert store.explanations == {}
    store.apply(Explained(allocation_id, None, "too late", 3.0))
    assert store.explanations == {}


def test_the_tail_is_bounded_and_keeps_the_names_of_closed_jobs() -> None:
    cluster = ScriptedCluster()
    store = following(cluster)
    for _ in range(EVENTS_KEPT):
        store.apply(EventsCame(cluster.elect(), 1.0))
    seen = len(cluster.history)
    cluster.close_job(cluster.open_job("etl"))
    store.apply(EventsCame(tuple(cluster.history[seen:]), 1.0))
    assert len(store.happenings) == EVENTS_KEPT
    assert [h.job_name for h in store.happenings.values()][-3:] == ["etl", "etl", "etl"]
    numbers = list(store.happenings)
    assert numbers == list(range(numbers[0], numbers[0] + EVENTS_KEPT))


def test_a_second_snapshot_says_that_the_tail_has_a_hole() -> None:
    cluster = ScriptedCluster()
    cluster.elect()
    store = following(cluster)
    cluster.open_job("etl")
    for news in whole(cluster):
        store.apply(news)
    assert [happening.note for happening in store.happenings.values()] == [
        "a new picture was taken; events in between are not listed"
    ]
    assert store.take_changes().everything


def test_a_backlog_keeps_order_counts_and_starts_over_with_a_snapshot() -> None:
    cluster = busy_cluster()
    backlog = Backlog()
    first = EventsCame(tuple(cluster.history[:3]), 1.0)
    picture = SnapshotTaken(cluster.state.snapshot(cluster.at), 2.0)
    second = EventsCame(tuple(cluster.history[3:5]), 3.0)
    backlog.hold(first)
    backlog.hold(picture)
    backlog.hold(second)
    assert backlog.changes == 5
    assert backlog.release() == [picture, second]
    assert backlog.release() == []


def test_a_backlog_that_is_full_forgets_all_until_a_snapshot() -> None:
    cluster = ScriptedCluster()
    many = EventsCame(cluster.elect() * (MOST_EVENTS + 1), 1.0)
    few = EventsCame(cluster.elect(), 1.0)
    backlog = Backlog()
    backlog.hold(many)
    backlog.hold(few)
    assert backlog.overflowed
    assert backlog.release() == []
    backlog.hold(SnapshotTaken(cluster.state.snapshot(0), 1.0))
    assert not backlog.overflowed
    assert len(backlog.release()) == 1


def test_nothing_is_made_up_about_a_job_that_nobody_opened() -> None:
    cluster = ScriptedCluster()
    cluster.elect()
    store = following(cluster)
    cluster.ask(JobId("a" * 32))
    store.apply(EventsCame(tuple(cluster.history[-1:]), 1.0))
    assert store.cluster.jobs == {}
