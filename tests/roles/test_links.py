"""Registering until it works, and following a leader: every pause and every timeout, exactly."""

import math
from typing import Any, TypeVar

import pytest
import trio
import trio.testing

from daemon.core.registration import RegistrationSettings
from daemon.high_availability.elections import LeaderInformation
from daemon.roles.calls import CallTimedOut
from daemon.roles.links import follow_leader, register
from daemon.wire.peers import Peer, PendingCall
from protocol.errors import InvalidParams, NotLeader, Overloaded, PeerGone, SlotdError
from protocol.ids import RESOURCE_MANAGER, JobId, LeaderId
from protocol.messages.calls import Notification, Request
from protocol.messages.resource_manager import JobMasterRegistered, RegisterJobMaster
from tests.roles.embedded_elections import HERE, leading, new_election

R = TypeVar("R")

SETTINGS = RegistrationSettings(
    initial_timeout_s=0.25, max_timeout_s=1.0, error_delay_s=8.0, refused_delay_s=32.0
)
ME = RegisterJobMaster(
    leader_id=LeaderId("rm-1"),
    job_id=JobId("job-1"),
    job_master_id=LeaderId("jm-1"),
    address="connection",
)
WELCOME = JobMasterRegistered(10.0, 50.0)
SILENCE = None


class Planned(Peer):
    """Answers the calls in turn as planned; ``called`` is when each was made."""

    def __init__(self, *plan: JobMasterRegistered | SlotdError | None) -> None:
        self._plan = list(plan)
        self.called: list[float] = []
        self.requests: list[Request[Any]] = []
        self.open: list[PendingCall[Any]] = []
        self.withdrawn = 0

    def _withdraw(self) -> None:
        self.withdrawn += 1

    def start(self, request: Request[R]) -> PendingCall[R]:
        call: PendingCall[Any] = PendingCall()
        call.withdraw = self._withdraw
        self.called.append(trio.current_time())
        self.requests.append(request)
        self.open.append(call)
        answer = self._plan.pop(0)
        if isinstance(answer, SlotdError):
            call.fail(answer)
        elif answer is not SILENCE:
            call.succeed(answer)
        return call

    async def notify(self, notification: Notification) -> None:
        raise NotImplementedError

    async def gone(self) -> None:
        raise NotImplementedError


async def test_the_first_success_is_the_answer(autojump_clock: trio.abc.Clock) -> None:
    """J01, J09: one call, at once, under the leader's id."""
    peer = Planned(WELCOME)
    assert await register(peer, ME, SETTINGS) is WELCOME
    assert (peer.called, peer.requests) == ([0.0], [ME])


async def test_timeouts_double_without_a_pause(autojump_clock: trio.abc.Clock) -> None:
    """J04: up to the longest; each call that took too long is withdrawn before the next."""
    peer = Planned(SILENCE, SILENCE, SILENCE, SILENCE, WELCOME)
    assert await register(peer, ME, SETTINGS) is WELCOME
    assert peer.called == [0.0, 0.25, 0.75, 1.75, 2.75]
    assert peer.withdrawn == 4


async def test_a_decline_pauses_and_starts_over_with_the_first_timeout(
    autojump_clock: trio.abc.Clock,
) -> None:
    """J05, G08, G12: timeout, decline, timeout, success."""
    peer = Planned(SILENCE, InvalidParams("cannot be called back"), SILENCE, WELCOME)
    assert await register(peer, ME, SETTINGS) is WELCOME
    assert peer.called == [0.0, 0.25, 32.25, 32.5]


async def test_an_error_of_the_connection_pauses_and_starts_over_with_the_first_timeout(
    autojump_clock: trio.abc.Clock,
) -> None:
    """J03, J06, J10, X413: nobody there is an outcome like others, never tried again at once."""
    peer = Planned(SILENCE, PeerGone("nobody is there"), PeerGone("again"), SILENCE, WELCOME)
    assert await register(peer, ME, SETTINGS) is WELCOME
    assert peer.called == [0.0, 0.25, 8.25, 16.25, 16.5]


