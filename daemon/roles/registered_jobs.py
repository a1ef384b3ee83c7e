"""The JobMasters that are registered at one ResourceManager: one per job, the newest."""

from collections.abc import Callable

import attrs

from daemon.core.heartbeats import HeartbeatMonitor
from daemon.high_availability.elections import LeaderElection
from daemon.wire.peers import Caller, Peer
from protocol.errors import LeaderIdMismatch, UnknownJob
from protocol.ids import AllocationId, JobId, LeaderId, job_master


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
        lose: Callable[[JobId, float], None],
    ) -> None:
        self.beats = beats
        self._election = election
        self._lose = lose
        self._jobs: dict[JobId, RegisteredJob] = {}

    def add(self, job: RegisteredJob, now: float) -> None:
        """Register; the same leader again changes nothing, a new one replaces the old (G10).

        Raises:
            LeaderIdMismatch: somebody else was elected for this job (G07).
        """
        elected = self._election.leader_of(job_master(job.job_id))
        if elected is not None and elected.fence.leader_id != job.job_master_id:
            raise LeaderIdMismatch(
                f"params.job_master_id: {job.job_master_id} does not lead job {job.job_id}",
                path="params.job_master_id",
            )
        known = self._jobs.get(job.job_id)
        if known is not None and known.job_master_id != job.job_master_id:
            self.leave(job.job_id, known.job_master_id, now)
        self._jobs[job.job_id] = job
        self.beats.unmonitor(job.job_id)
        self.beats.monitor(job.job_id, now)

    def check(
        self, job_id: JobId, job_master_id: LeaderId, allocation_id: AllocationId
    ) -> None:
        """Only the registered JobMaster may ask for slots (B02, B14).

        Raises:
            UnknownJob: no JobMaster is registered for the job.
            LeaderIdMismatch: another one is.
        """
        job = self._jobs.get(job_id)
        if job is None:
            raise UnknownJob(
                f"no JobMaster is registered for job {job_id}", allocation_id=allocation_id
            )
        if job.job_master_id != job_master_id:
            raise LeaderIdMismatch(
                f"{job_master_id} is not the current leader of job {job_id}",
                allocation_id=allocation_id,
            )

    def get(self, job_id: JobId) -> RegisteredJob | None:
        """The registered JobMaster of a job."""
        return self._jobs.get(job_id)

    def leave(self, job_id: JobId, job_master_id: LeaderId, now: float) -> None:
        """A JobMaster is gone; one that was replaced meanwhile changes nothing (G20, G23)."""
        job = self._jobs.get(job_id)
        if job is not None and job.job_master_id == job_master_id:
            del self._jobs[job_id]
            self.beats.unmonitor(job_id)
            self._lose(job_id, now)

    def hung_up(self, caller: Caller, now: float) -> None:
        """A connection is gone."""
        for job in [job for job in self._jobs.values() if job.caller is caller]:
            self.leave(job.job_id, job.job_master_id, now)

    def expire(self, now: float) -> list[RegisteredJob]:
        """Drop and return the silent ones (G16)."""
        silent = [self._jobs[job_id] for job_id in self.beats.expire(now)]
        for job in silent:
            self.leave(job.job_id, job.job_master_id, now)
        return silent
