"""The JobMaster's core: the job's slots, its requests, and which slot serves which request.

Every method books first and returns what must be done then (X010). No slot of the pool is available
while a request waits that it satisfies.
"""

import math
from collections.abc import Callable, Mapping

import attrs

from daemon.core.deadlines import Deadlines
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
from daemon.core.pool_invariants import check_pool
from daemon.core.pool_places import PoolSlot, preference_of
from daemon.core.pool_recovery import AwaitedSlot, Holding, Recovery
from daemon.core.pool_requests import (
    AskedResourceManager,
    PendingRequest,
    PendingRequests,
    PoolRequest,
    WaitingForResourceManager,
)
from daemon.core.pool_slots import PoolSlots
from protocol.errors import (
    LeaderIdMismatch,
    NoResourceAvailable,
    NotLeader,
    PeerGone,
    RequestCancelled,
    SlotdError,
    SlotRequestTimeout,
    UnknownTaskExecutor,
)
from protocol.ids import AllocationId, JobId, RequestId, ResourceId
from protocol.messages.values import HeldSlot, Locality, SlotOffer
from protocol.news import PoolCounts
from protocol.resources import UNKNOWN, ResourceProfile

__all__ = ["Holding", "PoolExplanation", "PoolRequest", "SlotPool", "SlotPoolSettings"]


@attrs.frozen
class SlotPoolSettings:
    """Durations in seconds."""

    slot_idle_timeout_s: float = 50.0
    recovery_timeout_s: float = 10.0


@attrs.frozen
class PoolExplanation:
    """Where a request is in the pool; ``allocation_id`` once the ResourceManager was asked.

    ``state``: ``WAITING_FOR_RESOURCE_MANAGER``, ``PENDING`` (asked), ``ALLOCATED`` or
    ``RECOVERING`` (granted in an earlier term, not offered again yet).
    """

    state: str
    since: float
    deadline: float | None
    profile: ResourceProfile
    allocation_id: AllocationId | None


