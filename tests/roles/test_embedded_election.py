"""The embedded election and its candidates: grants, revocations, resignations, turns."""

from contextlib import AsyncExitStack

import pytest
import trio
import trio.testing

from daemon.high_availability.elections import Candidacy, LeaderElection, LeaderInformation
from protocol.ids import RESOURCE_MANAGER, Fence, JobId, LeaderId, job_master
from tests.roles.embedded_elections import HERE, leading, new_election

JOB = job_master(JobId("job-1"))


@pytest.fixture
def election() -> LeaderElection:
    return new_election()


async def test_a_single_candidate_leads_at_once_and_nobody_after_it_left(
    election: LeaderElection,
) -> None:
    """L01, G01: a leader after the grant and its confirmation, none before and none afterwards."""
    assert election.leader_of(RESOURCE_MANAGER) is None
    async with election.campaign(RESOURCE_MANAGER, HERE) as candidacy:
        fence = await candidacy.granted()
        assert fence.epoch == 1
        assert election.leader_of(RESOURCE_MANAGER) is None
        assert candidacy.confirm(fence)
        assert election.leader_of(RESOURCE_MANAGER) == LeaderInformation(
            RESOURCE_MANAGER, fence, HERE
        )
    assert election.leader_of(RESOURCE_MANAGER) is None


async def test_asking_for_the_grant_again_gives_the_same_term(election: LeaderElection) -> None:
    async with election.campaign(RESOURCE_MANAGER, HERE) as candidacy:
        assert await candidacy.granted() == await candidacy.granted()


async def test_components_have_elections_of_their_own(election: LeaderElection) -> None:
    """L02"""
    async with leading(election), election.campaign(JOB, HERE) as candidacy:
        fence = await candidacy.granted()
        assert fence.epoch == 1
        assert election.leader_of(JOB) is None
        assert election.leader_of(RESOURCE_MANAGER) is not None
        assert not candidacy.confirm(Fence(1, LeaderId("of another election")))


async def test_a_leader_hears_that_it_is_revoked_and_why(election: LeaderElection) -> None:
    """L05, G04"""
    async with leading(election) as (candidacy, fence):
        causes: list[str] = []

        async def hear() -> None:
            causes.append(await candidacy.revoked(fence))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(hear)
            await trio.testing.wait_all_tasks_blocked()
            assert causes == []
            assert election.revoke(RESOURCE_MANAGER, "a drill")
        assert causes == ["a drill"]
        assert await candidacy.revoked(fence) == "a drill", "who asks late is told too"
        assert election.leader_of(RESOURCE_MANAGER) is None
        again = await candidacy.granted()
        assert (again.epoch, again.leader_id != fence.leader_id) == (2, True)


async def test_a_leader_that_leaves_is_revoked_first(election: LeaderElection) -> None:
    """L10, G02: its term is over before the block is left, and the next candidate has one."""
    async with AsyncExitStack() as stack:
        async with election.campaign(RESOURCE_MANAGER, "a:1") as first:
            fence = await first.granted()
            second = await stack.enter_async_context(election.campaign(RESOURCE_MANAGER, "b:1"))
        assert await first.revoked(fence) == "the candidate withdrew"
        assert not first.confirm(fence)
        assert (await second.granted()).epoch == 2


async def test_a_candidate_whose_block_is_cancelled_withdraws(election: LeaderElection) -> None:
    """L09, L10, X514: withdrawing waits for nothing, so it cannot be cancelled itself."""
    with trio.CancelScope() as scope:
        async with leading(election):
            scope.cancel()
            await trio.sleep_forever()
    assert election.leader_of(RESOURCE_MANAGER) is None
    assert not election.revoke(RESOURCE_MANAGER, "a drill")


async def test_a_candidate_may_leave_before_it_is_granted(election: LeaderElection) -> None:
    """G02, H15"""
    async with leading(election) as (_, fence):
        async with election.campaign(RESOURCE_MANAGER, "b:1") as candidacy:
            with trio.move_on_after(0) as scope:
                await candidacy.granted()
            assert scope.cancelled_caught
        leader = election.leader_of(RESOURCE_MANAGER)
        assert leader is not None
        assert leader.fence == fence


async def test_a_stale_confirmation_is_not_published(election: LeaderElection) -> None:
    """L04, L15, X515: the term was revoked, and granted anew, before its role was ready."""
    async with election.campaign(RESOURCE_MANAGER, HERE) as candidacy:
        first = await candidacy.granted()
        assert election.revoke(RESOURCE_MANAGER, "a drill")
        assert not candidacy.confirm(first)
        assert election.leader_of(RESOURCE_MANAGER) is None
        second = await candidacy.granted()
        assert candidacy.confirm(second)
        assert not candidacy.confirm(second), "once"


