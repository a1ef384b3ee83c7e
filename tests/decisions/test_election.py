"""The election of one component: turns, terms, confirmation, and epochs that only go up."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.election import (
    CandidateId,
    Election,
    LeaderChanged,
    LeaderInformation,
    PastEpochs,
    TermEnded,
    TermGranted,
)
from protocol.ids import RESOURCE_MANAGER, Component, Fence, LeaderId

A, B, C = CandidateId(1), CandidateId(2), CandidateId(3)
L1, L2, L3, L4 = (LeaderId(f"leader-{n}") for n in range(1, 5))
F1, F2, F3 = Fence(1, L1), Fence(2, L2), Fence(3, L3)


def leader(fence: Fence, address: str) -> LeaderInformation:
    return LeaderInformation(RESOURCE_MANAGER, fence, address)


@pytest.fixture
def election() -> Iterator[Election]:
    election = Election(RESOURCE_MANAGER)
    yield election
    election.check_invariants()


def test_a_candidate_that_is_alone_is_granted_at_once(election: Election) -> None:
    """L01, G01"""
    assert not election.is_held
    assert election.join(A, "a:1", L1) == [TermGranted(A, F1)]
    assert election.is_held
    assert election.leader is None, "not confirmed yet"


def test_while_one_leads_the_others_wait(election: Election) -> None:
    """L02"""
    election.join(A, "a:1", L1)
    assert election.join(B, "b:1", L2) == []


def test_listeners_hear_of_a_leader_only_when_it_has_confirmed(election: Election) -> None:
    """L03, G01, G03"""
    election.join(A, "a:1", L1)
    assert election.confirm(F1) == [LeaderChanged(leader(F1, "a:1"))]
    assert election.leader == leader(F1, "a:1")
    assert election.confirm(F1) == [], "once"


@pytest.mark.parametrize("stale", [Fence(1, L2), Fence(2, L1), Fence(0, L1), F2])
def test_confirming_another_term_than_the_granted_one_is_ignored(
    election: Election, stale: Fence
) -> None:
    """L04"""
    election.join(A, "a:1", L1)
    assert election.confirm(stale) == []
    assert election.leader is None


def test_a_confirmation_that_comes_after_the_revocation_is_not_published(
    election: Election,
) -> None:
    """L15, X515"""
    election.join(A, "a:1", L1)
    assert election.revoke("drill", L2) == [TermEnded(A, F1, "drill"), TermGranted(A, F2)]
    assert election.confirm(F1) == []
    assert election.leader is None
    assert election.confirm(F2) == [LeaderChanged(leader(F2, "a:1"))]


def test_when_the_leader_leaves_it_is_revoked_and_the_next_is_granted_a_new_id(
    election: Election,
) -> None:
    """L05, L10"""
    election.join(A, "a:1", L1)
    election.join(B, "b:1", L2)
    election.confirm(F1)
    assert election.leave(A, "it withdrew", L2) == [
        TermEnded(A, F1, "it withdrew"),
        LeaderChanged(None),
        TermGranted(B, F2),
    ]
    assert election.leader is None


def test_when_the_last_candidate_leaves_nobody_leads(election: Election) -> None:
    """L05, L10, G01"""
    election.join(A, "a:1", L1)
    election.confirm(F1)
    assert election.leave(A, "it withdrew", L2) == [
        TermEnded(A, F1, "it withdrew"),
        LeaderChanged(None),
    ]
    assert not election.is_held


def test_a_leader_that_never_confirmed_leaves_unheard_of(election: Election) -> None:
    """L03: the listeners never heard of it."""
    election.join(A, "a:1", L1)
    assert election.leave(A, "it withdrew", L2) == [TermEnded(A, F1, "it withdrew")]


def test_a_candidate_that_waits_may_leave_and_leaving_twice_is_harmless(
    election: Election,
) -> None:
    """G02"""
    election.join(A, "a:1", L1)
    election.join(B, "b:1", L2)
    assert election.leave(B, "it withdrew", L2) == []
    assert election.leave(B, "it withdrew", L2) == []
    assert election.leave(A, "it withdrew", L2) == [TermEnded(A, F1, "it withdrew")]


def test_a_leader_that_is_revoked_goes_to_the_end_of_the_queue(election: Election) -> None:
    """L06"""
    for candidate in (A, B, C):
        election.join(candidate, f"{candidate}:1", L1)
    assert election.revoke("drill", L2) == [TermEnded(A, F1, "drill"), TermGranted(B, F2)]
    assert election.revoke("drill", L3) == [TermEnded(B, F2, "drill"), TermGranted(C, F3)]
    assert election.revoke("drill", L4) == [
        TermEnded(C, F3, "drill"),
        TermGranted(A, Fence(4, L4)),
    ]


def test_a_leader_may_resign_its_own_term_and_no_other(election: Election) -> None:
    """L04, L05"""
    election.join(A, "a:1", L1)
    election.join(B, "b:1", L1)
    election.confirm(F1)
    assert election.resign(F2, "crashed", L2) == []
    assert election.resign(F1, "crashed", L2) == [
        TermEnded(A, F1, "crashed"),
        LeaderChanged(None),
        TermGranted(B, F2),
    ]
    assert election.resign(F1, "again", L3) == []


def test_revoking_when_nobody_has_a_term_does_nothing(election: Election) -> None:
    """G02"""
    assert election.revoke("drill", L1) == []
    assert election.resign(F1, "crashed", L1) == []
    assert election.confirm(F1) == []


def test_a_component_that_returns_goes_on_with_its_epochs() -> None:
    """L05"""
    past = PastEpochs()
    past.retire(RESOURCE_MANAGER, 7)
    assert past.revive(Component("job_master/1")) == 0
    election = Election(RESOURCE_MANAGER, past.revive(RESOURCE_MANAGER))
    assert election.join(A, "a:1", L1) == [TermGranted(A, Fence(8, L1))]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 3)), max_size=60))
def test_epochs_never_go_down_although_few_are_remembered(visits: list[tuple[int, int]]) -> None:
    """L05: each visit of a component has some terms."""
    past = PastEpochs(limit=2)
    highest: dict[Component, int] = {}
    for number, terms in visits:
        component = Component(f"job_master/{number}")
        epoch = past.revive(component)
        assert epoch >= highest.get(component, 0)
        highest[component] = epoch + terms
        past.retire(component, epoch + terms)
        assert len(past) <= 2


steps = st.lists(
    st.tuples(
        st.sampled_from(["join", "leave", "revoke", "confirm", "resign"]),
        st.integers(0, 3),
        st.integers(0, 2),
    ),
    max_size=40,
)


@given(steps)
def test_in_any_order_one_leads_at_a_time_and_epochs_go_up(
    inputs: list[tuple[str, int, int]],
) -> None:
    """L02-L05: every term is granted once and ended once, and only its own confirmation counts."""
    election = Election(RESOURCE_MANAGER)
    joined: set[CandidateId] = set()
    granted: list[TermGranted] = []
    for serial, (what, number, back) in enumerate(inputs):
        candidate, fresh = CandidateId(number), LeaderId(f"{serial}")
        fence = granted[-1 - back].fence if len(granted) > back else F1
        if what == "join" and candidate not in joined:
            joined.add(candidate)
            effects = election.join(candidate, "x:1", fresh)
        elif what == "leave":
            joined.discard(candidate)
            effects = election.leave(candidate, "left", fresh)
        elif what == "revoke":
            effects = election.revoke("drill", fresh)
        elif what == "confirm":
            effects = election.confirm(fence)
            assert not effects or back == 0
        else:
            effects = election.resign(fence, "resigned", fresh)
            assert not effects or back == 0
        ended = [e for e in effects if isinstance(e, TermEnded)]
        assert [e.fence for e in ended] == ([granted[-1].fence] if ended else [])
        for effect in effects:
            if isinstance(effect, TermGranted):
                assert not granted or effect.fence.epoch > granted[-1].fence.epoch
                assert effect.candidate in joined
                granted.append(effect)
        election.check_invariants()
        assert election.is_held == bool(joined)
