"""The JobMasters that are registered at one ResourceManager: the shell of JobLeaderIds."""

from collections.abc import Callable
from functools import partial

import attrs
import structlog
import trio

from daemon.core.heartbeats import HeartbeatMonitor
from daemon.core.resource_manager.job_leader_ids import (
    DropJobMaster,
    JobLeaderIds,
    JobLeaderIdsEffect,
    JobTimedOut,
)
from daemon.high_availability.elections import LeaderElection
from daemon.roles.mailbox import Mailbox
from daemon.wire.peers import Caller, Peer
from protocol.ids import JobId, LeaderId, job_master

log = structlog.get_logger()

_JOB_TIMEOUT_S = 300.0
"""A job whose JobMaster does not come back is forgotten after this (I03)."""


@attrs.frozen(eq=False)
class RegisteredJob:
    """A job's leader as it registered."""

    job_id: JobId
    job_master_id: LeaderId
    caller: Caller
    peer: Peer


class RegisteredJobs:
    """``lose`` hears which job's JobMaster is gone, to withdraw its requests."""

    def __init__(
        self,
        beats: HeartbeatMonitor[JobId],
        election: LeaderElection,
        mailbox: Mailbox,
        nursery: trio.Nursery,
        lose: Callable[[JobId, float], None],
    ) -> None:
        self.beats = beats
        self._election = election
        self._mailbox = mailbox
        self._nursery = nursery
        self._lose = lose
        self._leaders = JobLeaderIds(_JOB_TIMEOUT_S)
        self._jobs: dict[JobId, RegisteredJob] = {}
        self._listening: dict[JobId, trio.CancelScope] = {}
        self.require = self._leaders.require

    def add(self, job: RegisteredJob, now: float) -> None:
        """Register; a new leader of the same job replaces the old one (G05, G10).

        Raises:
            LeaderIdMismatch: somebody else was elected for this job (G07).
        """
        job_id = job.job_id
        self._leaders.add_job(job_id, now)
        self._announced(job_id, now)
        self._interpret(self._leaders.register_job_master(job_id, job.job_master_id, now), now)
        self._jobs[job_id] = job
        self.beats.unmonitor(job_id)
        self.beats.monitor(job_id, now)
        if job_id not in self._listening:
            scope = self._listening[job_id] = trio.CancelScope()
            self._nursery.start_soon(self._listen, job_id, scope)

    def get(self, job_id: JobId) -> RegisteredJob | None:
        """The registered JobMaster of a job."""
        return self._jobs.get(job_id)

    def leave(self, job_id: JobId, job_master_id: LeaderId, now: float) -> None:
        """A JobMaster is gone; one that was replaced meanwhile changes nothing (G20, G23)."""
        if self._leaders.job_master_lost(job_id, job_master_id, now):
            self._drop(job_id, now)

    def forget(self, job_id: JobId, job_master_id: LeaderId, now: float) -> None:
        """A JobMaster said that the job is over (G23)."""
        if self._leaders.job_master_of(job_id) == job_master_id:
            self._interpret(self._leaders.remove_job(job_id), now)
            self._stop_listening(job_id)

    def hung_up(self, caller: Caller, now: float) -> None:
        """A connection is gone."""
        for job in [job for job in self._jobs.values() if job.caller is caller]:
            self.leave(job.job_id, job.job_master_id, now)

    @property
    def next_deadline(self) -> float:
        """When ``expire`` or a beat is due."""
        return min(self.beats.next_deadline, self._leaders.next_deadline)

    def expire(self, now: float) -> None:
        """Drop who is silent (G16), forget who stays away (G19)."""
        for job_id in self.beats.expire(now):
            job = self._jobs[job_id]
            log.warning("job_master_silent", job_id=job_id)
            self.leave(job_id, job.job_master_id, now)
        self._interpret(self._leaders.expire(now), now)

    async def _listen(self, job_id: JobId, scope: trio.CancelScope) -> None:
        with scope:
            async with self._election.listen(job_master(job_id)) as news:
                while True:
                    await news.changed()
                    self._mailbox.put(partial(self._announced, job_id))

    def _announced(self, job_id: JobId, now: float) -> None:
        """Something changed. Who leads is looked up now: the news may have waited in the mailbox
        while its successor registered, and would drop it.
        """
        leader = self._election.leader_of(job_master(job_id))
        leader_id = None if leader is None else leader.fence.leader_id
        self._interpret(self._leaders.leader_announced(job_id, leader_id, now), now)

    def _interpret(self, effects: list[JobLeaderIdsEffect], now: float) -> None:
        for effect in effects:
            match effect:
                case DropJobMaster():
                    self._drop(effect.job_id, now)
                case JobTimedOut():
                    self._stop_listening(effect.job_id)

    def _stop_listening(self, job_id: JobId) -> None:
        scope = self._listening.pop(job_id, None)
        if scope is not None:
            scope.cancel()

    def _drop(self, job_id: JobId, now: float) -> None:
        del self._jobs[job_id]
        self.beats.unmonitor(job_id)
        self._lose(job_id, now)
