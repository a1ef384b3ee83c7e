"""Where the leader of a job is: elected in this process, or somebody to dial and ask."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import attrs
import trio

from daemon.core.registration import RegistrationOutcome, first_attempt, next_attempt
from daemon.high_availability.elections import LeaderInformation
from daemon.roles.peer_book import PeerBook
from daemon.roles.services import Services
from daemon.wire.peers import Caller, Gateway, Peer
from protocol.errors import SlotdError
from protocol.ids import Fence, JobId, job_master
from protocol.messages.job_master import FindJobMaster

Announce = Callable[[Peer | None, LeaderInformation | None], None]
Dial = Callable[[str, Gateway], AbstractAsyncContextManager[Peer]]
"""Connects to ``host:port`` and says hello; the connection serves this executor's methods too."""


@attrs.frozen(eq=False)
class JobFinder:
    """For one executor, known to others as ``caller``."""

    services: Services
    book: PeerBook
    caller: Caller
    dial: Dial
    gateway: Gateway

    async def find(self, job_id: JobId, address: str, announce: Announce) -> None:
        """Announce each leader of the job, and None between two, until cancelled."""
        if self.book.is_near(address):
            await self._listen(job_id, announce)
        else:
            await self._dial(job_id, address, announce)

    async def _listen(self, job_id: JobId, announce: Announce) -> None:
        peer = self.book.near(self.caller)
        async with self.services.election.listen(job_master(job_id)) as news:
            while True:
                announce(peer, await news.changed())

    async def _dial(self, job_id: JobId, address: str, announce: Announce) -> None:
        settings = self.services.settings.registration
        attempt = first_attempt(settings)
        while True:
            await trio.sleep(attempt.delay_s)
            try:
                async with self.dial(address, self.gateway) as peer:
                    with trio.fail_after(self.services.settings.rpc_timeout_s):
                        found = await peer.call(FindJobMaster(job_id))
                    leader = LeaderInformation(
                        job_master(job_id), Fence(0, found.leader_id), found.address
                    )
                    announce(peer, leader)
                    attempt = first_attempt(settings)
                    await peer.gone()
            except trio.TooSlowError:
                outcome = RegistrationOutcome.TIMED_OUT
            except (SlotdError, OSError):
                outcome = RegistrationOutcome.FAILED
            else:
                outcome = RegistrationOutcome.FAILED
            announce(None, None)
            attempt = next_attempt(settings, attempt, outcome)
