"""Election among the candidates of this process: changes are synchronous, only waiting waits."""

import itertools
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import attrs
import trio

from daemon.core.election import (
    CandidateId,
    Election,
    ElectionEffect,
    LeaderChanged,
    LeaderInformation,
    PastEpochs,
    TermEnded,
    TermGranted,
)
from protocol.ids import Component, Fence, LeaderId


@attrs.define(eq=False)
class _Term:
    fence: Fence
    over: trio.Event = attrs.field(factory=trio.Event)
    cause: str = ""


@attrs.define(eq=False)
class _Seat:
    """One component's election with those who take part in it."""

    election: Election
    new_leader_id: Callable[[], LeaderId]
    candidacies: "dict[CandidateId, EmbeddedCandidacy]" = attrs.field(
        factory=lambda: dict[CandidateId, EmbeddedCandidacy]()
    )
    listeners: int = 0
    changed: trio.Event = attrs.field(factory=trio.Event)

    @property
    def is_deserted(self) -> bool:
        return not self.candidacies and not self.listeners

    def interpret(self, effects: list[ElectionEffect]) -> None:
        for effect in effects:
            match effect:
                case TermGranted(candidate=candidate, fence=fence):
                    self.candidacies[candidate].begin(fence)
                case TermEnded(candidate=candidate, cause=cause):
                    self.candidacies[candidate].end(cause)
                case LeaderChanged():
                    pass  # listeners look at the election when they wake up
        self.changed.set()
        self.changed = trio.Event()


class EmbeddedCandidacy:
    """A candidate of this process; see ``Candidacy``."""

    def __init__(self, seat: _Seat) -> None:
        self._seat = seat
        self._current: _Term | None = None
        self._told: _Term | None = None

    def begin(self, fence: Fence) -> None:
        """This candidate has a term."""
        self._current = _Term(fence)

    def end(self, cause: str) -> None:
        """Its term is over."""
        term, self._current = self._current, None
        if term is not None:
            term.cause = cause
            term.over.set()

    async def granted(self) -> Fence:
        """Wait until this candidate has a term; while it has one, return that at once."""
        await trio.lowlevel.checkpoint()
        while self._current is None:
            await self._seat.changed.wait()
        self._told = self._current
        return self._told.fence

    def confirm(self, fence: Fence) -> bool:
        """Publish the leader. False: the term is over, or was confirmed before (L04)."""
        effects = self._seat.election.confirm(fence)
        self._seat.interpret(effects)
        return bool(effects)

    async def revoked(self, fence: Fence) -> str:
        """Wait until this term is over; return why."""
        for term in (self._told, self._current):
            if term is not None and term.fence == fence:
                await term.over.wait()
                return term.cause
        await trio.lowlevel.checkpoint()
        return "the term was over long ago"

    def resign(self, fence: Fence, cause: str) -> None:
        """End this term; a term that is over already is ignored."""
        seat = self._seat
        seat.interpret(seat.election.resign(fence, cause, seat.new_leader_id()))


class EmbeddedNews:
    """A listener of this process; see ``LeaderNews``."""

    def __init__(self, seat: _Seat) -> None:
        self._seat = seat
        self._is_first = True
        self._last: LeaderInformation | None = None

    async def changed(self) -> LeaderInformation | None:
        """Wait for another leader than at the last call, the first call for none."""
        await trio.lowlevel.checkpoint()
        while not self._is_first and self._seat.election.leader == self._last:
            await self._seat.changed.wait()
        self._is_first = False
        self._last = self._seat.election.leader
        return self._last


class EmbeddedElection:
    """All elections of this process (L02); see ``LeaderElection``."""

    def __init__(self, new_leader_id: Callable[[], LeaderId]) -> None:
        """``new_leader_id`` makes a fresh id for each term."""
        self._new_leader_id = new_leader_id
        self._candidate_ids = itertools.count()
        self._seats: dict[Component, _Seat] = {}
        self._past = PastEpochs()

    @asynccontextmanager
    async def campaign(
        self, component: Component, address: str
    ) -> AsyncGenerator[EmbeddedCandidacy, None]:
        """Be a candidate inside the block; leaving it withdraws, and revokes first (L10)."""
        seat = self._seat(component)
        candidate = CandidateId(next(self._candidate_ids))
        candidacy = seat.candidacies[candidate] = EmbeddedCandidacy(seat)
        seat.interpret(seat.election.join(candidate, address, self._new_leader_id()))
        try:
            yield candidacy
        finally:
            cause = "the candidate withdrew"
            seat.interpret(seat.election.leave(candidate, cause, self._new_leader_id()))
            del seat.candidacies[candidate]
            self._drop_if_deserted(component, seat)

    @asynccontextmanager
    async def listen(self, component: Component) -> AsyncGenerator[EmbeddedNews, None]:
        """Hear of the component's leaders inside the block."""
        seat = self._seat(component)
        seat.listeners += 1
        try:
            yield EmbeddedNews(seat)
        finally:
            seat.listeners -= 1
            self._drop_if_deserted(component, seat)

    def leader_of(self, component: Component) -> LeaderInformation | None:
        """The confirmed leader."""
        seat = self._seats.get(component)
        return seat.election.leader if seat else None

    def revoke(self, component: Component, cause: str) -> bool:
        """End the current term, confirmed or not, and grant the next. False: nobody has one."""
        seat = self._seats.get(component)
        if seat is None or not seat.election.is_held:
            return False
        seat.interpret(seat.election.revoke(cause, self._new_leader_id()))
        return True

    @property
    def components(self) -> list[Component]:
        """The components that somebody campaigns for or listens to; the rest is dropped."""
        return list(self._seats)

    def _seat(self, component: Component) -> _Seat:
        seat = self._seats.get(component)
        if seat is None:
            election = Election(component, self._past.revive(component))
            seat = self._seats[component] = _Seat(election, self._new_leader_id)
        return seat

    def _drop_if_deserted(self, component: Component, seat: _Seat) -> None:
        if seat.is_deserted:
            del self._seats[component]
            self._past.retire(component, seat.election.epoch)
