"""The jobs that the ResourceManager knows: who leads each, and who of them is registered."""

from typing import TypeAlias

import attrs

from daemon.core.deadlines import Deadlines
from protocol.errors import LeaderIdMismatch, UnknownJob
from protocol.ids import JobId, LeaderId


@attrs.frozen
class DropJobMaster:
    """This registered JobMaster leads no more: disconnect it (G10, G20)."""

    job_id: JobId
    job_master_id: LeaderId
    cause: str


@attrs.frozen
class JobTimedOut:
    """The job was without a leader for too long; it is forgotten (I03, G19)."""

    job_id: JobId


JobLeaderIdsEffect: TypeAlias = DropJobMaster | JobTimedOut


@attrs.frozen
class _Leaderless:
    """Nobody leads; the job's timer runs."""


@attrs.frozen
class _Elected:
    leader_id: LeaderId
    is_registered: bool


@attrs.frozen
class _Declared:
    """Nobody was elected; this JobMaster leads because it registered last."""

    leader_id: LeaderId


_LEADERLESS = _Leaderless()


class JobLeaderIds:
    """The ResourceManager's jobs, who leads each, and who of them is registered (I01-I05, X309)."""

    def __init__(self, job_timeout_s: float) -> None:
        self._job_timeout_s = job_timeout_s
        self._jobs: dict[JobId, _Leaderless | _Elected | _Declared] = {}
        self._timers = Deadlines[JobId]()

    def __contains__(self, job_id: JobId) -> bool:
        return job_id in self._jobs

    def add_job(self, job_id: JobId, now: float) -> None:
        """Know a job; without a leader it times out (I03)."""
        if job_id not in self._jobs:
            self._put(job_id, _LEADERLESS, now)

    def remove_job(self, job_id: JobId) -> list[JobLeaderIdsEffect]:
        """Forget a job (I02)."""
        registered = self.job_master_of(job_id)
        self._jobs.pop(job_id, None)
        self._timers.discard(job_id)
        return [] if registered is None else [DropJobMaster(job_id, registered, "the job is over")]

    def leader_announced(
        self, job_id: JobId, leader_id: LeaderId | None, now: float
    ) -> list[JobLeaderIdsEffect]:
        """Who was elected, or that nobody leads (I04, I05, G20).

        A JobMaster that was never elected is not concerned by nobody being elected.
        """
        state = self._jobs.get(job_id)
        if state is None or (leader_id is None and isinstance(state, _Declared)):
            return []
        registered = self.job_master_of(job_id)
        if leader_id is None:
            self._put(job_id, _LEADERLESS, now)
        else:
            self._put(job_id, _Elected(leader_id, registered == leader_id), now)
        if registered in (None, leader_id):
            return []
        return [DropJobMaster(job_id, registered, "the JobMaster lost its leadership")]

    def register_job_master(
        self, job_id: JobId, job_master_id: LeaderId, now: float
    ) -> list[JobLeaderIdsEffect]:
        """A JobMaster registers; the same one again is welcome (G05, G10, B01).

        Raises:
            LeaderIdMismatch: another one was elected for the job (G07).
        """
        match self._jobs.get(job_id):
            case _Elected(leader_id=elected) if elected != job_master_id:
                raise LeaderIdMismatch(
                    f"the elected JobMaster of job {job_id} is {elected}, not {job_master_id}"
                )
            case _Elected():
                self._put(job_id, _Elected(job_master_id, is_registered=True), now)
                return []
            case _Declared(leader_id=old) if old != job_master_id:
                self._put(job_id, _Declared(job_master_id), now)
                return [DropJobMaster(job_id, old, "another JobMaster registered for the job")]
            case _:
                self._put(job_id, _Declared(job_master_id), now)
                return []

    def job_master_lost(self, job_id: JobId, job_master_id: LeaderId, now: float) -> bool:
        """A JobMaster said goodbye or fell silent; False: it is not the registered one (G16)."""
        match self._jobs.get(job_id):
            case _Elected(leader_id=leader_id, is_registered=True) if leader_id == job_master_id:
                self._put(job_id, _Elected(leader_id, is_registered=False), now)
                return True
            case _Declared(leader_id=leader_id) if leader_id == job_master_id:
                self._put(job_id, _LEADERLESS, now)
                return True
            case _:
                return False

    def job_master_of(self, job_id: JobId) -> LeaderId | None:
        """The registered JobMaster of a job."""
        match self._jobs.get(job_id):
            case _Elected(leader_id=leader_id, is_registered=True) | _Declared(leader_id=leader_id):
                return leader_id
            case _:
                return None

    def require(self, job_id: JobId, job_master_id: LeaderId) -> None:
        """Refuse who is not the registered JobMaster of the job (B02, B14).

        Raises:
            UnknownJob: no JobMaster is registered for the job.
            LeaderIdMismatch: another one is.
        """
        registered = self.job_master_of(job_id)
        if registered is None:
            raise UnknownJob(f"no JobMaster is registered for job {job_id}", job_id=job_id)
        if registered != job_master_id:
            raise LeaderIdMismatch(
                f"the registered JobMaster of job {job_id} is {registered}, not {job_master_id}"
            )

    @property
    def next_deadline(self) -> float:
        """When ``expire`` has something to do; ``math.inf`` when never."""
        return self._timers.next

    def expire(self, now: float) -> list[JobLeaderIdsEffect]:
        """Forget the jobs that were without a leader for too long (I03, I04)."""
        due = self._timers.pop_due(now)
        for job_id in due:
            del self._jobs[job_id]
        return [JobTimedOut(job_id) for job_id in due]

    def _put(self, job_id: JobId, state: _Leaderless | _Elected | _Declared, now: float) -> None:
        """Change a job's state; the timer runs while, and since, nobody leads."""
        old = self._jobs.get(job_id)
        self._jobs[job_id] = state
        if not isinstance(state, _Leaderless):
            self._timers.discard(job_id)
        elif old != state:
            self._timers.set(job_id, now + self._job_timeout_s)

    def check_invariants(self) -> None:
        """Assert that exactly the jobs without a leader have a timer."""
        for job_id, state in self._jobs.items():
            assert (job_id in self._timers) == isinstance(state, _Leaderless)
        assert len(self._timers) <= len(self._jobs)
