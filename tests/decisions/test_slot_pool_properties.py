"""Any order of events leaves a SlotPool consistent: every ask answered once, no slot served twice.

The machine keeps its own books from the effects alone, with naive scans, and compares.
"""

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

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
from daemon.core.job_master.slot_pool import PoolRequest, SlotPool, SlotPoolSettings
from protocol.errors import NoResourceAvailable, PeerGone, SlotAllocationFailed, UnknownTaskExecutor
from protocol.ids import AllocationId, JobId, RequestId, ResourceId
from protocol.messages.values import Locality, Location, SlotOffer
from protocol.news import PoolCounts
from protocol.resources import UNKNOWN, ResourceProfile
from tests.decisions.pool_words import TE1, TE2, TE3, B, P, counted_ids


@attrs.frozen
class Slot:
    """A slot as an executor offers it and as the machine believes it to be in the pool."""

    executor: ResourceId
    number: int
    profile: ResourceProfile


LARGE = ResourceProfile(4, 256, {"gpu": 1})
HOSTS = {TE1: "h1", TE2: "h1", TE3: "h2"}

profiles = st.sampled_from([P, B, LARGE, UNKNOWN])
executors = st.sampled_from(list(HOSTS))
requests = st.sampled_from([RequestId(f"r{number}") for number in range(8)])
slots = st.builds(Slot, executors, st.integers(0, 3), profiles)
places = st.sampled_from(
    [Location(TE1), Location(TE3), Location(None, "h1"), Location(TE2, "h2"), Location()]
)


