"""Where the leader of a job is: elected in this process, or somebody to dial and ask."""

import math
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import attrs
import trio

from daemon.core.registration import Attempt, RegistrationOutcome, first_attempt, next_attempt
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

    async def find(self, job_id: JobId, address: str, announce: Announce, over: trio.Event) -> None:
        """Announce each leader of the job, and None between two, until ``over``.

        A connection is hung up then, after what was still to be said over it.
        """
        if self.book.is_near(address):
            await until_one(over.wait, lambda: self._listen(job_id, announce))
        else:
            await self._dial(job_id, address, announce, over)

    async def _listen(self, job_id: JobId, announce: Announce) -> None:
        peer = self.book.near(self.caller)
        async with self.services.election.listen(job_master(job_id)) as news:
            while True:
                announce(peer, await news.changed())

    async def _dial(
        self, job_id: JobId, address: str, announce: Announce, over: trio.Event
    ) -> None:
        settings = self.services.settings.registration
        attempt = first_attempt(settings)
        while not over.is_set():
            with trio.move_on_after(attempt.delay_s):
                await over.wait()
                return
            try:
                await self._stay(job_id, address, announce, over)
            except trio.TooSlowError:
                attempt = next_attempt(settings, attempt, RegistrationOutcome.TIMED_OUT)
            except (SlotdError, OSError):
                attempt = next_attempt(settings, attempt, RegistrationOutcome.FAILED)
            else:  # it was there, so it may be back soon
                attempt = Attempt(settings.initial_timeout_s, settings.initial_timeout_s)
            announce(None, None)

    async def _stay(
        self, job_id: JobId, address: str, announce: Announce, over: trio.Event
    ) -> None:
        """Raises SlotdError, OSError, TooSlowError: the leader was not found there."""
        with trio.fail_after(self.services.settings.rpc_timeout_s) as patience:
            async with self.dial(address, self.gateway) as peer:
                found = await peer.call(FindJobMaster(job_id))
                patience.deadline = math.inf
                fence = Fence(0, found.leader_id)
                announce(peer, LeaderInformation(job_master(job_id), fence, found.address))
                await until_one(peer.gone, over.wait)


async def until_one(*waits: Callable[[], Awaitable[object]]) -> None:
    """Run all until the first returns."""
    async with trio.open_nursery() as nursery:

        async def wait_for(wait: Callable[[], Awaitable[object]]) -> None:
            await wait()
            nursery.cancel_scope.cancel()

        for wait in waits:
            nursery.start_soon(wait_for, wait)
