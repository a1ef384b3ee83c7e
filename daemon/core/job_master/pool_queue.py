"""Requests on their way to a slot: who waits, and what the ResourceManager was asked for.

Whenever a request leaves without the allocation that it asked for, that one is cancelled.
"""

from collections.abc import Callable, Iterator

from daemon.core.deadlines import Deadlines
from daemon.core.effects import (
    AskResourceManager,
    CancelAtResourceManager,
    FailRequest,
    SlotPoolEffect,
)
from daemon.core.job_master.pool_places import PoolSlot
from daemon.core.job_master.pool_requests import (
    AskedResourceManager,
    PendingRequest,
    PendingRequests,
    PoolRequest,
    WaitingForResourceManager,
)
from protocol.errors import (
    LeaderIdMismatch,
    NoResourceAvailable,
    NotLeader,
    PeerGone,
    SlotdError,
    SlotRequestTimeout,
)
from protocol.ids import AllocationId, RequestId

_RESOURCE_MANAGER_IS_GONE = (PeerGone, NotLeader, LeaderIdMismatch)
"""Exactly these: a call that was not answered in time is a kind of PeerGone and a refusal (C12)."""


class RequestQueue:
    """Pending requests with their deadlines, and whether a ResourceManager is connected."""

    def __init__(self, new_allocation_id: Callable[[], AllocationId]) -> None:
        self._new_allocation_id = new_allocation_id
        self._pending = PendingRequests()
        self._deadlines: Deadlines[RequestId] = Deadlines()
        self.connected = False

    def append(self, request: PoolRequest, now: float) -> list[SlotPoolEffect]:
        """Queue a request: ask the ResourceManager, or wait for one (C01, C14)."""
        if request.deadline <= now:
            why = f"no slot for {request.profile}, and no time left to wait for one"
            return [FailRequest(request.request_id, SlotRequestTimeout(why))]
        self._deadlines.set(request.request_id, request.deadline)
        if not self.connected:
            self._pending.add(request, WaitingForResourceManager(), now)
            return []
        asked = AskedResourceManager(self._new_allocation_id())
        return [_ask(self._pending.add(request, asked, now), asked, now)]

    def serve(self, slot: PoolSlot) -> tuple[PoolRequest | None, list[SlotPoolEffect]]:
        """Take out the request that ``slot`` serves; cancel what it asked for instead (C36)."""
        pending = self._pending.choose(slot)
        if pending is None:
            return None, []
        self._forget(pending)
        superseded = pending.allocation_id != slot.allocation_id
        return pending.request, self._cancel(pending) if superseded else []

    def ask_anew(self, allocation_id: AllocationId, now: float) -> list[SlotPoolEffect]:
        """A slot came under this id and did not serve who asked for it: it was too small.

        Nothing else will come under the id. The id of the request that the slot serves instead is
        no substitute: the ResourceManager knows it with a profile that is too small as well. So who
        waits gets a fresh one, and ids are never crossed (X105).
        """
        pending = self._pending.asked_as(allocation_id)
        if pending is None:
            return []
        if not self.connected:
            self._pending.change(pending, WaitingForResourceManager())
            return []
        asked = AskedResourceManager(self._new_allocation_id())
        self._pending.change(pending, asked)
        return [_ask(pending, asked, now)]

    def fail(self, pending: PendingRequest, error: SlotdError) -> list[SlotPoolEffect]:
        """Fail a request and cancel what it asked for (C32, X009)."""
        self._forget(pending)
        return [*self._cancel(pending), FailRequest(pending.request.request_id, error)]

    def fail_all(self, error: Callable[[], SlotdError]) -> list[SlotPoolEffect]:
        """Fail every request, in order of arrival (X004)."""
        effects: list[SlotPoolEffect] = []
        for pending in list(self._pending):
            effects += self.fail(pending, error())
        return effects

    def connect(self, now: float) -> list[SlotPoolEffect]:
        """Ask a ResourceManager for everything, oldest first, each with the time that is left.

        The id of before is kept: an executor may still offer that slot, and twice the same id harms
        nobody (C15, C42, X101).
        """
        effects = self.expire(now)
        self.connected = True
        for pending in self._pending:
            asked = AskedResourceManager(pending.allocation_id or self._new_allocation_id())
            self._pending.change(pending, asked)
            effects.append(_ask(pending, asked, now))
        return effects

    def disconnect(self) -> None:
        """Let every request wait for the next ResourceManager (C45, X014)."""
        self.connected = False
        for pending in self._pending:
            self._pending.change(pending, WaitingForResourceManager(pending.allocation_id))

    def refused(self, allocation_id: AllocationId, error: SlotdError) -> list[SlotPoolEffect]:
        """The ResourceManager did not take a request (C12).

        An error that only says that it is gone or leads no more fails nothing: the request waits
        for the next one, as if the news of the lost connection had been faster (X101).
        """
        pending = self._pending.asked_as(allocation_id)
        if pending is None or isinstance(pending.state, WaitingForResourceManager):
            return []
        if type(error) in _RESOURCE_MANAGER_IS_GONE:
            return []
        details = {**error.data, "cause": error.data["type"]}
        del details["type"]
        said = isinstance(error, NoResourceAvailable)  # then it is the whole reason
        why = error.message if said else f"the ResourceManager refused: {error.message}"
        refusal = NoResourceAvailable(why, **details)
        refusal.__cause__ = error
        return self.fail(pending, refusal)

    @property
    def next_deadline(self) -> float:
        """When ``expire`` has something to do."""
        return self._deadlines.next

    def expire(self, now: float) -> list[SlotPoolEffect]:
        """Fail what has waited for as long as it may (C33, X006, X020, X103)."""
        effects: list[SlotPoolEffect] = []
        for request_id in self._deadlines.pop_due(now):
            pending = self._pending.get(request_id)
            if pending is not None:
                effects += self.fail(pending, _timeout_of(pending))
        return effects

    def get(self, request_id: RequestId) -> PendingRequest | None:
        """The pending request with this id."""
        return self._pending.get(request_id)

    def asked_as(self, allocation_id: AllocationId) -> PendingRequest | None:
        """The pending request that asked for this allocation."""
        return self._pending.asked_as(allocation_id)

    def check_invariants(self) -> None:
        """Assert that states, deadlines and the connection agree."""
        self._pending.check_invariants()
        state = AskedResourceManager if self.connected else WaitingForResourceManager
        for pending in self._pending:
            assert isinstance(pending.state, state), f"{pending} contradicts the connection"
            assert self._deadlines.get(pending.request.request_id) == pending.request.deadline
        assert len(self._deadlines) == len(self._pending)

    def _cancel(self, pending: PendingRequest) -> list[SlotPoolEffect]:
        if isinstance(pending.state, AskedResourceManager):
            return [CancelAtResourceManager(pending.state.allocation_id)]
        return []

    def _forget(self, pending: PendingRequest) -> None:
        self._pending.remove(pending)
        self._deadlines.discard(pending.request.request_id)

    def __iter__(self) -> Iterator[PendingRequest]:
        return iter(self._pending)

    def __len__(self) -> int:
        return len(self._pending)


def _ask(pending: PendingRequest, asked: AskedResourceManager, now: float) -> AskResourceManager:
    left = max(0.0, pending.request.deadline - now)
    return AskResourceManager(asked.allocation_id, pending.request.profile, left)


def _timeout_of(pending: PendingRequest) -> SlotRequestTimeout:
    if isinstance(pending.state, AskedResourceManager):
        why = f"the ResourceManager was asked for allocation {pending.state.allocation_id}"
    else:
        why = "no ResourceManager was there to be asked"
    return SlotRequestTimeout(f"no slot for {pending.request.profile} in time: {why}")
