"""Who leads one component, in which term: candidates take turns, one leads, epochs only go up."""

from typing import NewType, TypeAlias

import attrs

from protocol.ids import Component, Fence, LeaderId

CandidateId = NewType("CandidateId", int)


@attrs.frozen
class LeaderInformation:
    """A confirmed leader. ``address`` is ``host:port``."""

    component: Component
    fence: Fence
    address: str


@attrs.frozen
class TermGranted:
    """Tell the candidate: it leads once it has confirmed this term."""

    candidate: CandidateId
    fence: Fence


@attrs.frozen
class TermEnded:
    """Tell the candidate: this term is over."""

    candidate: CandidateId
    fence: Fence
    cause: str


@attrs.frozen
class LeaderChanged:
    """Tell the listeners who leads; None: nobody (L05)."""

    leader: LeaderInformation | None


ElectionEffect: TypeAlias = TermGranted | TermEnded | LeaderChanged


@attrs.frozen
class _Granted:
    candidate: CandidateId
    fence: Fence


@attrs.frozen
class _Confirmed:
    candidate: CandidateId
    leader: LeaderInformation

    @property
    def fence(self) -> Fence:
        return self.leader.fence


class Election:
    """The election of one component. Whoever may grant a term is given a fresh ``leader_id``.

    A candidate whose term ended goes to the end of the queue, so each gets its turn (L06).
    """

    def __init__(self, component: Component, epoch: int = 0) -> None:
        """``epoch``: the highest that the component ever had."""
        self._component = component
        self._epoch = epoch
        self._addresses: dict[CandidateId, str] = {}
        self._term: _Granted | _Confirmed | None = None

    @property
    def epoch(self) -> int:
        """The epoch of the newest term; 0 before the first."""
        return self._epoch

    @property
    def is_held(self) -> bool:
        """Whether a term is granted, confirmed or not."""
        return self._term is not None

    @property
    def leader(self) -> LeaderInformation | None:
        """The confirmed leader (L03)."""
        return self._term.leader if isinstance(self._term, _Confirmed) else None

    def join(
        self, candidate: CandidateId, address: str, leader_id: LeaderId
    ) -> list[ElectionEffect]:
        """A new candidate, last in the queue; granted at once if there is no other (L01)."""
        assert candidate not in self._addresses, f"candidate {candidate} is one already"
        self._addresses[candidate] = address
        return [] if self._term else self._grant(leader_id)

    def leave(
        self, candidate: CandidateId, cause: str, leader_id: LeaderId
    ) -> list[ElectionEffect]:
        """A candidate withdraws, revoked first if it leads (L05, L10); unknown ones are ignored."""
        self._addresses.pop(candidate, None)
        if self._term is None or self._term.candidate != candidate:
            return []
        return self._end(self._term, cause) + self._grant(leader_id)

    def confirm(self, fence: Fence) -> list[ElectionEffect]:
        """The leader is ready. Another fence than the granted one is ignored (L04, L15)."""
        if not isinstance(self._term, _Granted) or self._term.fence != fence:
            return []
        candidate = self._term.candidate
        leader = LeaderInformation(self._component, fence, self._addresses[candidate])
        self._term = _Confirmed(candidate, leader)
        return [LeaderChanged(leader)]

    def resign(self, fence: Fence, cause: str, leader_id: LeaderId) -> list[ElectionEffect]:
        """End this term and grant the next; a term that is over is ignored."""
        if self._term is None or self._term.fence != fence:
            return []
        return self.revoke(cause, leader_id)

    def revoke(self, cause: str, leader_id: LeaderId) -> list[ElectionEffect]:
        """End the current term, if there is one, and grant the next."""
        if self._term is None:
            return []
        candidate = self._term.candidate
        self._addresses[candidate] = self._addresses.pop(candidate)
        return self._end(self._term, cause) + self._grant(leader_id)

    def _end(self, term: _Granted | _Confirmed, cause: str) -> list[ElectionEffect]:
        self._term = None
        ended = TermEnded(term.candidate, term.fence, cause)
        return [ended, LeaderChanged(None)] if isinstance(term, _Confirmed) else [ended]

    def _grant(self, leader_id: LeaderId) -> list[ElectionEffect]:
        if not self._addresses:
            return []
        self._epoch += 1
        self._term = _Granted(next(iter(self._addresses)), Fence(self._epoch, leader_id))
        return [TermGranted(self._term.candidate, self._term.fence)]

    def check_invariants(self) -> None:
        """Assert that somebody has the term exactly while there are candidates."""
        assert (self._term is None) == (not self._addresses)
        if self._term is not None:
            assert self._term.candidate in self._addresses
            assert self._term.fence.epoch == self._epoch


class PastEpochs:
    """The epochs of components without an election, so that one that returns goes on from there.

    Bounded: beyond ``limit`` components, the oldest is forgotten and every new one starts above it.
    """

    def __init__(self, limit: int = 4096) -> None:
        self._limit = limit
        self._epochs: dict[Component, int] = {}
        self._floor = 0

    def retire(self, component: Component, epoch: int) -> None:
        """The component's election is over; ``epoch`` was its newest."""
        self._epochs[component] = epoch
        if len(self._epochs) > self._limit:
            self._floor = max(self._floor, self._epochs.pop(next(iter(self._epochs))))

    def revive(self, component: Component) -> int:
        """An epoch that is at least the highest that the component ever had."""
        return self._epochs.pop(component, self._floor)

    def __len__(self) -> int:
        return len(self._epochs)
