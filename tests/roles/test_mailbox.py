"""A mailbox: in order, one at a time, only while it is served, and nothing after its term."""

import math
from functools import partial

import pytest
import trio
import trio.testing

from daemon.roles.mailbox import Envelope, Mailbox, NearPeer
from daemon.roles.peer_book import NearCaller
from protocol.errors import LeaderIdMismatch, NotLeader, Overloaded
from protocol.ids import AllocationId, Fence, LeaderId
from protocol.messages.calls import EMPTY
from protocol.messages.resource_manager import CancelSlotRequest
from protocol.messages.task_executor import FreeSlot

FENCE = Fence(2, LeaderId("d2" * 16))
OVER = NotLeader("the term is over")


class Noting:
    """A role that notes what it does, and when it was woken."""

    def __init__(self) -> None:
        self.next_deadline = math.inf
        self.done: list[str] = []
        self.woken: list[float] = []

    def handle(self, envelope: Envelope, now: float) -> None:
        request = envelope.request
        assert isinstance(request, FreeSlot)
        self.done.append(request.cause)
        envelope.reply.succeed(EMPTY)

    def withdraw(self, envelope: Envelope, now: float) -> None:
        raise NotImplementedError

    def expire(self, now: float) -> None:
        self.woken.append(now)
        if now >= self.next_deadline:
            self.next_deadline = math.inf

    def note(self, word: str, now: float) -> None:
        self.done.append(f"{word} at {now:g}")


def free(cause: str) -> FreeSlot:
    return FreeSlot(AllocationId("b" * 32), cause)


def peer_of(mailbox: Mailbox) -> NearPeer:
    return NearPeer(mailbox.submit, NearCaller("a test"))


async def test_what_arrives_before_a_role_serves_waits_for_it(
    autojump_clock: trio.abc.Clock,
) -> None:
    """L14, L13: then in the order of arrival, requests and what the role left to do alike."""
    mailbox, role = Mailbox(), Noting()
    peer = peer_of(mailbox)
    first = peer.start(free("first"))
    mailbox.put(partial(role.note, "second"))
    third = peer.start(free("third"))
    await trio.sleep(5)
    assert role.done == []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mailbox.serve, role)
        assert await first.answer() == EMPTY
        assert await third.answer() == EMPTY
        assert role.done == ["first", "second at 5", "third"]
        nursery.cancel_scope.cancel()


async def test_a_deadline_is_kept_to_the_moment(autojump_clock: trio.abc.Clock) -> None:
    """L14: not earlier, and without anything arriving."""
    mailbox, role = Mailbox(), Noting()
    role.next_deadline = 7.5
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mailbox.serve, role)
        await trio.sleep(100)
        assert role.woken == [7.5]
        nursery.cancel_scope.cancel()


async def test_what_a_term_left_to_do_is_dropped_with_it(autojump_clock: trio.abc.Clock) -> None:
    """L12, X215, X412: queued before the end or after it, it is never done in the next term."""
    mailbox, role = Mailbox(FENCE), Noting()
    mailbox.put(partial(role.note, "before"))
    call = peer_of(mailbox).start(free("before"))
    mailbox.close(OVER)
    mailbox.put(partial(role.note, "after"))
    with pytest.raises(NotLeader, match="the term is over"):
        await call.answer()
    with pytest.raises(NotLeader, match="the term is over"):
        await peer_of(mailbox).call(free("after"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mailbox.serve, role)
        for _ in range(5):
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert role.done == []


async def test_a_fence_is_checked_before_a_request_gets_in(
    autojump_clock: trio.abc.Clock,
) -> None:
    """L11, G06: another leader's is refused at once, although nobody serves; no fence, no check."""
    mailbox = Mailbox(FENCE)
    stale = CancelSlotRequest(leader_id=LeaderId("d1" * 16), allocation_id=AllocationId("b" * 32))
    with pytest.raises(LeaderIdMismatch) as refusal:
        await peer_of(mailbox).call(stale)
    assert refusal.value.data["leader_id"] == FENCE.leader_id
    current = CancelSlotRequest(leader_id=FENCE.leader_id, allocation_id=stale.allocation_id)
    with trio.move_on_after(1) as waiting:
        await peer_of(mailbox).call(current)
    assert waiting.cancelled_caught, "it is in the queue"
    with trio.move_on_after(1) as waiting:
        await peer_of(mailbox).call(free("unfenced"))
    assert waiting.cancelled_caught


async def test_a_full_mailbox_refuses_and_forgets_nothing(autojump_clock: trio.abc.Clock) -> None:
    """A bound on what others queue, not on what the role left to do itself."""
    mailbox, role = Mailbox(capacity=2), Noting()
    peer = peer_of(mailbox)
    calls = [peer.start(free(str(number))) for number in range(3)]
    with pytest.raises(Overloaded):
        await calls[2].answer()
    mailbox.put(partial(role.note, "own"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mailbox.serve, role)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert role.done == ["0", "1", "own at 0"]