async def test_quick_grants_and_revocations_leave_only_the_newest_term(
    election: LeaderElection,
) -> None:
    """L15: nothing queues up; terms that nobody saw are not seen later."""
    async with election.campaign(RESOURCE_MANAGER, HERE) as candidacy:
        first = await candidacy.granted()
        for _ in range(5):
            assert election.revoke(RESOURCE_MANAGER, "a drill")
        assert await candidacy.revoked(first) == "a drill"
        assert (await candidacy.granted()).epoch == 6
        assert await candidacy.revoked(Fence(3, LeaderId("3"))) == "the term was over long ago"


async def test_terms_of_one_candidate_never_overlap(election: LeaderElection) -> None:
    """H01, L15, X515: grant, revoke, grant while the role of the first term is still ending."""
    running = 0
    most = 0
    epochs: list[int] = []

    async def lead() -> None:
        nonlocal running, most
        async with election.campaign(RESOURCE_MANAGER, HERE) as candidacy:
            while len(epochs) < 4:
                fence = await candidacy.granted()
                running += 1
                most = max(most, running)
                epochs.append(fence.epoch)
                candidacy.confirm(fence)
                await candidacy.revoked(fence)
                await trio.testing.wait_all_tasks_blocked()  # it takes time to end
                running -= 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(lead)
        await trio.testing.wait_all_tasks_blocked()
        while len(epochs) < 4:
            election.revoke(RESOURCE_MANAGER, "a drill")
            election.revoke(RESOURCE_MANAGER, "another at once")
            await trio.testing.wait_all_tasks_blocked()
        election.revoke(RESOURCE_MANAGER, "the last")
    assert most == 1
    assert epochs == sorted(set(epochs))


async def test_a_leader_may_resign(election: LeaderElection) -> None:
    """A role that crashed ends its term, and a new one begins."""
    async with leading(election) as (candidacy, fence):
        candidacy.resign(Fence(7, fence.leader_id), "not its term")
        assert election.leader_of(RESOURCE_MANAGER) is not None
        candidacy.resign(fence, "it crashed")
        assert await candidacy.revoked(fence) == "it crashed"
        assert (await candidacy.granted()).epoch == 2


async def test_revoking_where_nobody_has_a_term_says_so(election: LeaderElection) -> None:
    """G02"""
    assert not election.revoke(RESOURCE_MANAGER, "a drill")
    async with election.listen(RESOURCE_MANAGER):
        assert not election.revoke(RESOURCE_MANAGER, "a drill")


async def test_thirty_rounds_of_three_candidates_with_a_replacement_each_time(
    election: LeaderElection,
) -> None:
    """L06: whoever led leaves, somebody new comes; ids are never used twice."""
    async with AsyncExitStack() as stack:
        places = [AsyncExitStack() for _ in range(3)]
        candidacies: list[Candidacy] = []
        for place in places:
            await stack.enter_async_context(place)
            candidacies.append(
                await place.enter_async_context(election.campaign(RESOURCE_MANAGER, HERE))
            )
        seen: list[Fence] = []
        for round_ in range(30):
            turn = round_ % 3
            fence = await candidacies[turn].granted()
            assert candidacies[turn].confirm(fence)
            seen.append(fence)
            await places[turn].aclose()
            candidacies[turn] = await places[turn].enter_async_context(
                election.campaign(RESOURCE_MANAGER, HERE)
            )
        assert seen == sorted(seen)
        assert len({fence.leader_id for fence in seen}) == 30


async def test_a_job_that_comes_back_goes_on_with_its_epochs(election: LeaderElection) -> None:
    """L05: the same job id opened, closed and opened again."""
    for epoch in (1, 2, 3):
        async with election.campaign(JOB, HERE) as candidacy:
            assert (await candidacy.granted()).epoch == epoch


async def test_an_election_that_nobody_takes_part_in_is_dropped() -> None:
    """L05: a daemon that runs a million jobs keeps none of their elections."""
    election = new_election()
    async with election.listen(JOB), election.campaign(RESOURCE_MANAGER, HERE):
        async with election.campaign(JOB, HERE):
            assert sorted(election.components) == sorted([JOB, RESOURCE_MANAGER])
        assert sorted(election.components) == sorted([JOB, RESOURCE_MANAGER])
    assert election.components == []


async def test_waiting_for_a_grant_under_a_deadline_costs_nothing(
    election: LeaderElection, autojump_clock: trio.testing.MockClock
) -> None:
    """G02: a wait that is cancelled takes no term along; the next wait gets it."""
    start = trio.current_time()
    async with AsyncExitStack() as stack:
        async with leading(election, "a:1"):
            second = await stack.enter_async_context(election.campaign(RESOURCE_MANAGER, "b:1"))
            with trio.move_on_after(5) as scope:
                await second.granted()
            assert scope.cancelled_caught
            assert trio.current_time() == start + 5
        assert (await second.granted()).epoch == 2
