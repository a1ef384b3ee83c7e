"""A TaskExecutor's connections to the JobMasters of its jobs: found, registered, kept, lost."""

from collections.abc import Callable
from typing import Protocol

import attrs
import trio

from daemon.core.heartbeats import HeartbeatMonitor
from daemon.core.task_executor.job_leaders import (
    ConnectToJob,
    DisconnectFromJob,
    JobLeaderWatch,
    JobLeaderWatchEffect,
)
from daemon.high_availability.elections import LeaderInformation
from daemon.roles.calls import Calls
from daemon.roles.links import register
from daemon.roles.mailbox import Mailbox
from daemon.roles.services import Services
from daemon.roles.task_executor.job_finder import JobFinder
from daemon.wire.peers import Peer
from protocol.errors import SlotdError, UnknownJob
from protocol.ids import JobId, LeaderId, ResourceId
from protocol.messages.calls import Notification
from protocol.messages.job_master import DisconnectExecutorFromJob, RegisterExecutorAtJob


class JobConnectionsOwner(Protocol):
    """Who offers slots to the leaders that are found."""

    def job_connected(self, job_id: JobId, leader_id: LeaderId, now: float) -> None:
        """Registered at this leader."""
        ...

    def job_disconnected(self, job_id: JobId, leader_id: LeaderId, cause: str, now: float) -> None:
        """Not registered there any more."""
        ...


@attrs.define(eq=False)
class _Connection:
    """One watched job, until ``over``.

    ``changed`` is set, and replaced, whenever ``leader_id`` changes.
    """

    address: str
    over: trio.Event = attrs.field(factory=trio.Event)
    registering: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    peer: Peer | None = None
    leader_id: LeaderId | None = None
    changed: trio.Event = attrs.field(factory=trio.Event)

    def lead(self, leader_id: LeaderId | None) -> None:
        self.leader_id = leader_id
        self.changed.set()
        self.changed = trio.Event()


class JobConnections:
    """The shell of JobLeaderWatch."""

    def __init__(
        self,
        resource_id: ResourceId,
        host: str,
        services: Services,
        finder: JobFinder,
        calls: Calls,
        mailbox: Mailbox,
        nursery: trio.Nursery,
        owner: JobConnectionsOwner,
    ) -> None:
        settings = services.settings
        self._resource_id = resource_id
        self._host = host
        self._services = services
        self._finder = finder
        self._calls = calls
        self._mailbox = mailbox
        self._nursery = nursery
        self._owner = owner
        self._watch = JobLeaderWatch()
        self._jobs: dict[JobId, _Connection] = {}
        self.beats: HeartbeatMonitor[JobId] = HeartbeatMonitor(
            settings.heartbeat_interval_s, settings.heartbeat_timeout_s
        )

    def watch(self, job_id: JobId, address: str) -> None:
        """Find the job's leader, starting at ``address`` (E08); a new address starts over."""
        known = self._jobs.get(job_id)
        if known is not None and known.address == address:
            return
        if known is not None:
            self.unwatch(job_id, "the job moved")
        connection = self._jobs[job_id] = _Connection(address)
        self._watch.add_job(job_id)
        self._nursery.start_soon(self._find, job_id, connection)

    def unwatch(self, job_id: JobId, cause: str) -> None:
        """No slot of this job is left (E20)."""
        connection = self._jobs.get(job_id)
        if connection is not None:
            self._interpret(self._watch.remove_job(job_id, cause))
            connection.over.set()
            connection.lead(None)
            del self._jobs[job_id]

    def lost(self, job_id: JobId, leader_id: LeaderId, cause: str) -> None:
        """A connection broke: register there again while it leads (E18, I10)."""
        self._interpret(self._watch.connection_lost(job_id, leader_id, cause))

    def leader_of(self, job_id: JobId) -> tuple[Peer, LeaderId] | None:
        """The leader at which the executor is registered, and how to call it."""
        connection = self._jobs.get(job_id)
        if connection is None or connection.peer is None or connection.leader_id is None:
            return None
        return connection.peer, connection.leader_id

    def expire(self, now: float) -> None:
        """Leaders that are silent for too long are told and lost (E28)."""
        for job_id in self.beats.expire(now):
            leader = self.leader_of(job_id)
            if leader is not None:
                peer, leader_id = leader
                goodbye = DisconnectExecutorFromJob(
                    leader_id=leader_id,
                    job_id=job_id,
                    resource_id=self._resource_id,
                    cause="no heartbeat from the JobMaster",
                )
                self._calls.tell(peer, goodbye)
                self.lost(job_id, leader_id, "no heartbeat")

    async def notify(self, job_id: JobId, make: Callable[[LeaderId], Notification]) -> bool:
        """Tell the job's leader, whoever it is by then.

        False: the job is watched no more, or had no leader for as long as a slot waits for one.
        """
        while (connection := self._jobs.get(job_id)) is not None:
            changed = connection.changed
            if connection.peer is not None and connection.leader_id is not None:
                try:
                    await connection.peer.notify(make(connection.leader_id))
                except UnknownJob:
                    return False
                except SlotdError:
                    pass  # the leader changes: wait for the next one
                else:
                    return True
            with trio.move_on_after(self._services.settings.slot_timeout_s) as patience:
                await changed.wait()
            if patience.cancelled_caught:
                return False
        return False

    async def _find(self, job_id: JobId, connection: _Connection) -> None:
        def announce(peer: Peer | None, leader: LeaderInformation | None) -> None:
            def announced(_: float) -> None:
                if self._jobs.get(job_id) is connection:
                    connection.peer = peer or connection.peer
                    self._announced(job_id, leader)

            self._mailbox.put(announced)

        await self._finder.find(job_id, connection.address, announce, connection.over)

    def _announced(self, job_id: JobId, leader: LeaderInformation | None) -> None:
        if leader is None:
            self._interpret(self._watch.leader_announced(job_id, None, None))
        else:
            self._interpret(
                self._watch.leader_announced(job_id, leader.fence.leader_id, leader.address)
            )

    def _interpret(self, effects: list[JobLeaderWatchEffect]) -> None:
        for effect in effects:
            match effect:
                case ConnectToJob():
                    self._connect(effect)
                case DisconnectFromJob():
                    self._disconnect(effect)

    def _connect(self, effect: ConnectToJob) -> None:
        connection = self._jobs[effect.job_id]
        connection.registering = trio.CancelScope()
        self._nursery.start_soon(self._register, effect, connection)

    async def _register(self, effect: ConnectToJob, connection: _Connection) -> None:
        request = RegisterExecutorAtJob(
            leader_id=effect.leader_id,
            job_id=effect.job_id,
            resource_id=self._resource_id,
            host=self._host,
        )
        peer = connection.peer
        if peer is None:
            return  # announced without a peer: only None is
        with connection.registering:
            await register(peer, request, self._services.settings.registration)
            self._mailbox.put(lambda now: self._registered(effect, connection, now))

    def _registered(self, effect: ConnectToJob, connection: _Connection, now: float) -> None:
        if self._watch.registered(effect.job_id, effect.leader_id):
            self.beats.unmonitor(effect.job_id)
            self.beats.monitor(effect.job_id, now)
            connection.lead(effect.leader_id)
            self._owner.job_connected(effect.job_id, effect.leader_id, now)

    def _disconnect(self, effect: DisconnectFromJob) -> None:
        connection = self._jobs[effect.job_id]
        connection.registering.cancel()
        self.beats.unmonitor(effect.job_id)
        connection.lead(None)
        self._owner.job_disconnected(
            effect.job_id, effect.leader_id, effect.cause, trio.current_time()
        )
