"""The leaders of jobs as the ResourceManager knows them: timeouts, and whom it accepts."""

import math
from collections.abc import Iterator

import pytest

from daemon.core.resource_manager.job_leader_ids import DropJobMaster, JobLeaderIds, JobTimedOut
from protocol.errors import LeaderIdMismatch, UnknownJob
from protocol.ids import JobId, LeaderId

JOB, OTHER_JOB = JobId("job-1"), JobId("job-2")
A, B = LeaderId("leader-a"), LeaderId("leader-b")
TIMEOUT = 5.0


@pytest.fixture
def leaders() -> Iterator[JobLeaderIds]:
    """JOB is known since time 0."""
    leader_ids = JobLeaderIds(TIMEOUT)
    leader_ids.add_job(JOB, 0.0)
    yield leader_ids
    leader_ids.check_invariants()


def test_a_job_waits_for_its_leader_and_times_out_without_one(leaders: JobLeaderIds) -> None:
    """I01, I03, G19"""
    assert JOB in leaders
    assert leaders.next_deadline == TIMEOUT
    assert leaders.expire(TIMEOUT - 0.1) == []
    assert leaders.expire(TIMEOUT) == [JobTimedOut(JOB)]
    assert JOB not in leaders
    assert leaders.expire(100.0) == []


def test_adding_a_job_again_does_not_put_its_timeout_off(leaders: JobLeaderIds) -> None:
    """I03"""
    leaders.add_job(JOB, 3.0)
    assert leaders.next_deadline == TIMEOUT


def test_a_leader_ends_the_timer_and_its_loss_starts_a_new_one(leaders: JobLeaderIds) -> None:
    """I04: hearing twice that nobody leads does not put the timeout off."""
    assert leaders.leader_announced(JOB, A, 1.0) == []
    assert leaders.next_deadline == math.inf
    assert leaders.expire(100.0) == []
    assert leaders.leader_announced(JOB, None, 100.0) == []
    assert leaders.leader_announced(JOB, None, 103.0) == []
    assert leaders.next_deadline == 100.0 + TIMEOUT
    assert leaders.expire(100.0 + TIMEOUT) == [JobTimedOut(JOB)]


def test_a_job_that_is_over_is_forgotten_with_its_timer(leaders: JobLeaderIds) -> None:
    """I02"""
    assert leaders.remove_job(JOB) == []
    assert JOB not in leaders
    assert leaders.next_deadline == math.inf
    assert leaders.leader_announced(JOB, A, 1.0) == []
    assert JOB not in leaders


def test_a_job_that_is_over_drops_its_job_master(leaders: JobLeaderIds) -> None:
    """I02"""
    leaders.register_job_master(JOB, A, 0.0)
    assert leaders.remove_job(JOB) == [DropJobMaster(JOB, A, "the job is over")]


def test_the_elected_job_master_registers_as_often_as_it_likes(leaders: JobLeaderIds) -> None:
    """G05, G10, B01"""
    leaders.leader_announced(JOB, A, 0.0)
    assert leaders.job_master_of(JOB) is None
    assert leaders.register_job_master(JOB, A, 1.0) == []
    assert leaders.register_job_master(JOB, A, 2.0) == []
    assert leaders.job_master_of(JOB) == A
    leaders.require(JOB, A)


def test_another_than_the_elected_job_master_is_refused(leaders: JobLeaderIds) -> None:
    """G07"""
    leaders.leader_announced(JOB, A, 0.0)
    leaders.register_job_master(JOB, A, 0.0)
    with pytest.raises(LeaderIdMismatch, match="job-1 is leader-a, not leader-b"):
        leaders.register_job_master(JOB, B, 1.0)
    assert leaders.job_master_of(JOB) == A


def test_a_new_leader_drops_the_job_master_of_the_old_one(leaders: JobLeaderIds) -> None:
    """I05, G20, X309"""
    leaders.leader_announced(JOB, A, 0.0)
    leaders.register_job_master(JOB, A, 0.0)
    dropped = DropJobMaster(JOB, A, "the JobMaster lost its leadership")
    assert leaders.leader_announced(JOB, B, 1.0) == [dropped]
    assert leaders.job_master_of(JOB) is None
    with pytest.raises(LeaderIdMismatch):
        leaders.register_job_master(JOB, A, 2.0)
    assert leaders.register_job_master(JOB, B, 2.0) == []