class PoolMachine(RuleBasedStateMachine):
    allocations = Bundle("allocations")

    @initialize()
    def begin(self) -> None:
        self.now = 0.0
        self.new_id = counted_ids()
        self.settings = SlotPoolSettings(slot_idle_timeout_s=20.0, recovery_timeout_s=10.0)
        self.pool = SlotPool(JobId("job"), self.settings, self.new_id, 0.0)
        self.strangers = 0
        self.forget_term()
        self.held: dict[RequestId, AllocationId] = {}
        """Granted in an earlier term and not seen in this one."""
        self.connect()

    def forget_term(self) -> None:
        self.connected = False
        self.waiting: dict[RequestId, PoolRequest] = {}
        """Asked and not answered, in order of arrival."""
        self.steps = 0
        self.asked: dict[RequestId, AllocationId] = {}
        """The id under which each waiting request was asked for last."""
        self.known: set[AllocationId] = set()
        """What the connected ResourceManager has on its list."""
        self.slots: dict[AllocationId, Slot] = {}
        self.serving: dict[RequestId, AllocationId] = {}
        self.registered: set[ResourceId] = set()
        self.lost: set[AllocationId] = set()
        """Served somebody who was told that it is gone: never to be accepted again."""
        self.localities: dict[RequestId, Locality] = {}

    # --- the books

    def book(self, effects: list[SlotPoolEffect]) -> None:
        for effect in effects:
            match effect:
                case GrantRequest(request_id, slot):
                    self.book_grant(request_id, slot.allocation_id)
                    self.localities[request_id] = slot.locality
                case FailRequest(request_id):
                    del self.waiting[request_id]
                    self.asked.pop(request_id, None)
                case FailPayload(request_id, allocation_id):
                    self.book_loss(request_id, allocation_id)
                case FreeSlotAtExecutor(resource_id, allocation_id):
                    assert self.slots.pop(allocation_id).executor == resource_id
                case DropExecutor(resource_id):
                    assert all(slot.executor != resource_id for slot in self.slots.values())
                    self.registered.remove(resource_id)
                case AskResourceManager(allocation_id, profile, timeout_s):
                    self.book_ask(allocation_id, profile, timeout_s)
                case CancelAtResourceManager(allocation_id):
                    assert self.connected
                    self.known.remove(allocation_id)

    def book_grant(self, request_id: RequestId, allocation_id: AllocationId) -> None:
        assert allocation_id not in self.serving.values(), "granted twice"
        asker = self.waiting.pop(request_id)
        self.asked.pop(request_id, None)
        assert self.slots[allocation_id].profile.satisfies(asker.profile) or request_id in self.held
        self.serving[request_id] = allocation_id
        self.held.pop(request_id, None)

    def book_loss(self, request_id: RequestId, allocation_id: AllocationId) -> None:
        if request_id in self.held:
            assert self.held.pop(request_id) == allocation_id
        else:
            assert self.serving.pop(request_id) == allocation_id
        self.lost.add(allocation_id)

    def book_ask(
        self, allocation_id: AllocationId, profile: ResourceProfile, timeout_s: float
    ) -> None:
        assert self.connected
        again = [name for name, asked in self.asked.items() if asked == allocation_id]
        name = again[0] if again else self.first_unasked()
        self.asked[name] = allocation_id
        self.known.add(allocation_id)
        assert profile == self.waiting[name].profile
        assert timeout_s == self.waiting[name].deadline - self.now

    def first_unasked(self) -> RequestId:
        return next(n for n in self.waiting if n not in self.asked and n not in self.held)

    def available(self) -> dict[AllocationId, Slot]:
        used = set(self.serving.values())
        return {name: slot for name, slot in self.slots.items() if name not in used}

    # --- what the rules of matching say, by scanning everything

    def naive_request(self, allocation_id: AllocationId, slot: Slot) -> RequestId | None:
        fitting = [
            name
            for name, asker in self.waiting.items()
            if name not in self.held and slot.profile.satisfies(asker.profile)
        ]
        exact = [name for name in fitting if self.asked.get(name) == allocation_id]
        local = [
            name
            for name in fitting
            if any(place.resource_id == slot.executor for place in self.waiting[name].preferred)
        ]
        return next(iter([*exact, *local, *fitting]), None)

    def naive_localities(self, request: PoolRequest) -> set[Locality]:
        """The best that any available slot that satisfies the request would be to it."""
        executors = {place.resource_id for place in request.preferred} - {None}
        hosts = {place.host for place in request.preferred} - {None}
        hosts |= {HOSTS[name] for name in executors if name in self.registered}
        fitting = [s for s in self.available().values() if s.profile.satisfies(request.profile)]
        if not fitting:
            return set()
        if not executors and not hosts:
            return {Locality.UNCONSTRAINED}
        if any(slot.executor in executors for slot in fitting):
            return {Locality.LOCAL}
        if any(HOSTS[slot.executor] in hosts for slot in fitting):
            return {Locality.HOST_LOCAL}
        return {Locality.NON_LOCAL}

    def naive_locality(self, request: PoolRequest, slot: Slot) -> Locality:
        """How near a slot is to a request that had waited for it."""
        executors = {place.resource_id for place in request.preferred} - {None}
        hosts = {place.host for place in request.preferred} - {None}
        hosts |= {HOSTS[name] for name in executors if name in self.registered}
        if not executors and not hosts:
            return Locality.UNKNOWN
        if slot.executor in executors:
            return Locality.LOCAL
        return Locality.HOST_LOCAL if HOSTS[slot.executor] in hosts else Locality.NON_LOCAL

    def check_heir(
        self, heir: RequestId | None, asker: PoolRequest | None, allocation_id: AllocationId
    ) -> None:
        """The one who should have got a slot did."""
        if heir is not None and asker is not None:
            assert self.serving[heir] == allocation_id
            assert self.localities[heir] == self.naive_locality(asker, self.slots[allocation_id])

    # --- rules

    @rule(name=requests, profile=profiles, preferred=st.lists(places, max_size=2))
    def wait_for_a_slot(
        self, name: RequestId, profile: ResourceProfile, preferred: list[Location]
    ) -> None:
        self.allocate(name, profile, True, 60.0, preferred)

    @rule(data=st.data(), patience=st.sampled_from([5.0, 60.0]))
    def wait_for_what_is_held(self, data: st.DataObject, patience: float) -> None:
        if self.held:
            name = data.draw(st.sampled_from(list(self.held)))
            self.allocate(name, P, True, patience, [])

    @rule(
        name=requests,
        profile=profiles,
        queued=st.booleans(),
        patience=st.sampled_from([0.0, 5.0, 15.0, 300.0]),
        preferred=st.lists(places, max_size=2),
    )
    def allocate(
        self,
        name: RequestId,
        profile: ResourceProfile,
        queued: bool,
        patience: float,
        preferred: list[Location],
    ) -> None:
        asker = PoolRequest(name, profile, queued, self.now + patience, tuple(preferred))
        if name in self.serving:
            [again] = self.pool.allocate(asker, self.now)
            assert isinstance(again, GrantRequest)
            assert again.slot.allocation_id == self.serving[name]
            return
        if name in self.waiting:
            if queued or name not in self.held:
                assert self.pool.allocate(asker, self.now) == []
            return
        localities = self.naive_localities(asker) if name not in self.held else set()
        self.waiting[name] = asker
        effects = self.pool.allocate(asker, self.now)
        granted = {e.slot.locality for e in effects if isinstance(e, GrantRequest)}
        assert granted == localities
        if not queued:
            assert len(effects) == 1, "a request that does not wait is answered at once"
        self.book(effects)

    @rule(name=requests)
    def release(self, name: RequestId) -> None:
        expected = name in self.serving or name in self.waiting or name in self.held
        allocation_id = self.serving.pop(name, None)
        heir: RequestId | None = None
        if allocation_id is not None:
            heir = self.naive_request(allocation_id, self.slots[allocation_id])
        asker = self.waiting.get(heir) if heir else None
        if name in self.held:
            self.lost.add(self.held.pop(name))
        released, effects = self.pool.release(name, "released", self.now)
        assert released == expected
        self.book(effects)
        if allocation_id is not None:
            self.check_heir(heir, asker, allocation_id)

    def register(self, executor: ResourceId) -> None:
        self.pool.register_executor(executor, HOSTS[executor])
        self.registered.add(executor)

    @rule(target=allocations)
    def a_stranger(self) -> AllocationId:
        self.strangers += 1
        return AllocationId(f"x{self.strangers}")

    @rule(allocation_id=allocations, slot=slots)
    def offer_a_stranger(self, allocation_id: AllocationId, slot: Slot) -> None:
        self.offer(allocation_id, slot)

    @rule(data=st.data(), slot=slots)
    def offer_what_was_asked_for(self, data: st.DataObject, slot: Slot) -> None:
        wanted = [*self.asked.values(), *self.held.values(), *sorted(self.lost)]
        if wanted:
            self.offer(data.draw(st.sampled_from(wanted)), slot)

    @rule(data=st.data(), slot=slots, moved=st.booleans())
    def offer_what_is_held(self, data: st.DataObject, slot: Slot, moved: bool) -> None:
        if self.slots:
            allocation_id = data.draw(st.sampled_from(list(self.slots)))
            self.offer(allocation_id, slot if moved else self.slots[allocation_id])

    def offer(self, allocation_id: AllocationId, offered: Slot) -> None:
        executor, number = offered.executor, offered.number
        self.register(executor)
        held = self.slots.get(allocation_id)
        displaced = [
            held_as
            for held_as, slot in self.slots.items()
            if (slot.executor, slot.number) == (executor, number)
        ]
        restored = [name for name, awaited in self.held.items() if awaited == allocation_id]
        before = self.pool.counts()
        offers = [SlotOffer(allocation_id, number, offered.profile)]
        accepted, effects = self.pool.offer(executor, offers, self.now)
        if held is not None or allocation_id in self.lost:
            same = held is not None and (held.executor, held.number) == (executor, number)
            assert accepted == ([allocation_id] if same else [])
            assert effects == []
            assert self.pool.counts() == before
            return
        assert accepted == [allocation_id]
        for held_as in displaced:
            del self.slots[held_as]
        self.slots[allocation_id] = offered
        self.known.discard(allocation_id)
        heir = None if restored else self.naive_request(allocation_id, offered)
        asker = self.waiting.get(heir) if heir else None
        used_up = [n for n, asked in self.asked.items() if asked == allocation_id and n != heir]
        for name in used_up:
            del self.asked[name]
        for name in restored:
            if name not in self.waiting:
                self.serving[name] = self.held.pop(name)
        self.book(effects)
        self.check_heir(heir, asker, allocation_id)

    @rule(data=st.data())
    def fail_allocation(self, data: st.DataObject) -> None:
        candidates = [*self.asked.values(), *self.held.values(), *self.slots]
        if candidates:
            allocation_id = data.draw(st.sampled_from(candidates))
            error = SlotAllocationFailed("failed")
            self.book(self.pool.fail_allocation(allocation_id, error, self.now))
            assert self.pool.fail_allocation(allocation_id, error, self.now) == []

    @rule(data=st.data(), gone=st.booleans())
    def refuse(self, data: st.DataObject, gone: bool) -> None:
        if self.asked:
            allocation_id = data.draw(st.sampled_from(list(self.asked.values())))
            error = PeerGone("gone") if gone else NoResourceAvailable("none")
            effects = self.pool.request_refused(allocation_id, error, self.now)
            assert (effects == []) == (gone or not self.connected)
            self.book(effects)

    @rule(executor=executors)
    def lose_executor(self, executor: ResourceId) -> None:
        self.registered.discard(executor)
        gone = [name for name, slot in self.slots.items() if slot.executor == executor]
        for name in gone:
            del self.slots[name]
        self.book(self.pool.lose_executor(executor, "lost", self.now))

    @rule()
    def connect(self) -> None:
        overdue = [n for n, asker in self.waiting.items() if asker.deadline <= self.now]
        if overdue:
            self.expire(0.0)
        self.connected = True
        self.known.clear()
        effects = self.pool.connect_resource_manager(self.now)
        assert len(effects) == len([name for name in self.waiting if name not in self.held])
        self.book(effects)

    @rule()
    def disconnect(self) -> None:
        self.connected = False
        self.known.clear()
        assert self.pool.disconnect_resource_manager(self.now) == []

    @rule(passed=st.sampled_from([1.0, 5.0, 10.0, 20.0]))
    def expire(self, passed: float) -> None:
        self.now += passed
        due = self.pool.next_deadline
        effects = self.pool.expire(self.now)
        assert bool(effects) == (due <= self.now), "next_deadline says when there is work"
        self.book(effects)
        assert self.pool.next_deadline > self.now

    @precondition(lambda self: self.steps > 12 and (self.serving or self.held))
    @rule()
    def next_term(self) -> None:
        holdings = self.pool.holdings()
        held = {name: holding.allocation_id for name, holding in holdings.items()}
        assert held == self.held | self.serving
        self.slots.clear()
        self.serving.clear()
        self.book(self.pool.suspend("revoked"))
        self.nothing_is_left()
        self.forget_term()
        self.held = held
        self.pool = SlotPool(JobId("job"), self.settings, self.new_id, self.now, holdings)
        self.connect()

    def nothing_is_left(self) -> None:
        assert not self.waiting
        assert not self.known
        assert not self.registered
        assert self.pool.counts() == PoolCounts()
        assert self.pool.holdings() == {}
        assert self.pool.next_deadline == float("inf")
        self.pool.check_invariants()
        for executor in HOSTS:
            self.pool.register_executor(executor, HOSTS[executor])
            with pytest.raises(UnknownTaskExecutor):
                self.pool.offer(executor, [], self.now)

    def teardown(self) -> None:
        if hasattr(self, "pool"):
            self.serving.clear()
            self.book(self.pool.close("done"))
            assert not self.slots, "a slot was not freed"
            self.nothing_is_left()

    # --- what is always true

    @invariant()
    def the_pool_is_consistent(self) -> None:
        self.steps += 1
        self.pool.check_invariants()

    @invariant()
    def the_books_agree(self) -> None:
        asked = len([name for name in self.waiting if name not in self.held])
        assert self.pool.counts() == PoolCounts(
            allocated=len(self.serving),
            available=len(self.available()),
            pending=asked if self.connected else 0,
            waiting_for_resource_manager=0 if self.connected else asked,
        )
        for name, allocation_id in self.serving.items():
            assert self.pool.slot_of(name) == (self.slots[allocation_id].executor, allocation_id)

    @invariant()
    def the_resource_manager_knows_just_what_waits(self) -> None:
        if self.connected:
            assert self.known == set(self.asked.values())
            assert len(self.known) == len(self.asked)


PoolMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestPool = PoolMachine.TestCase