@pytest.mark.parametrize("refusal", [NotLeader("not me"), Overloaded("full")])
async def test_any_refusal_is_a_decline(
    refusal: SlotdError, autojump_clock: trio.abc.Clock
) -> None:
    """J05"""
    peer = Planned(refusal, WELCOME)
    await register(peer, ME, SETTINGS)
    assert peer.called == [0.0, 32.0]


async def test_the_far_end_saying_timeout_is_not_our_timeout(
    autojump_clock: trio.abc.Clock,
) -> None:
    """J14, X414: only our own patience doubles; an error from there pauses, whatever its name."""
    peer = Planned(CallTimedOut("no answer there"), WELCOME)
    await register(peer, ME, SETTINGS)
    assert peer.called == [0.0, 8.0]


async def test_whoever_stops_registering_leaves_no_call_and_makes_no_other(
    autojump_clock: trio.abc.Clock,
) -> None:
    """J07, J11, X415: the one call is withdrawn, nothing is raised, a late answer is dropped."""
    peer = Planned(SILENCE)
    with trio.move_on_after(0.125) as scope:
        await register(peer, ME, SETTINGS)
    assert scope.cancelled_caught
    assert (peer.called, peer.withdrawn) == ([0.0], 1)
    await trio.sleep(100)
    peer.open[0].succeed(WELCOME)
    await trio.testing.wait_all_tasks_blocked()
    assert peer.called == [0.0]


async def test_whoever_stops_during_a_pause_makes_no_other_call(
    autojump_clock: trio.abc.Clock,
) -> None:
    """J07, J11"""
    peer = Planned(PeerGone("nobody is there"))
    with trio.move_on_after(4.0):
        await register(peer, ME, SETTINGS)
    await trio.sleep(100)
    assert (peer.called, peer.withdrawn) == ([0.0], 0)


class Stays:
    """Notes from when to when it stayed with whom."""

    def __init__(self) -> None:
        self.seen: list[tuple[LeaderId, float, float]] = []

    async def stay(self, leader: LeaderInformation) -> None:
        since = trio.current_time()
        try:
            await trio.sleep(math.inf)
        finally:
            self.seen.append((leader.fence.leader_id, since, trio.current_time()))


async def test_a_follower_stays_with_each_leader_until_it_leads_no_more(
    autojump_clock: trio.abc.Clock,
) -> None:
    """E02, G24, H06, J12, J13: one stay for each leader, none while nobody leads."""
    election, follower = new_election(), Stays()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow_leader, election, RESOURCE_MANAGER, follower.stay)
        await trio.sleep(5)
        async with leading(election) as (_, first):
            await trio.sleep(10)
        await trio.sleep(20)
        async with leading(election) as (_, second):
            await trio.sleep(40)
            nursery.cancel_scope.cancel()
    assert follower.seen == [(first.leader_id, 5.0, 15.0), (second.leader_id, 35.0, 75.0)]


async def test_a_leader_that_is_followed_by_another_at_once_is_left_at_once(
    autojump_clock: trio.abc.Clock,
) -> None:
    """E02, E17, H06: the stay with the old one has ended before that with the new one begins."""
    election, follower = new_election(), Stays()
    async with trio.open_nursery() as nursery, leading(election) as (candidacy, first):
        nursery.start_soon(follow_leader, election, RESOURCE_MANAGER, follower.stay)
        await trio.sleep(10)
        election.revoke(RESOURCE_MANAGER, "a drill")
        second = await candidacy.granted()
        assert candidacy.confirm(second)
        await trio.sleep(10)
        nursery.cancel_scope.cancel()
    assert follower.seen == [(first.leader_id, 0.0, 10.0), (second.leader_id, 10.0, 20.0)]


async def test_a_crash_while_staying_is_not_hidden(autojump_clock: trio.abc.Clock) -> None:
    """A FatalError must get through (E29)."""
    election = new_election()

    async def stay(_: LeaderInformation) -> None:
        raise RuntimeError("it crashed at " + HERE)

    async with leading(election):
        with pytest.RaisesGroup(RuntimeError, flatten_subgroups=True, allow_unwrapped=True):
            await follow_leader(election, RESOURCE_MANAGER, stay)
