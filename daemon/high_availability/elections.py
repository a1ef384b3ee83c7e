"""Leader election and retrieval behind one interface, whatever the backend (section L)."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from daemon.core.election import LeaderInformation
from protocol.ids import Component, Fence

__all__ = ["Candidacy", "LeaderElection", "LeaderInformation", "LeaderNews"]


class Candidacy(Protocol):
    """One candidate's part in an election."""

    async def granted(self) -> Fence:
        """Wait until this candidate has a term; while it has one, return that at once."""
        ...

    def confirm(self, fence: Fence) -> bool:
        """Ready to lead: listeners see the leader only now (L03).

        False, and nothing is published: the term is over, or was confirmed before (L04, L15).
        """
        ...

    async def revoked(self, fence: Fence) -> str:
        """Wait until this term is over; return why."""
        ...

    def resign(self, fence: Fence, cause: str) -> None:
        """End this term; a term that is over already is ignored."""
        ...


class LeaderNews(Protocol):
    """What one listener hears of a component's leader."""

    async def changed(self) -> LeaderInformation | None:
        """Wait for another leader than at the last call; the first call waits for nothing.

        None: nobody leads. Only the newest is kept: who comes back late misses what was in between.
        """
        ...


class LeaderElection(Protocol):
    """One election for each component, in this process or shared with others."""

    def campaign(
        self, component: Component, address: str
    ) -> AbstractAsyncContextManager[Candidacy]:
        """Be a candidate inside the block; leaving it withdraws, and revokes first (L10)."""
        ...

    def listen(self, component: Component) -> AbstractAsyncContextManager[LeaderNews]:
        """Hear of the component's leaders inside the block."""
        ...

    def leader_of(self, component: Component) -> LeaderInformation | None:
        """The confirmed leader, as far as is known here."""
        ...

    def revoke(self, component: Component, cause: str) -> bool:
        """A drill: the current term ends and the next is granted, to the next candidate in turn.

        A candidate that is alone is granted again. False when nobody has a term.
        """
        ...
