"""What an earlier term of the same job had granted and this one has not been offered again yet.

No allocation that served a request is ever taken for an ordinary slot again once that request was
told that it is lost: something may still run in it, so its executor must free it first.
"""

import math
from collections import OrderedDict
from collections.abc import Iterator, Mapping

import attrs

from daemon.core.pool_requests import PoolRequest
from protocol.ids import AllocationId, RequestId

_MOST_LOST = 65_536
"""Lost allocations to remember; an executor offers again within seconds, not after so many."""


@attrs.frozen
class Holding:
    """A slot that served a request in an earlier term of this job's leadership."""

    request_id: RequestId
    allocation_id: AllocationId


@attrs.define(eq=False)
class AwaitedSlot:
    """A holding that may still come back; ``asker`` asked for the same request in this term."""

    holding: Holding
    asker: PoolRequest | None = None


class Recovery:
    """Holdings on their way back, until ``deadline``; and allocations that must not come back."""

    def __init__(
        self, holdings: Mapping[RequestId, Holding], since: float, deadline: float
    ) -> None:
        self.since = since
        self._deadline = deadline
        self._by_request = {
            request_id: AwaitedSlot(holding) for request_id, holding in holdings.items()
        }
        self._by_allocation = {
            awaited.holding.allocation_id: awaited for awaited in self._by_request.values()
        }
        self._lost: OrderedDict[AllocationId, None] = OrderedDict()

    @property
    def deadline(self) -> float:
        """When what is still awaited is lost; ``math.inf`` when nothing is."""
        return self._deadline if self._by_request else math.inf

    def get(self, request_id: RequestId) -> AwaitedSlot | None:
        """The holding of this request."""
        return self._by_request.get(request_id)

    def awaited_as(self, allocation_id: AllocationId) -> AwaitedSlot | None:
        """The holding under this allocation."""
        return self._by_allocation.get(allocation_id)

    def take(self, awaited: AwaitedSlot) -> None:
        """A holding came back, or is awaited no more."""
        del self._by_request[awaited.holding.request_id]
        del self._by_allocation[awaited.holding.allocation_id]

    def lose(self, allocation_id: AllocationId) -> None:
        """Refuse this allocation from now on."""
        self._lost[allocation_id] = None
        if len(self._lost) > _MOST_LOST:
            self._lost.popitem(last=False)

    def is_lost(self, allocation_id: AllocationId) -> bool:
        """Whether an offer of this allocation must be refused."""
        return allocation_id in self._lost

    def clear(self) -> None:
        """Forget everything."""
        self._by_request.clear()
        self._by_allocation.clear()
        self._lost.clear()

    def __iter__(self) -> Iterator[AwaitedSlot]:
        return iter(list(self._by_request.values()))

    def __len__(self) -> int:
        return len(self._by_request)
