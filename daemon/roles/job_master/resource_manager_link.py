"""A JobMaster's link to the leading ResourceManager: registered, watched, renewed when lost."""

import math
from typing import Protocol

import trio

from daemon.high_availability.elections import LeaderInformation
from daemon.roles.calls import Calls
from daemon.roles.leadership import Term
from daemon.roles.links import follow_leader, register
from daemon.roles.mailbox import Mailbox
from daemon.roles.peer_book import NearCaller, PeerBook
from daemon.roles.services import Services
from daemon.wire.peers import Peer
from protocol.ids import RESOURCE_MANAGER, JobId, LeaderId
from protocol.messages.resource_manager import DisconnectJobMaster, RegisterJobMaster


class Registered(Protocol):
    """Who wants to know whether there is a ResourceManager."""

    def connect(self, peer: Peer, leader_id: LeaderId, now: float) -> None:
        """Registered there."""
        ...

    def disconnect(self, now: float) -> None:
        """Not any more."""
        ...


class ResourceManagerLink:
    """H06, H08, H09, H10, X505: reconnects until the term ends."""

    def __init__(
        self,
        job_id: JobId,
        term: Term,
        services: Services,
        book: PeerBook,
        mailbox: Mailbox,
        owner: Registered,
    ) -> None:
        self._job_id = job_id
        self._term = term
        self._services = services
        self._mailbox = mailbox
        self._owner = owner
        self._caller = NearCaller(term.component, book.near(NearCaller("resource_manager")))
        self._peer = book.near(self._caller)
        self._book = book
        self._leader: LeaderInformation | None = None
        self._lost = trio.Event()
        self._deadline = math.inf

    async def run(self) -> None:
        """Follow the leadership of the ResourceManager; cancelled with the term."""
        try:
            await follow_leader(self._services.election, RESOURCE_MANAGER, self._stay)
        finally:
            self._book.hung_up(self._caller)

    async def _stay(self, leader: LeaderInformation) -> None:
        leader_id = leader.fence.leader_id
        request = RegisterJobMaster(
            leader_id=leader_id,
            job_id=self._job_id,
            job_master_id=self._term.fence.leader_id,
            address=self._services.address,
        )
        while True:
            await register(self._peer, request, self._services.settings.registration)
            self._lost = trio.Event()
            self._leader = leader
            self._mailbox.put(lambda now: self._connected(leader_id, now))
            try:
                await self._lost.wait()
            finally:
                self._leader = None
                self._mailbox.put(self._disconnected)

    def _connected(self, leader_id: LeaderId, now: float) -> None:
        self.beat(now)
        self._owner.connect(self._peer, leader_id, now)

    def _disconnected(self, now: float) -> None:
        self._deadline = math.inf
        self._owner.disconnect(now)

    @property
    def next_deadline(self) -> float:
        """When silence becomes a loss."""
        return self._deadline

    def beat(self, now: float) -> None:
        """The ResourceManager lives."""
        self._deadline = now + self._services.settings.heartbeat_timeout_s

    def expire(self, now: float) -> None:
        """Silent for too long: register again, which keeps the requests that it has (H08)."""
        if now >= self._deadline:
            self._deadline = math.inf
            self._lost.set()

    def leave(self, calls: Calls, cause: str) -> None:
        """The job is over: say goodbye (G23)."""
        if self._leader is not None:
            goodbye = DisconnectJobMaster(
                leader_id=self._leader.fence.leader_id,
                job_id=self._job_id,
                job_master_id=self._term.fence.leader_id,
                cause=cause,
            )
            calls.tell(self._peer, goodbye)
