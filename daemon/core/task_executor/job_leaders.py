"""A TaskExecutor's connections to the leaders of its jobs: to whom, and what is outdated."""

from typing import TypeAlias

import attrs

from protocol.ids import JobId, LeaderId


@attrs.frozen
class JobLeader:
    """A term of a job's JobMaster, and where it is."""

    leader_id: LeaderId
    address: str


@attrs.frozen
class ConnectToJob:
    """Register at this leader, with retries; report the result with the same ``leader_id``."""

    job_id: JobId
    leader_id: LeaderId
    address: str


@attrs.frozen
class DisconnectFromJob:
    """Close what the ConnectToJob of this leader opened, or stop trying."""

    job_id: JobId
    leader_id: LeaderId
    cause: str


JobLeaderWatchEffect: TypeAlias = ConnectToJob | DisconnectFromJob


@attrs.frozen
class _NoLeader:
    """Nobody leads, as far as is known."""


@attrs.frozen
class _Idle:
    """A leader is known; registering there has failed for good."""

    leader: JobLeader


@attrs.frozen
class _Connecting:
    leader: JobLeader


@attrs.frozen
class _Connected:
    leader: JobLeader


_NO_LEADER = _NoLeader()


class JobLeaderWatch:
    """A TaskExecutor's connections to the leaders of its jobs (I06-I11, E16, E17).

    Every ConnectToJob is ended by one ``registration_failed`` or one DisconnectFromJob. Whatever is
    said of a job that is not watched, or of a leader that is not its current one, changes nothing.
    """

    def __init__(self) -> None:
        self._jobs: dict[JobId, _NoLeader | _Idle | _Connecting | _Connected] = {}

    def add_job(self, job_id: JobId) -> None:
        """Watch a job; its leader is announced to ``leader_announced``."""
        self._jobs.setdefault(job_id, _NO_LEADER)

    def remove_job(self, job_id: JobId, cause: str) -> list[JobLeaderWatchEffect]:
        """Watch a job no more."""
        effects = self._disconnect(job_id, cause)
        self._jobs.pop(job_id, None)
        return effects

    def stop(self, cause: str) -> list[JobLeaderWatchEffect]:
        """Watch no job any more; nothing reconnects (E43, X513)."""
        return [effect for job_id in list(self._jobs) for effect in self.remove_job(job_id, cause)]

    def leader_announced(
        self, job_id: JobId, leader_id: LeaderId | None, address: str | None
    ) -> list[JobLeaderWatchEffect]:
        """Who leads now; no id or an empty address: nobody (I08).

        The leader that is connected, or being connected, announced again: nothing (E16, X510).
        """
        if job_id not in self._jobs:
            return []
        if leader_id is None or not address:
            effects = self._disconnect(job_id, "the job's leader lost its leadership")
            self._jobs[job_id] = _NO_LEADER
            return effects
        return self._lead(job_id, JobLeader(leader_id, address))

    def _lead(self, job_id: JobId, leader: JobLeader) -> list[JobLeaderWatchEffect]:
        match self._jobs[job_id]:
            case _Connecting(leader=current) | _Connected(leader=current) if current == leader:
                return []
            case _:
                old = self._disconnect(job_id, "the job has a new leader")
                return old + self._connect(job_id, leader)

    def registered(self, job_id: JobId, leader_id: LeaderId) -> bool:
        """Registered there. False: another leader was announced meanwhile, ignore it (I09)."""
        match self._jobs.get(job_id):
            case _Connecting(leader=leader) if leader.leader_id == leader_id:
                self._jobs[job_id] = _Connected(leader)
                return True
            case _:
                return False

    def registration_failed(self, job_id: JobId, leader_id: LeaderId) -> bool:
        """Given up there; announced again, it is tried again. False: an outdated result (I09)."""
        match self._jobs.get(job_id):
            case _Connecting(leader=leader) if leader.leader_id == leader_id:
                self._jobs[job_id] = _Idle(leader)
                return True
            case _:
                return False

    def connection_lost(
        self, job_id: JobId, leader_id: LeaderId, cause: str
    ) -> list[JobLeaderWatchEffect]:
        """The connection broke or the peer fell silent: connect again while it leads (I10)."""
        match self._jobs.get(job_id):
            case _Connected(leader=leader) if leader.leader_id == leader_id:
                return self._disconnect(job_id, cause) + self._connect(job_id, leader)
            case _:
                return []

    def leader_of(self, job_id: JobId) -> LeaderId | None:
        """The leader at which the executor is registered."""
        match self._jobs.get(job_id):
            case _Connected(leader=leader):
                return leader.leader_id
            case _:
                return None

    def _connect(self, job_id: JobId, leader: JobLeader) -> list[JobLeaderWatchEffect]:
        self._jobs[job_id] = _Connecting(leader)
        return [ConnectToJob(job_id, leader.leader_id, leader.address)]

    def _disconnect(self, job_id: JobId, cause: str) -> list[JobLeaderWatchEffect]:
        match self._jobs.get(job_id):
            case _Connecting(leader=leader) | _Connected(leader=leader):
                return [DisconnectFromJob(job_id, leader.leader_id, cause)]
            case _:
                return []
