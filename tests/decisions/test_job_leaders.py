"""The leaders of jobs as a TaskExecutor follows them: connected, outdated, lost, back again."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from daemon.core.task_executor.job_leaders import (
    ConnectToJob,
    DisconnectFromJob,
    JobLeaderWatch,
    JobLeaderWatchEffect,
)
from protocol.ids import JobId, LeaderId

JOB, OTHER_JOB = JobId("job-1"), JobId("job-2")
A, B = LeaderId("leader-a"), LeaderId("leader-b")
HERE, THERE = "127.0.0.1:1", "127.0.0.1:2"
LOST = "the job's leader lost its leadership"
REPLACED = "the job has a new leader"


@pytest.fixture
def watch() -> JobLeaderWatch:
    watch = JobLeaderWatch()
    watch.add_job(JOB)
    return watch


@pytest.fixture
def connected(watch: JobLeaderWatch) -> JobLeaderWatch:
    watch.leader_announced(JOB, A, HERE)
    assert watch.registered(JOB, A)
    return watch


def test_a_leader_that_is_announced_is_connected(watch: JobLeaderWatch) -> None:
    """E08, I07"""
    assert watch.leader_announced(JOB, A, HERE) == [ConnectToJob(JOB, A, HERE)]
    assert watch.leader_of(JOB) is None, "not registered yet"
    assert watch.registered(JOB, A)
    assert watch.leader_of(JOB) == A


def test_the_same_leader_again_is_no_news(watch: JobLeaderWatch) -> None:
    """E16, I07, X510: neither while connecting nor when connected."""
    watch.leader_announced(JOB, A, HERE)
    assert watch.leader_announced(JOB, A, HERE) == []
    watch.registered(JOB, A)
    assert watch.leader_announced(JOB, A, HERE) == []
    assert watch.leader_of(JOB) == A


def test_a_new_leader_closes_the_connection_to_the_old_one_first(connected: JobLeaderWatch) -> None:
    """E17, I07"""
    assert connected.leader_announced(JOB, B, THERE) == [
        DisconnectFromJob(JOB, A, REPLACED),
        ConnectToJob(JOB, B, THERE),
    ]
    assert connected.leader_of(JOB) is None


def test_a_leader_that_moved_is_connected_at_its_new_address(connected: JobLeaderWatch) -> None:
    """I07"""
    assert connected.leader_announced(JOB, A, THERE) == [
        DisconnectFromJob(JOB, A, REPLACED),
        ConnectToJob(JOB, A, THERE),
    ]


@pytest.mark.parametrize(("leader_id", "address"), [(None, HERE), (None, None), (A, None), (B, "")])
def test_no_leader_id_or_no_address_means_that_nobody_leads(
    connected: JobLeaderWatch, leader_id: LeaderId | None, address: str | None
) -> None:
    """I08"""
    assert connected.leader_announced(JOB, leader_id, address) == [DisconnectFromJob(JOB, A, LOST)]
    assert connected.leader_announced(JOB, leader_id, address) == []
    assert connected.leader_of(JOB) is None


def test_registering_at_a_leader_that_is_lost_meanwhile_is_given_up(watch: JobLeaderWatch) -> None:
    """I08, I09"""
    watch.leader_announced(JOB, A, HERE)
    assert watch.leader_announced(JOB, None, None) == [DisconnectFromJob(JOB, A, LOST)]
    assert not watch.registered(JOB, A)
    assert watch.leader_of(JOB) is None


def test_results_of_an_outdated_leader_are_ignored(watch: JobLeaderWatch) -> None:
    """I09"""
    watch.leader_announced(JOB, A, HERE)
    watch.leader_announced(JOB, B, THERE)
    assert not watch.registered(JOB, A)
    assert not watch.registration_failed(JOB, A)
    assert watch.connection_lost(JOB, A, "hung up") == []
    assert watch.registered(JOB, B)
    assert not watch.registered(JOB, B), "once"
    assert not watch.registration_failed(JOB, B), "it succeeded"
    assert watch.leader_of(JOB) == B


def test_a_lost_connection_is_made_again_while_its_leader_leads(connected: JobLeaderWatch) -> None:
    """I10, E18, H08"""
    assert connected.connection_lost(JOB, A, "hung up") == [
        DisconnectFromJob(JOB, A, "hung up"),
        ConnectToJob(JOB, A, HERE),
    ]
    assert connected.leader_of(JOB) is None
    assert connected.connection_lost(JOB, A, "hung up") == [], "it is being connected"
    assert connected.registered(JOB, A)


def test_a_dead_leader_is_not_connected_again(connected: JobLeaderWatch) -> None:
    """I10, X511: lost leadership first, lost connection second, or the other way round."""
    connected.leader_announced(JOB, None, None)
    assert connected.connection_lost(JOB, A, "hung up") == []
    connected.leader_announced(JOB, B, THERE)
    connected.registered(JOB, B)
    connected.connection_lost(JOB, B, "hung up")
    assert connected.leader_announced(JOB, None, None) == [DisconnectFromJob(JOB, B, LOST)]


def test_a_leader_that_comes_back_is_connected_again(connected: JobLeaderWatch) -> None:
    """I11: the same id and address after a loss is not a duplicate."""
    connected.leader_announced(JOB, None, None)
    assert connected.leader_announced(JOB, A, HERE) == [ConnectToJob(JOB, A, HERE)]


def test_after_a_final_refusal_the_next_announcement_tries_again(watch: JobLeaderWatch) -> None:
    """I09, I11"""
    watch.leader_announced(JOB, A, HERE)
    assert watch.registration_failed(JOB, A)
    assert watch.connection_lost(JOB, A, "hung up") == []
    assert watch.leader_announced(JOB, A, HERE) == [ConnectToJob(JOB, A, HERE)]
    assert watch.registration_failed(JOB, A)
    assert watch.leader_announced(JOB, B, THERE) == [ConnectToJob(JOB, B, THERE)]


def test_a_job_that_is_watched_no_more_hears_nothing(connected: JobLeaderWatch) -> None:
    """I06, E20"""
    assert connected.remove_job(JOB, "no slot left") == [DisconnectFromJob(JOB, A, "no slot left")]
    assert connected.remove_job(JOB, "no slot left") == []
    assert connected.leader_announced(JOB, B, THERE) == []
    assert not connected.registered(JOB, A)
    assert not connected.registration_failed(JOB, A)
    assert connected.connection_lost(JOB, A, "hung up") == []
    assert connected.leader_of(JOB) is None


def test_watching_a_job_twice_keeps_its_connection(connected: JobLeaderWatch) -> None:
    """I06"""
    connected.add_job(JOB)
    assert connected.leader_of(JOB) == A


def test_a_stop_closes_every_connection_and_nothing_is_made_again(
    connected: JobLeaderWatch,
) -> None:
    """I06, E43, X513"""
    connected.add_job(OTHER_JOB)
    connected.leader_announced(OTHER_JOB, B, THERE)
    assert connected.stop("shutting down") == [
        DisconnectFromJob(JOB, A, "shutting down"),
        DisconnectFromJob(OTHER_JOB, B, "shutting down"),
    ]
    assert connected.connection_lost(JOB, A, "hung up") == []
    assert connected.leader_announced(JOB, A, HERE) == []
    assert connected.stop("again") == []


jobs = st.sampled_from([JOB, OTHER_JOB])
leaders = st.sampled_from([A, B])


class Watches(RuleBasedStateMachine):
    """Keeps who leads and what is open, and books every effect."""

    def __init__(self) -> None:
        super().__init__()
        self.watch = JobLeaderWatch()
        self.leading: dict[JobId, LeaderId | None] = {}
        self.open_to: dict[JobId, LeaderId] = {}

    def book(self, effects: list[JobLeaderWatchEffect]) -> None:
        for effect in effects:
            match effect:
                case DisconnectFromJob(job_id=job_id, leader_id=leader_id):
                    assert self.open_to.pop(job_id) == leader_id
                case ConnectToJob(job_id=job_id, leader_id=leader_id):
                    assert job_id not in self.open_to
                    assert self.leading[job_id] == leader_id
                    self.open_to[job_id] = leader_id

    @rule(job_id=jobs)
    def add(self, job_id: JobId) -> None:
        self.watch.add_job(job_id)
        self.leading.setdefault(job_id, None)

    @rule(job_id=jobs)
    def remove(self, job_id: JobId) -> None:
        self.leading.pop(job_id, None)
        self.book(self.watch.remove_job(job_id, "over"))

    @rule(job_id=jobs, leader_id=st.one_of(leaders, st.none()))
    def announce(self, job_id: JobId, leader_id: LeaderId | None) -> None:
        if job_id in self.leading:
            self.leading[job_id] = leader_id
        self.book(self.watch.leader_announced(job_id, leader_id, HERE))
        if leader_id is not None and job_id in self.leading:
            assert self.open_to[job_id] == leader_id

    @rule(job_id=jobs, leader_id=leaders)
    def register(self, job_id: JobId, leader_id: LeaderId) -> None:
        if self.watch.registered(job_id, leader_id):
            assert self.open_to[job_id] == leader_id

    @rule(job_id=jobs, leader_id=leaders)
    def give_up(self, job_id: JobId, leader_id: LeaderId) -> None:
        if self.watch.registration_failed(job_id, leader_id):
            assert self.open_to.pop(job_id) == leader_id

    @rule(job_id=jobs, leader_id=leaders)
    def lose(self, job_id: JobId, leader_id: LeaderId) -> None:
        self.book(self.watch.connection_lost(job_id, leader_id, "hung up"))

    @invariant()
    def a_job_is_connected_to_its_leader_or_to_nobody(self) -> None:
        for job_id in (JOB, OTHER_JOB):
            assert self.watch.leader_of(job_id) in (None, self.open_to.get(job_id))
            assert self.open_to.get(job_id) in (None, self.leading.get(job_id))


def test_in_any_order_connections_are_ended_before_the_next_is_made() -> None:
    """I11: every ConnectToJob is ended once; only leaders that were announced are connected."""
    run_state_machine_as_test(Watches, settings=settings(max_examples=60, deadline=None))
