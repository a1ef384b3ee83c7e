"""Finding a leader, staying with it, and registering there until it works."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

from daemon.core.registration import (
    RegistrationOutcome,
    RegistrationSettings,
    first_attempt,
    next_attempt,
)
from daemon.high_availability.elections import LeaderElection, LeaderInformation
from daemon.wire.peers import Peer
from protocol.errors import PeerGone, SlotdError
from protocol.ids import Component
from protocol.messages.calls import Request

R = TypeVar("R")


async def register(peer: Peer, request: Request[R], settings: RegistrationSettings) -> R:
    """Call until the registration succeeds; see ``next_attempt`` for the pauses (section J).

    Being cancelled withdraws the call that is under way (J07, J11).
    """
    attempt = first_attempt(settings)
    while True:
        await trio.sleep(attempt.delay_s)
        try:
            with trio.fail_after(attempt.timeout_s):
                return await peer.call(request)
        except trio.TooSlowError:
            outcome = RegistrationOutcome.TIMED_OUT
        except PeerGone:
            outcome = RegistrationOutcome.FAILED
        except SlotdError:
            outcome = RegistrationOutcome.DECLINED
        attempt = next_attempt(settings, attempt, outcome)


async def follow_leader(
    election: LeaderElection,
    component: Component,
    stay: Callable[[LeaderInformation], Awaitable[None]],
) -> None:
    """Run ``stay`` with each leader in turn; a change of leader cancels it (E02, E17, H06)."""
    async with election.listen(component) as news:
        leader = await news.changed()
        while True:
            if leader is None:
                leader = await news.changed()
                continue
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stay, leader)
                leader = await news.changed()
                nursery.cancel_scope.cancel()
