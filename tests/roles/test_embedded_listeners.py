"""The embedded election and its listeners: told at once, then of each change, never too early."""

import pytest
import trio
import trio.testing

from daemon.high_availability.elections import LeaderElection, LeaderInformation, LeaderNews
from protocol.ids import RESOURCE_MANAGER
from tests.roles.embedded_elections import HERE, leading, new_election


@pytest.fixture
def election() -> LeaderElection:
    return new_election()


async def waits(listener: LeaderNews) -> bool:
    """Whether the listener has no news at the moment."""
    with trio.move_on_after(0) as scope:
        await listener.changed()
    return scope.cancelled_caught


async def test_a_listener_hears_the_current_leader_at_once_and_then_each_change(
    election: LeaderElection,
) -> None:
    """L03, L05"""
    async with election.listen(RESOURCE_MANAGER) as early:
        assert await early.changed() is None
        assert await waits(early)
        async with election.campaign(RESOURCE_MANAGER, HERE) as candidacy:
            fence = await candidacy.granted()
            assert await waits(early), "granted is not confirmed"
            candidacy.confirm(fence)
            leader = LeaderInformation(RESOURCE_MANAGER, fence, HERE)
            assert await early.changed() == leader
            assert await waits(early)
            async with election.listen(RESOURCE_MANAGER) as late:
                assert await late.changed() == leader
                assert await waits(late)
        assert await early.changed() is None
        assert await waits(early)


async def test_a_listener_that_waits_is_woken(election: LeaderElection) -> None:
    """L03"""
    heard: list[LeaderInformation | None] = []

    async def listen() -> None:
        async with election.listen(RESOURCE_MANAGER) as news:
            while len(heard) < 3:
                heard.append(await news.changed())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        await trio.testing.wait_all_tasks_blocked()
        async with leading(election) as (_, fence):
            await trio.testing.wait_all_tasks_blocked()
    assert heard == [None, LeaderInformation(RESOURCE_MANAGER, fence, HERE), None]


async def test_a_slow_listener_hears_only_the_newest(election: LeaderElection) -> None:
    """L03"""
    async with election.listen(RESOURCE_MANAGER) as news:
        assert await news.changed() is None
        async with leading(election, "a:1"):
            pass
        assert await waits(news), "somebody came and went"
        async with leading(election, "b:1"):
            pass
        async with leading(election, "c:1") as (_, fence):
            assert await news.changed() == LeaderInformation(RESOURCE_MANAGER, fence, "c:1")


async def test_a_listener_that_is_cancelled_misses_nothing(election: LeaderElection) -> None:
    """L03: it hears the change at its next call."""
    async with election.listen(RESOURCE_MANAGER) as news:
        with trio.CancelScope() as scope:
            scope.cancel()
            await news.changed()
        assert scope.cancelled_caught
        assert await news.changed() is None


async def test_each_of_ten_candidates_gets_its_turn_and_listeners_follow(
    election: LeaderElection,
) -> None:
    """L06, L02, L05: the leader steps down again and again."""
    turns: list[str] = []
    followed: list[str] = []

    async def lead(address: str) -> None:
        async with election.campaign(RESOURCE_MANAGER, address) as candidacy:
            fence = await candidacy.granted()
            turns.append(address)
            candidacy.confirm(fence)
            await candidacy.revoked(fence)

    async with trio.open_nursery() as nursery, election.listen(RESOURCE_MANAGER) as news:
        for number in range(10):
            nursery.start_soon(lead, f"h:{number}")
        while len(followed) < 10:
            leader = await news.changed()
            if leader is not None:
                assert leader.fence.epoch == len(followed) + 1
                followed.append(leader.address)
                election.revoke(RESOURCE_MANAGER, "next, please")
    assert sorted(turns) == [f"h:{number}" for number in range(10)]
    assert followed == turns
    assert election.leader_of(RESOURCE_MANAGER) is None
