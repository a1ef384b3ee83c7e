"""Requests that wait for a slot, in order of arrival; a slot finds its request by profile."""

import itertools
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import TypeAlias

import attrs

from daemon.core.job_master.pool_places import PoolSlot
from protocol.ids import AllocationId, RequestId, ResourceId
from protocol.messages.values import Location
from protocol.resources import ResourceProfile


@attrs.frozen
class PoolRequest:
    """One ``slot.allocate``; ``deadline`` is monotonic and counts from creation (X006)."""

    request_id: RequestId
    profile: ResourceProfile
    queued: bool
    deadline: float
    preferred: tuple[Location, ...] = ()


@attrs.frozen
class WaitingForResourceManager:
    """No ResourceManager is connected; one that is gone was asked under ``allocation_id``.

    The id is kept: an executor may still offer that slot, and the next ResourceManager takes the
    same id, so nothing can be crossed.
    """

    allocation_id: AllocationId | None = None


@attrs.frozen
class AskedResourceManager:
    """The connected ResourceManager knows the request under this id."""

    allocation_id: AllocationId


PendingState: TypeAlias = WaitingForResourceManager | AskedResourceManager


@attrs.define(eq=False)
class PendingRequest:
    """A request that has no slot; ``serial`` is its place in the order of arrival."""

    request: PoolRequest
    serial: int
    since: float
    state: PendingState

    @property
    def allocation_id(self) -> AllocationId | None:
        """The id under which a ResourceManager was asked, this one or an earlier one."""
        return self.state.allocation_id


class QueueByProfile:
    """Requests by distinct profile, oldest first in each."""

    def __init__(self) -> None:
        self._queues: dict[ResourceProfile, OrderedDict[int, PendingRequest]] = {}

    def add(self, pending: PendingRequest) -> None:
        """Append a request; its serial is higher than that of all others here."""
        queue = self._queues.get(pending.request.profile)
        if queue is None:
            queue = self._queues[pending.request.profile] = OrderedDict()
        queue[pending.serial] = pending

    def remove(self, pending: PendingRequest) -> None:
        """Take a request out; its queue goes with its last request."""
        queue = self._queues[pending.request.profile]
        del queue[pending.serial]
        if not queue:
            del self._queues[pending.request.profile]

    def oldest(self, profile: ResourceProfile) -> PendingRequest | None:
        """The oldest request that a slot of ``profile`` satisfies (C43)."""
        found: PendingRequest | None = None
        for requirement, queue in self._queues.items():
            serial = next(iter(queue))
            if (found is None or serial < found.serial) and profile.satisfies(requirement):
                found = queue[serial]
        return found

    def __len__(self) -> int:
        return len(self._queues)


class PendingRequests:
    """All that waits, by request, by allocation id, by profile and by preferred executor."""

    def __init__(self) -> None:
        self._by_request: dict[RequestId, PendingRequest] = {}
        self._by_allocation: dict[AllocationId, PendingRequest] = {}
        self._queue = QueueByProfile()
        self._by_executor: dict[ResourceId, QueueByProfile] = {}
        self._serials = itertools.count(1)

    def add(self, request: PoolRequest, state: PendingState, now: float) -> PendingRequest:
        """Append a request; its id must not be here."""
        pending = PendingRequest(request, next(self._serials), now, state)
        self._by_request[request.request_id] = pending
        if state.allocation_id is not None:
            self._by_allocation[state.allocation_id] = pending
        self._queue.add(pending)
        for executor in _preferred_executors(request):
            self._by_executor.setdefault(executor, QueueByProfile()).add(pending)
        return pending

    def change(self, pending: PendingRequest, state: PendingState) -> None:
        """Put a request into another state; it stays where it is in the order (C42)."""
        before = pending.allocation_id
        if before is not None:
            self._by_allocation.pop(before, None)
        pending.state = state
        after = pending.allocation_id
        if after is not None:
            self._by_allocation[after] = pending

    def remove(self, pending: PendingRequest) -> None:
        """Forget a request."""
        request = pending.request
        del self._by_request[request.request_id]
        self._queue.remove(pending)
        for executor in _preferred_executors(request):
            queue = self._by_executor[executor]
            queue.remove(pending)
            if not queue:
                del self._by_executor[executor]
        allocation_id = pending.allocation_id
        if allocation_id is not None:
            del self._by_allocation[allocation_id]

    def choose(self, slot: PoolSlot) -> PendingRequest | None:
        """The request that ``slot`` serves.

        Whoever asked for this very allocation, else who prefers this executor, else who came first;
        among equals the oldest, and never one that the slot does not satisfy (C43, F44, X107).
        """
        exact = self._by_allocation.get(slot.allocation_id)
        if exact is not None and slot.profile.satisfies(exact.request.profile):
            return exact
        nearby = self._by_executor.get(slot.resource_id)
        local = nearby.oldest(slot.profile) if nearby is not None else None
        return local or self._queue.oldest(slot.profile)

    def get(self, request_id: RequestId) -> PendingRequest | None:
        """The pending request with this id."""
        return self._by_request.get(request_id)

    def asked_as(self, allocation_id: AllocationId) -> PendingRequest | None:
        """The pending request that asked for this allocation."""
        return self._by_allocation.get(allocation_id)

    def check_invariants(self) -> None:
        """Assert order of arrival, and that each id is that of one request."""
        serials = [pending.serial for pending in self]
        assert serials == sorted(serials), "requests are not in order of arrival"
        asked = [pending for pending in self if pending.allocation_id is not None]
        assert len(asked) == len(self._by_allocation), "an id is left over or shared"
        for pending in asked:
            assert self._by_allocation[pending.allocation_id or AllocationId("")] is pending

    def __iter__(self) -> Iterator[PendingRequest]:
        return iter(self._by_request.values())

    def __len__(self) -> int:
        return len(self._by_request)


def _preferred_executors(request: PoolRequest) -> Iterable[ResourceId]:
    if not request.preferred:
        return ()
    return {
        location.resource_id: None
        for location in request.preferred
        if location.resource_id is not None
    }