def test_a_lost_leadership_drops_the_job_master(leaders: JobLeaderIds) -> None:
    """G20, I04"""
    leaders.leader_announced(JOB, A, 0.0)
    leaders.register_job_master(JOB, A, 0.0)
    dropped = DropJobMaster(JOB, A, "the JobMaster lost its leadership")
    assert leaders.leader_announced(JOB, None, 1.0) == [dropped]
    assert leaders.next_deadline == 1.0 + TIMEOUT


def test_the_same_leader_announced_again_keeps_its_job_master(leaders: JobLeaderIds) -> None:
    """I05, G20: also when it registered before its election was heard of."""
    leaders.register_job_master(JOB, A, 0.0)
    assert leaders.leader_announced(JOB, A, 1.0) == []
    assert leaders.leader_announced(JOB, A, 2.0) == []
    assert leaders.job_master_of(JOB) == A


def test_who_elects_nobody_leads_by_registering_last(leaders: JobLeaderIds) -> None:
    """G10: a script that plays the JobMaster."""
    assert leaders.register_job_master(JOB, A, 0.0) == []
    assert leaders.next_deadline == math.inf
    dropped = DropJobMaster(JOB, A, "another JobMaster registered for the job")
    assert leaders.register_job_master(JOB, B, 1.0) == [dropped]
    assert leaders.job_master_of(JOB) == B
    assert leaders.register_job_master(JOB, B, 2.0) == []


def test_that_nobody_was_elected_does_not_concern_who_registered_without(
    leaders: JobLeaderIds,
) -> None:
    """G10, G20: a listener is told so at once, for a job that nobody ever campaigns for."""
    leaders.register_job_master(JOB, A, 0.0)
    assert leaders.leader_announced(JOB, None, 1.0) == []
    assert leaders.job_master_of(JOB) == A


def test_whoever_registered_without_election_gives_way_to_an_elected_leader(
    leaders: JobLeaderIds,
) -> None:
    """G07, G20: a JobMaster of yesterday that registers between two terms."""
    leaders.register_job_master(JOB, A, 0.0)
    dropped = DropJobMaster(JOB, A, "the JobMaster lost its leadership")
    assert leaders.leader_announced(JOB, B, 1.0) == [dropped]


def test_a_job_master_may_register_a_job_that_nobody_added(leaders: JobLeaderIds) -> None:
    """B01, G05"""
    assert leaders.register_job_master(OTHER_JOB, B, 0.0) == []
    assert OTHER_JOB in leaders


def test_when_a_job_master_falls_silent_its_job_waits_for_the_next(
    leaders: JobLeaderIds,
) -> None:
    """G16, G23, I03"""
    leaders.register_job_master(JOB, A, 0.0)
    assert leaders.job_master_lost(JOB, A, 2.0)
    assert not leaders.job_master_lost(JOB, A, 3.0)
    assert leaders.next_deadline == 2.0 + TIMEOUT
    assert leaders.expire(2.0 + TIMEOUT) == [JobTimedOut(JOB)]


def test_an_elected_leader_that_falls_silent_may_register_again(leaders: JobLeaderIds) -> None:
    """G16, I04: it leads, so no timer runs."""
    leaders.leader_announced(JOB, A, 0.0)
    leaders.register_job_master(JOB, A, 0.0)
    assert leaders.job_master_lost(JOB, A, 2.0)
    assert leaders.job_master_of(JOB) is None
    assert leaders.next_deadline == math.inf
    assert leaders.register_job_master(JOB, A, 3.0) == []


def test_the_goodbye_of_a_job_master_that_was_replaced_is_ignored(
    leaders: JobLeaderIds,
) -> None:
    """G20, G23"""
    leaders.register_job_master(JOB, A, 0.0)
    leaders.register_job_master(JOB, B, 1.0)
    assert not leaders.job_master_lost(JOB, A, 2.0)
    assert not leaders.job_master_lost(OTHER_JOB, A, 2.0)
    assert leaders.job_master_of(JOB) == B


def test_only_the_registered_job_master_may_ask_for_the_job(leaders: JobLeaderIds) -> None:
    """B02, B14"""
    with pytest.raises(UnknownJob, match="no JobMaster is registered for job job-1"):
        leaders.require(JOB, A)
    leaders.register_job_master(JOB, A, 0.0)
    with pytest.raises(LeaderIdMismatch, match="is leader-a, not leader-b"):
        leaders.require(JOB, B)
    with pytest.raises(UnknownJob):
        leaders.require(OTHER_JOB, A)
