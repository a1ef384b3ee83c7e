"""Leadership as a cancel scope: a term's state is made inside it and dies with it."""

from collections.abc import Awaitable, Callable

import attrs
import trio

from daemon.high_availability.elections import Candidacy, LeaderElection
from daemon.roles.newsroom import Newsroom
from protocol.errors import NotLeader
from protocol.ids import Component, Fence
from protocol.news import LeaderGranted, LeaderRevoked


@attrs.define(eq=False)
class Term:
    """One term of one leader. ``cause`` says why it ended, once it has."""

    component: Component
    fence: Fence
    address: str
    _candidacy: Candidacy
    _newsroom: Newsroom
    confirmed: bool = False
    cause: str = "the role ended"

    def confirm(self) -> None:
        """The state is ready: publish the leader (G03, L03); not if the term is over (L15)."""
        self.confirmed = self._candidacy.confirm(self.fence)
        if not self.confirmed:
            return
        self._newsroom.publish(
            LeaderGranted(self.component, self.fence.leader_id, self.fence.epoch, self.address)
        )

    def over(self) -> NotLeader:
        """The error for whoever still waits for this term."""
        return NotLeader(
            f"{self.component}: leadership of epoch {self.fence.epoch} ended: {self.cause}"
        )


async def lead(
    election: LeaderElection,
    newsroom: Newsroom,
    component: Component,
    address: str,
    run_term: Callable[[Term], Awaitable[None]],
) -> None:
    """Campaign for ``component``; run each granted term until it is revoked (G03, G04, L15).

    Returns when ``run_term`` returns by itself. Terms never overlap: the next grant is awaited only
    after the last task of the term before has ended (X515).
    """
    async with election.campaign(component, address) as candidacy:
        finished = False
        while not finished:
            fence = await candidacy.granted()
            term = Term(component, fence, address, candidacy, newsroom)
            try:
                finished = await _until_revoked(candidacy, term, run_term)
            finally:
                if term.confirmed:
                    newsroom.publish(
                        LeaderRevoked(component, fence.leader_id, fence.epoch, term.cause)
                    )


async def _until_revoked(
    candidacy: Candidacy, term: Term, run_term: Callable[[Term], Awaitable[None]]
) -> bool:
    async with trio.open_nursery() as nursery:

        async def watch() -> None:
            term.cause = await candidacy.revoked(term.fence)
            nursery.cancel_scope.cancel()

        nursery.start_soon(watch)
        await run_term(term)
        nursery.cancel_scope.cancel()
        return True
    return False