class SlotPool:
    """Lives for one term of one JobMaster.

    ``holdings`` are what the term before had granted: an offer with such an allocation goes back to
    its request, so that a change of leader neither loses a slot nor grants it twice. What is not
    offered again within ``recovery_timeout_s`` is lost (FailPayload).
    ``new_allocation_id`` makes a fresh id: randomness is an argument.
    """

    def __init__(
        self,
        job_id: JobId,
        settings: SlotPoolSettings,
        new_allocation_id: Callable[[], AllocationId],
        now: float,
        holdings: Mapping[RequestId, Holding] | None = None,
    ) -> None:
        self.job_id = job_id
        self._settings = settings
        self._new_allocation_id = new_allocation_id
        self._executors: dict[ResourceId, str] = {}
        self._slots = PoolSlots()
        self._pending = PendingRequests()
        self._recovery = Recovery(holdings or {}, now, now + settings.recovery_timeout_s)
        self._deadlines: Deadlines[RequestId] = Deadlines()
        self._connected = False
        self._ended: str | None = None

    # requests

    def allocate(self, request: PoolRequest, now: float) -> list[SlotPoolEffect]:
        """Serve from the pool, else queue and ask the ResourceManager, or refuse (C01-C03, F41).

        The same request id again: a granted one is granted again with the same slot; a pending one
        keeps waiting (the effects are empty, both askers are answered by its one outcome). One of
        an earlier term waits until its slot is offered again, and asks anew when it is lost.
        """
        request_id = request.request_id
        if self._ended is not None:
            return [FailRequest(request_id, NotLeader(self._ended))]
        slot = self._slots.serving(request_id)
        if slot is not None and slot.grant is not None:
            return [GrantRequest(request_id, slot.grant)]
        if self._pending.get(request_id) is not None:
            return []
        awaited = self._recovery.get(request_id)
        if awaited is not None:
            return self._await_holding(awaited, request)
        found = self._slots.available.choose(
            request.profile, preference_of(request.preferred, self._executors)
        )
        if found is not None:
            return [self._grant(found[0], request_id, found[1], now)]
        if not request.queued:
            why = f"no slot of the job is free for {request.profile}, and the request does not wait"
            return [FailRequest(request_id, NoResourceAvailable(why))]
        return self._enqueue(request, now)

    def release(
        self, request_id: RequestId, cause: str, now: float
    ) -> tuple[bool, list[SlotPoolEffect]]:
        """Withdraw a pending request, or give its slot back; False if unknown (C33, C34, F42).

        The slot serves the oldest request that it satisfies, or is kept (C02, C03). One that is
        still awaited from an earlier term is refused when it is offered, so that its executor ends
        what runs in it.
        """
        effects: list[SlotPoolEffect] = []
        slot = self._slots.release(request_id, now)
        if slot is not None:
            self._place(slot, now, effects)
            return True, effects
        pending = self._pending.get(request_id)
        if pending is not None:
            self._fail(pending, RequestCancelled(cause), effects)
            return True, effects
        awaited = self._recovery.get(request_id)
        if awaited is None:
            return False, effects
        self._give_up(awaited)
        if awaited.asker is not None:
            effects.append(FailRequest(request_id, RequestCancelled(cause)))
        return True, effects

    # the ResourceManager

    def connect_resource_manager(self, now: float) -> list[SlotPoolEffect]:
        """Registered at a ResourceManager: ask it for all that is unfulfilled (C15, C42, X101).

        Oldest first, each with the time that it has left, and under the id of before if there was
        one: an executor may still offer that slot, and twice the same id harms nobody.
        """
        if self._ended is not None:
            return []
        effects: list[SlotPoolEffect] = []
        self._expire_requests(now, effects)
        self._connected = True
        for pending in self._pending:
            effects.append(self._ask(pending, pending.allocation_id, now))
        return effects

    def disconnect_resource_manager(self, now: float) -> list[SlotPoolEffect]:
        """The ResourceManager is gone: every request waits for the next one (C45, X014)."""
        self._connected = False
        for pending in self._pending:
            self._pending.change(pending, WaitingForResourceManager(pending.allocation_id))
        return []

    def request_refused(
        self, allocation_id: AllocationId, error: SlotdError, now: float
    ) -> list[SlotPoolEffect]:
        """AskResourceManager failed: the request fails with NoResourceAvailable (C12, C32, X005).

        The cause is inside. An error that only says that this ResourceManager is gone or leads no
        more fails nothing: the request waits for the next one (X101).
        """
        pending = self._pending.asked_as(allocation_id)
        if pending is None or isinstance(pending.state, WaitingForResourceManager):
            return []
        if isinstance(error, PeerGone | NotLeader | LeaderIdMismatch):
            return []
        details = {name: value for name, value in error.data.items() if name != "type"}
        refusal = NoResourceAvailable(
            f"the ResourceManager refused: {error.message}",
            **{**details, "cause": error.data["type"]},
        )
        refusal.__cause__ = error
        effects: list[SlotPoolEffect] = []
        self._fail(pending, refusal, effects)
        return effects

    # executors

    def register_executor(self, resource_id: ResourceId, host: str) -> None:
        """Take offers from this executor from now on; idempotent (C04, C44)."""
        if self._ended is None:
            self._executors.setdefault(resource_id, host)

    def lose_executor(
        self, resource_id: ResourceId, cause: str, now: float
    ) -> list[SlotPoolEffect]:
        """An executor is gone with its slots; pending requests stay (C08, C09, C44)."""
        effects: list[SlotPoolEffect] = []
        self._executors.pop(resource_id, None)
        for slot in self._slots.remove_executor(resource_id):
            self._fail_payload(slot, cause, effects)
        return effects

    def offer(
        self, resource_id: ResourceId, offers: list[SlotOffer], now: float
    ) -> tuple[list[AllocationId], list[SlotPoolEffect]]:
        """Accept or refuse offers one by one (C04-C07, C10, C36, F44).

        Raises:
            UnknownTaskExecutor: the executor is not registered here (C46).

        """
        host = self._executors.get(resource_id)
        if host is None:
            raise UnknownTaskExecutor(
                f"task executor {resource_id} is not registered at job {self.job_id}",
                resource_id=resource_id,
            )
        accepted: dict[AllocationId, None] = {}
        effects: list[SlotPoolEffect] = []
        for offer in offers:
            held = self._slots.get(offer.allocation_id)
            if held is not None:
                same = held.resource_id == resource_id and held.slot_number == offer.slot_number
            else:
                same = not self._recovery.is_lost(offer.allocation_id)
                if same:
                    self._accept(resource_id, host, offer, now, effects)
            if same:
                accepted[offer.allocation_id] = None
        return list(accepted), effects

    def fail_allocation(
        self, allocation_id: AllocationId, error: SlotdError, now: float
    ) -> list[SlotPoolEffect]:
        """An allocation is lost: pending, held, or awaited from an earlier term (C11, C40, H18).

        A held slot is freed at its executor (X015), which is dropped with its last slot.
        """
        effects: list[SlotPoolEffect] = []
        pending = self._pending.asked_as(allocation_id)
        slot = self._slots.get(allocation_id)
        awaited = self._recovery.awaited_as(allocation_id)
        if pending is not None:
            self._fail(pending, error, effects)
        elif slot is not None:
            self._free(slot, error.message, effects)
        elif awaited is not None:
            self._lose_holding(awaited, error.message, now, effects)
        return effects

    # the end

    def suspend(self, cause: str) -> list[SlotPoolEffect]:
        """Leadership is lost: fail all pending requests, cancel them, free no slot (C17, X004).

        The slots will be offered to the next leader, who needs ``holdings()`` of before this call.
        Every executor is dropped, so that it registers anew there (X017). Idempotent (X102).
        """
        return self._end(NotLeader(f"the job's leader was suspended: {cause}"), cause)

    def close(self, cause: str) -> list[SlotPoolEffect]:
        """The job ends: fail all pending requests and free every slot (C37). Idempotent."""
        frees: list[SlotPoolEffect] = [
            FreeSlotAtExecutor(slot.resource_id, slot.allocation_id, cause) for slot in self._slots
        ]
        return frees + self._end(RequestCancelled(f"the job ended: {cause}"), cause)

    # time and views

    @property
    def next_deadline(self) -> float:
        """When ``expire`` has something to do; ``math.inf`` when never."""
        oldest = self._slots.available.oldest()
        idle = oldest.since + self._settings.slot_idle_timeout_s if oldest else math.inf
        return min(self._deadlines.next, idle, self._recovery.deadline)

    def expire(self, now: float) -> list[SlotPoolEffect]:
        """Do what is due: request deadlines, idle slots, holdings that did not come back."""
        effects: list[SlotPoolEffect] = []
        self._expire_requests(now, effects)
        if self._recovery.deadline <= now:
            for awaited in self._recovery:
                self._lose_holding(awaited, "its executor did not offer it again", now, effects)
        timeout = self._settings.slot_idle_timeout_s
        while (slot := self._slots.available.oldest()) and slot.since + timeout <= now:
            self._free(slot, f"idle for {timeout:g} s", effects)
        return effects

    def holdings(self) -> dict[RequestId, Holding]:
        """What is granted now, for the next term; take it before ``suspend``."""
        granted = {
            grant.request_id: Holding(grant.request_id, grant.allocation_id)
            for grant in self._slots.granted
        }
        return granted | {awaited.holding.request_id: awaited.holding for awaited in self._recovery}

    def slot_of(self, request_id: RequestId) -> tuple[ResourceId, AllocationId] | None:
        """Where the request's slot is, if it has one that is here (not awaiting recovery)."""
        slot = self._slots.serving(request_id)
        return (slot.resource_id, slot.allocation_id) if slot else None

    def held_at(self, resource_id: ResourceId) -> list[HeldSlot]:
        """What the pool believes it holds at an executor, by slot number (C41, H14)."""
        slots = sorted(self._slots.at(resource_id), key=lambda slot: slot.slot_number)
        return [HeldSlot(slot.allocation_id, slot.slot_number) for slot in slots]

    def counts(self) -> PoolCounts:
        """How much there is of everything; ``pending`` are those the ResourceManager was asked."""
        available, waiting = len(self._slots.available), len(self._pending)
        return PoolCounts(
            allocated=len(self._slots) - available,
            available=available,
            pending=waiting if self._connected else 0,
            waiting_for_resource_manager=0 if self._connected else waiting,
        )

    def explain(self, request_id: RequestId) -> PoolExplanation | None:
        """Where a request is; None if there is none."""
        slot = self._slots.serving(request_id)
        if slot is not None:
            return PoolExplanation("ALLOCATED", slot.since, None, slot.profile, slot.allocation_id)
        pending = self._pending.get(request_id)
        if pending is not None:
            return _explain_pending(pending)
        awaited = self._recovery.get(request_id)
        if awaited is None:
            return None
        profile = awaited.asker.profile if awaited.asker else UNKNOWN
        return PoolExplanation(
            "RECOVERING",
            self._recovery.since,
            self._recovery.deadline,
            profile,
            awaited.holding.allocation_id,
        )

    def check_invariants(self) -> None:
        """Assert section 5.2 of the catalogue; for tests and the simulator."""
        check_pool(self._slots, self._pending, self._recovery, self._executors)
        assert len(self._deadlines) == len(self._pending) + sum(
            awaited.asker is not None for awaited in self._recovery
        )
        state = AskedResourceManager if self._connected else WaitingForResourceManager
        assert all(isinstance(pending.state, state) for pending in self._pending)

    # what the methods above share

    def _enqueue(self, request: PoolRequest, now: float) -> list[SlotPoolEffect]:
        if request.deadline <= now:
            error = SlotRequestTimeout(
                f"no slot for {request.profile}, and no time to wait for one"
            )
            return [FailRequest(request.request_id, error)]
        pending = self._pending.add(request, WaitingForResourceManager(), now)
        self._deadlines.set(request.request_id, request.deadline)
        return [self._ask(pending, None, now)] if self._connected else []

    def _ask(
        self, pending: PendingRequest, allocation_id: AllocationId | None, now: float
    ) -> AskResourceManager:
        asked = AskedResourceManager(allocation_id or self._new_allocation_id())
        self._pending.change(pending, asked)
        left = max(0.0, pending.request.deadline - now)
        return AskResourceManager(asked.allocation_id, pending.request.profile, left)

    def _accept(
        self,
        resource_id: ResourceId,
        host: str,
        offer: SlotOffer,
        now: float,
        effects: list[SlotPoolEffect],
    ) -> None:
        displaced = self._slots.in_place(resource_id, offer.slot_number)
        if displaced is not None:  # the executor knows better than we what is in its slot
            self._slots.remove(displaced)
            self._fail_payload(displaced, "its slot has another allocation now", effects)
        slot = self._slots.add(resource_id, host, offer, now)
        awaited = self._recovery.awaited_as(offer.allocation_id)
        if awaited is not None:
            self._restore(awaited, slot, now, effects)
            return
        self._place(slot, now, effects)
        stranded = self._pending.asked_as(offer.allocation_id)
        if stranded is not None:  # too small for who asked for it: nothing else comes under this id
            self._pending.change(stranded, WaitingForResourceManager())
            if self._connected:
                effects.append(self._ask(stranded, None, now))

    def _place(self, slot: PoolSlot, now: float, effects: list[SlotPoolEffect]) -> None:
        """Let a slot serve who waits for it, or keep it (C02, C43, C48, F44)."""
        pending = self._pending.choose(slot)
        if pending is None:
            self._slots.make_available(slot)
            return
        request = pending.request
        self._pending.remove(pending)
        self._deadlines.discard(request.request_id)
        preference = preference_of(request.preferred, self._executors)
        locality = preference.locality_of(slot) if preference else Locality.UNKNOWN
        effects.append(self._grant(slot, request.request_id, locality, now))
        if pending.allocation_id != slot.allocation_id:
            self._cancel(pending, effects)

    def _grant(
        self, slot: PoolSlot, request_id: RequestId, locality: Locality, now: float
    ) -> GrantRequest:
        return GrantRequest(request_id, self._slots.serve(slot, request_id, locality, now))

    def _cancel(self, pending: PendingRequest, effects: list[SlotPoolEffect]) -> None:
        """Tell the ResourceManager that nobody wants this any more (C32, C36, X009)."""
        if isinstance(pending.state, AskedResourceManager):
            effects.append(CancelAtResourceManager(pending.state.allocation_id))

    def _fail(
        self, pending: PendingRequest, error: SlotdError, effects: list[SlotPoolEffect]
    ) -> None:
        self._pending.remove(pending)
        self._deadlines.discard(pending.request.request_id)
        self._cancel(pending, effects)
        effects.append(FailRequest(pending.request.request_id, error))

    def _fail_payload(self, slot: PoolSlot, cause: str, effects: list[SlotPoolEffect]) -> None:
        if slot.grant is not None:
            self._recovery.lose(slot.allocation_id)
            effects.append(FailPayload(slot.grant.request_id, slot.allocation_id, cause))

    def _free(self, slot: PoolSlot, cause: str, effects: list[SlotPoolEffect]) -> None:
        """Forget a slot for good, whether its executor answers or not (C39, X019)."""
        self._slots.remove(slot)
        self._fail_payload(slot, cause, effects)
        effects.append(FreeSlotAtExecutor(slot.resource_id, slot.allocation_id, cause))
        if not self._slots.has_executor(slot.resource_id):
            del self._executors[slot.resource_id]
            effects.append(DropExecutor(slot.resource_id, f"no slot of the job left: {cause}"))

    def _await_holding(self, awaited: AwaitedSlot, request: PoolRequest) -> list[SlotPoolEffect]:
        if not request.queued:
            why = "the slot that the request had was not offered again yet"
            return [FailRequest(request.request_id, NoResourceAvailable(why))]
        if awaited.asker is None:
            awaited.asker = request
            self._deadlines.set(request.request_id, request.deadline)
        return []

    def _restore(
        self, awaited: AwaitedSlot, slot: PoolSlot, now: float, effects: list[SlotPoolEffect]
    ) -> None:
        """Give a slot back to whom it served in the earlier term."""
        self._recovery.take(awaited)
        request_id = awaited.holding.request_id
        grant = self._grant(slot, request_id, Locality.UNKNOWN, now)
        if awaited.asker is not None:
            self._deadlines.discard(request_id)
            effects.append(grant)

    def _give_up(self, awaited: AwaitedSlot) -> None:
        self._recovery.take(awaited)
        self._recovery.lose(awaited.holding.allocation_id)
        self._deadlines.discard(awaited.holding.request_id)

    def _lose_holding(
        self, awaited: AwaitedSlot, cause: str, now: float, effects: list[SlotPoolEffect]
    ) -> None:
        self._give_up(awaited)
        holding = awaited.holding
        effects.append(FailPayload(holding.request_id, holding.allocation_id, cause))
        if awaited.asker is not None:
            effects += self.allocate(awaited.asker, now)

    def _expire_requests(self, now: float, effects: list[SlotPoolEffect]) -> None:
        for request_id in self._deadlines.pop_due(now):
            pending = self._pending.get(request_id)
            if pending is not None:
                self._fail(pending, _timeout_of(pending), effects)
                continue
            awaited = self._recovery.get(request_id)
            if awaited is not None:  # who gave up must not hold a slot: nobody would release it
                awaited.asker = None
                why = "the slot that the request had was not offered again in time"
                self._lose_holding(awaited, why, now, effects)
                effects.append(FailRequest(request_id, SlotRequestTimeout(why)))

    def _end(self, error: SlotdError, cause: str) -> list[SlotPoolEffect]:
        effects: list[SlotPoolEffect] = []
        for pending in list(self._pending):
            self._fail(pending, error, effects)
        for awaited in self._recovery:
            if awaited.asker is not None:
                effects.append(FailRequest(awaited.holding.request_id, error))
        effects += [DropExecutor(resource_id, cause) for resource_id in self._executors]
        self._ended = self._ended or error.message
        self._connected = False
        self._executors.clear()
        self._recovery.clear()
        self._slots = PoolSlots()
        self._deadlines = Deadlines()
        return effects


def _timeout_of(pending: PendingRequest) -> SlotRequestTimeout:
    if isinstance(pending.state, AskedResourceManager):
        why = f"the ResourceManager was asked for allocation {pending.state.allocation_id}"
    else:
        why = "no ResourceManager was there to be asked"
    return SlotRequestTimeout(f"no slot for {pending.request.profile} in time: {why}")


def _explain_pending(pending: PendingRequest) -> PoolExplanation:
    waits = isinstance(pending.state, WaitingForResourceManager)
    return PoolExplanation(
        "WAITING_FOR_RESOURCE_MANAGER" if waits else "PENDING",
        pending.since,
        pending.request.deadline,
        pending.request.profile,
        pending.allocation_id,
    )
