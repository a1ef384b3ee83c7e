"""Short words for the tests of the SlotPool: two profiles, requests, offers, expected effects."""

import itertools
from collections.abc import Callable, Mapping
from typing import Protocol

import attrs

from daemon.core.effects import (
    AskResourceManager,
    CancelAtResourceManager,
    DropExecutor,
    FailPayload,
    FailRequest,
    FreeSlotAtExecutor,
    GrantRequest,
    SlotPoolEffect,
)
from daemon.core.job_master.slot_pool import Holding, PoolRequest, SlotPool, SlotPoolSettings
from protocol.errors import SlotdError
from protocol.ids import AllocationId, RequestId, ResourceId, slot_id
from protocol.messages.values import GrantedSlot, Locality, Location, SlotOffer
from protocol.resources import ResourceProfile

P = ResourceProfile(1, 512)
B = ResourceProfile(2, 1024)
TE1, TE2, TE3 = ResourceId("te-1"), ResourceId("te-2"), ResourceId("te-3")
DEADLINE = 300.0


class NewPool(Protocol):
    """Makes a SlotPool; its allocation ids are a1, a2, ... in order."""

    def __call__(
        self,
        settings: SlotPoolSettings = ...,
        *,
        now: float = ...,
        holdings: Mapping[RequestId, Holding] | None = None,
    ) -> SlotPool: ...


def counted_ids() -> Callable[[], AllocationId]:
    numbers = itertools.count(1)
    return lambda: AllocationId(f"a{next(numbers)}")


@attrs.frozen
class Failed:
    """A FailRequest in an expected list: errors are compared by type."""

    request_id: RequestId
    error: type[SlotdError]


def seen(effects: list[SlotPoolEffect]) -> list[SlotPoolEffect | Failed]:
    """Effects in a form that can be compared."""
    return [
        Failed(effect.request_id, type(effect.error)) if isinstance(effect, FailRequest) else effect
        for effect in effects
    ]


def request(
    name: str,
    profile: ResourceProfile = P,
    *prefer: Location,
    queued: bool = True,
    deadline: float = DEADLINE,
) -> PoolRequest:
    return PoolRequest(RequestId(name), profile, queued, deadline, prefer)


def near(executor: str | None = None, host: str | None = None) -> Location:
    return Location(ResourceId(executor) if executor else None, host)


def offer(allocation: str, number: int = 0, profile: ResourceProfile = P) -> SlotOffer:
    return SlotOffer(AllocationId(allocation), number, profile)


def host_of(executor: str) -> str:
    return f"host-of-{executor}"


def register(pool: SlotPool, *executors: str) -> None:
    for executor in executors:
        pool.register_executor(ResourceId(executor), host_of(executor))


def holding(name: str, allocation: str) -> dict[RequestId, Holding]:
    return {RequestId(name): Holding(RequestId(name), AllocationId(allocation))}


def ask(allocation: str, profile: ResourceProfile = P, left: float = DEADLINE) -> SlotPoolEffect:
    return AskResourceManager(AllocationId(allocation), profile, left)


def cancel(allocation: str) -> SlotPoolEffect:
    return CancelAtResourceManager(AllocationId(allocation))


def grant(
    name: str,
    allocation: str,
    executor: str = TE1,
    number: int = 0,
    profile: ResourceProfile = P,
    locality: Locality = Locality.UNKNOWN,
) -> SlotPoolEffect:
    where = ResourceId(executor)
    slot = GrantedSlot(
        RequestId(name),
        AllocationId(allocation),
        slot_id(where, number),
        where,
        host_of(executor),
        number,
        profile,
        locality,
    )
    return GrantRequest(RequestId(name), slot)


def free(allocation: str, executor: str = TE1, cause: str = "gone") -> SlotPoolEffect:
    return FreeSlotAtExecutor(ResourceId(executor), AllocationId(allocation), cause)


def drop(executor: str = TE1, cause: str = "gone") -> SlotPoolEffect:
    return DropExecutor(ResourceId(executor), cause)


def fail_payload(name: str, allocation: str, cause: str = "gone") -> SlotPoolEffect:
    return FailPayload(RequestId(name), AllocationId(allocation), cause)


def failed(name: str, error: type[SlotdError]) -> Failed:
    return Failed(RequestId(name), error)


def r(name: str) -> RequestId:
    return RequestId(name)


def a(name: str) -> AllocationId:
    return AllocationId(name)
