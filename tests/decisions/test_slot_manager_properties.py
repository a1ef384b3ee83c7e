"""Any order of events leaves the SlotManager consistent: nothing granted twice, nothing forgotten.

The machine plays the executors and the jobs. Its executors have slot tables of their own; calls
reach them in order, but their messages reach the SlotManager in any order, late, or not at all.
"""

import random
from collections import deque

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from daemon.core.effects import (
    AskExecutorForRelease,
    AskExecutorForSlot,
    FreeSlotAtInstance,
    SlotManagerEffect,
    TellJobAllocationFailed,
)
from daemon.core.resource_manager.slot_manager import (
    ExecutorRegistration,
    SlotManagerSettings,
    SlotRequest,
    WorkerSpecification,
)
from protocol.errors import NoResourceAvailable, SlotAllocationFailed
from protocol.ids import AllocationId, InstanceId, JobId, ResourceId, SlotId
from protocol.messages.values import SlotStatus
from protocol.news import (
    News,
    RequestAssigned,
    RequestCancelledNews,
    RequestFailed,
    RequestFulfilled,
    RequestRegistered,
    RequestRequeued,
)
from protocol.resources import UNKNOWN, ResourceProfile
from tests.decisions.slot_manager_words import TARGET, B, Cluster, P

G = ResourceProfile(1, 2048, {"gpu": 1})
PROFILES = [P, B, G, UNKNOWN]
NAMES = ["te-1", "te-2", "te-3"]
FOR_EVER = 1e9

profiles = st.sampled_from(PROFILES)
names = st.sampled_from(NAMES)
allocations = st.integers(0, 11).map(lambda number: AllocationId(f"a{number}"))
any_of = st.integers(0, 1000)


@attrs.define(eq=False)
class Table:
    """What an executor really has: the truth."""

    instance_id: InstanceId
    resource_id: ResourceId
    profiles: dict[SlotId, ResourceProfile]
    holders: dict[SlotId, AllocationId | None]
    inbox: deque[AskExecutorForSlot | FreeSlotAtInstance] = attrs.field(factory=deque)
    accepted: set[AllocationId] = attrs.field(factory=set)
    """What the jobs took when it was offered: not freed again because a request was withdrawn."""

    def report(self) -> list[SlotStatus]:
        return [
            SlotStatus(slot_id, profile, holder, job_of(holder) if holder else None)
            for slot_id, profile in self.profiles.items()
            for holder in [self.holders[slot_id]]
        ]

    def slot_of(self, allocation_id: AllocationId) -> SlotId | None:
        return next((slot for slot, a in self.holders.items() if a == allocation_id), None)


@attrs.frozen
class Message:
    """On its way from an executor to the SlotManager."""

    kind: str
    table: Table
    slot_id: SlotId | None = None
    allocation_id: AllocationId | None = None
    occupant: AllocationId | None = None
    report: tuple[SlotStatus, ...] = ()
    asked_at: float | None = None


def job_of(allocation_id: AllocationId) -> JobId:
    return JobId(f"job{int(allocation_id[1:]) % 3}")


class SlotManagerMachine(RuleBasedStateMachine):
    @initialize(
        placement=st.sampled_from(["first-fit", "best-fit", "spread", "pack"]),
        worker=st.sampled_from([None, WorkerSpecification((P, P)), WorkerSpecification((B,))]),
        max_slots=st.sampled_from([None, 4]),
        redundant=st.sampled_from([0, 1]),
    )
    def begin(
        self,
        placement: str,
        worker: WorkerSpecification | None,
        max_slots: int | None,
        redundant: int,
    ) -> None:
        self.cluster = Cluster(
            SlotManagerSettings(
                placement=placement,
                worker=worker,
                max_slots=max_slots,
                redundant_executors=redundant,
            )
        )
        self.tables: dict[ResourceId, Table] = {}
        self.messages: list[Message] = []
        self.instances = 0
        self.arrival: dict[AllocationId, int] = {}
        self.wanted: dict[AllocationId, ResourceProfile] = {}
        self.waiting: dict[AllocationId, ResourceProfile] = {}
        self.assigned: dict[AllocationId, SlotId] = {}
        self.arrivals = 0
        for name in NAMES[:2]:
            self.register(name, [P, P, B], keep=False)
            self.deliver(self.messages.pop())

    # --- the effects, and what they must never be

    def take(self, effects: list[SlotManagerEffect]) -> None:
        slots = {key: view.profile for key, view in self.cluster.state.slots.items()}
        self.cluster.step(effects)
        slots |= {key: view.profile for key, view in self.cluster.state.slots.items()}
        for effect in effects:
            if isinstance(effect, AskExecutorForSlot | FreeSlotAtInstance):
                self.table_of(effect.instance_id).inbox.append(effect)
            elif isinstance(effect, RequestAssigned):
                self.check_assignment(effect, slots[effect.slot_id])
            elif isinstance(effect, News):
                self.follow(effect)
        for effect in effects:
            if isinstance(effect, TellJobAllocationFailed):
                self.job_gives_up(effect.allocation_id)

    def follow(self, news: News) -> None:
        match news:
            case RequestRegistered():
                self.arrivals += 1
                self.arrival[news.allocation_id] = self.arrivals
                self.wanted[news.allocation_id] = news.profile
                self.waiting[news.allocation_id] = news.profile
            case RequestRequeued():
                assert self.assigned.pop(news.allocation_id) == news.slot_id
                self.waiting[news.allocation_id] = self.wanted[news.allocation_id]
            case RequestFulfilled() | RequestFailed() | RequestCancelledNews():
                self.waiting.pop(news.allocation_id, None)
                self.assigned.pop(news.allocation_id, None)
            case _:
                pass

    def check_assignment(self, news: RequestAssigned, slot: ResourceProfile) -> None:
        """Never to two at once, always one that fits, and never past an older one that fits."""
        assert news.slot_id not in self.assigned.values()
        profile = self.waiting.pop(news.allocation_id)
        assert slot.satisfies(profile)
        place = self.arrival[news.allocation_id]
        for other, wanted in self.waiting.items():
            assert self.arrival[other] > place or not slot.satisfies(wanted), "overtaken"
        self.assigned[news.allocation_id] = news.slot_id

    def table_of(self, instance_id: InstanceId) -> Table:
        return next(t for t in self.tables.values() if t.instance_id == instance_id)

    def job_gives_up(self, allocation_id: AllocationId) -> None:
        """A job that is told of a loss frees whatever it still has under that id."""
        for table in self.tables.values():
            self.release(table, table.slot_of(allocation_id))

    def release(self, table: Table, slot_id: SlotId | None) -> None:
        if slot_id is None:
            return
        holder = table.holders[slot_id]
        if holder is not None:
            table.holders[slot_id] = None
            table.accepted.discard(holder)
            self.messages.append(Message("available", table, slot_id, holder))

    # --- executors

    @rule(name=names, slots=st.lists(profiles, max_size=3), keep=st.booleans())
    def register(self, name: str, slots: list[ResourceProfile], keep: bool) -> None:
        """A new process, or (``keep``) the same one over a new connection."""
        self.instances += 1
        instance_id, resource_id = InstanceId(f"i{self.instances}"), ResourceId(name)
        old = self.tables.get(resource_id)
        if old is not None and keep:
            table = Table(instance_id, resource_id, old.profiles, old.holders)
            table.accepted = old.accepted
        else:
            ids = {SlotId(f"{name}_{number}"): p for number, p in enumerate(slots)}
            table = Table(instance_id, resource_id, ids, dict.fromkeys(ids))
        self.tables[resource_id] = table
        registration = ExecutorRegistration(instance_id, resource_id, "host", TARGET)
        self.take(self.cluster.manager.register_executor(registration, self.cluster.now))
        self.messages.append(Message("report", table, report=tuple(table.report())))

    @precondition(lambda self: self.tables)
    @rule(which=any_of, change=st.sampled_from(["same", "less", "more"]), profile=profiles)
    def heartbeat(self, which: int, change: str, profile: ResourceProfile) -> None:
        table = self.pick(which)
        if change == "less" and table.profiles:
            slot_id = list(table.profiles)[-1]
            del table.profiles[slot_id], table.holders[slot_id]
        elif change == "more" and len(table.profiles) < 4:
            slot_id = SlotId(f"{table.resource_id}_{len(table.profiles)}")
            table.profiles[slot_id], table.holders[slot_id] = profile, None
        self.messages.append(
            Message("report", table, report=tuple(table.report()), asked_at=self.cluster.now)
        )

    @precondition(lambda self: self.tables)
    @rule(which=any_of)
    def lose(self, which: int) -> None:
        table = self.pick(which)
        del self.tables[table.resource_id]
        self.take(self.cluster.manager.lose_executor(table.instance_id, "lost", self.cluster.now))

    @precondition(lambda self: self.tables)
    @rule(which=any_of)
    def drain(self, which: int) -> None:
        table = self.pick(which)
        self.take(self.cluster.manager.drain_executor(table.resource_id, self.cluster.now))

    @precondition(lambda self: self.tables)
    @rule(which=any_of)
    def evict(self, which: int) -> None:
        table = self.pick(which)
        manager, now = self.cluster.manager, self.cluster.now
        self.take(manager.drain_executor(table.resource_id, now))
        self.take(manager.evict_executor(table.resource_id, "drained", now))

    @precondition(lambda self: self.tables)
    @rule(which=any_of, mood=st.sampled_from(["well", "well", "well", "refuse"]))
    def executor_works(self, which: int, mood: str) -> None:
        """It handles the next call; then its answer is on its way."""
        table = self.pick(which)
        if table.inbox:
            self.handle(table, table.inbox.popleft(), mood)

    def handle(
        self, table: Table, call: AskExecutorForSlot | FreeSlotAtInstance, mood: str
    ) -> None:
        if isinstance(call, FreeSlotAtInstance):
            if call.even_if_accepted or call.allocation_id not in table.accepted:
                self.release(table, table.slot_of(call.allocation_id))
            return
        slot_id, allocation_id = call.slot_id, call.allocation_id
        holder = table.holders.get(slot_id)
        here = table.slot_of(allocation_id)
        refused = slot_id not in table.holders or (here is not None and here != slot_id)
        if holder is not None and holder != allocation_id:
            self.messages.append(Message("refused", table, slot_id, allocation_id, holder))
        elif refused or (mood == "refuse" and holder is None):
            self.messages.append(Message("refused", table, slot_id, allocation_id))
        else:
            elsewhere = [t for t in self.tables.values() if t.slot_of(allocation_id)]
            table.holders[slot_id] = allocation_id
            if self.arrivals % 2:
                table.accepted.add(allocation_id)
            self.messages.append(Message("granted", table, slot_id, allocation_id))
            if elsewhere and table not in elsewhere:
                self.release(table, slot_id)  # the job has it already and refuses the offer

    def pick(self, which: int) -> Table:
        return list(self.tables.values())[which % len(self.tables)]

    @rule(order=st.randoms(use_true_random=False), mood=st.sampled_from(["well", "refuse"]))
    def everybody_works(self, order: random.Random, mood: str) -> None:
        """Every call is handled, and the answers arrive in any order."""
        for table in self.tables.values():
            while table.inbox:
                self.handle(table, table.inbox.popleft(), mood)
        arriving, self.messages = self.messages, []
        order.shuffle(arriving)
        for message in arriving:
            self.deliver(message)

    @precondition(lambda self: any(table.inbox for table in self.tables.values()))
    @rule(which=any_of)
    def call_times_out(self, which: int) -> None:
        """The SlotManager hears that nobody answered; the call may still be handled."""
        calls = [
            (table, call)
            for table in self.tables.values()
            for call in table.inbox
            if isinstance(call, AskExecutorForSlot)
        ]
        if calls:
            table, call = calls[which % len(calls)]
            self.deliver(Message("refused", table, call.slot_id, call.allocation_id))

    # --- messages

    @precondition(lambda self: self.messages)
    @rule(which=any_of)
    def message_arrives(self, which: int) -> None:
        self.deliver(self.messages.pop(which % len(self.messages)))

    @precondition(lambda self: self.messages)
    @rule(which=any_of)
    def message_is_lost(self, which: int) -> None:
        """Only what is sent best effort, or again with the next heartbeat, may be lost."""
        index = which % len(self.messages)
        if self.messages[index].kind in ("available", "report"):
            del self.messages[index]

    def deliver(self, message: Message) -> None:
        manager, now, table = self.cluster.manager, self.cluster.now, message.table
        slot_id, allocation_id = message.slot_id, message.allocation_id
        if message.kind == "report":
            self.take(
                manager.report_slots(
                    table.instance_id, list(message.report), now, message.asked_at
                )[1]
            )
            return
        assert slot_id is not None
        assert allocation_id is not None
        if message.kind == "granted":
            self.take(manager.slot_granted(slot_id, table.instance_id, allocation_id, now))
        elif message.kind == "available":
            self.take(manager.slot_available(slot_id, table.instance_id, allocation_id, now))
        else:
            self.take(
                manager.slot_refused(
                    slot_id, table.instance_id, allocation_id, "no", message.occupant, now
                )
            )

    # --- jobs

    @rule(
        allocation_id=allocations,
        profile=profiles,
        patience=st.sampled_from([0.05, 3.0, FOR_EVER]),
    )
    def request(
        self, allocation_id: AllocationId, profile: ResourceProfile, patience: float
    ) -> None:
        if any(table.slot_of(allocation_id) for table in self.tables.values()):
            return  # a job does not use an id again that it still has
        now = self.cluster.now
        wanted = SlotRequest(allocation_id, job_of(allocation_id), profile, TARGET, now + patience)
        before = self.cluster.manager.counts()
        try:
            noted, effects = self.cluster.manager.request_slot(wanted, now)
        except (NoResourceAvailable, SlotAllocationFailed):
            assert self.cluster.manager.counts() == before
            self.take([])
            return
        assert noted or effects == []
        self.take(effects)

    @rule(first=st.integers(0, 8), profile=profiles)
    def several_requests(self, first: int, profile: ResourceProfile) -> None:
        for number in range(first, first + 4):
            self.request(AllocationId(f"a{number}"), profile, FOR_EVER)

    @rule(allocation_id=allocations)
    def cancel(self, allocation_id: AllocationId) -> None:
        live = allocation_id in self.cluster.state.requests
        cancelled, effects = self.cluster.manager.cancel_request(allocation_id, self.cluster.now)
        assert cancelled == live
        self.take(effects)

    @rule(number=st.integers(0, 2))
    def lose_job(self, number: int) -> None:
        job_id = JobId(f"job{number}")
        self.take(self.cluster.manager.lose_job(job_id, self.cluster.now))
        assert all(view.job_id != job_id for view in self.cluster.state.requests.values())

    @rule(allocation_id=allocations)
    def job_frees(self, allocation_id: AllocationId) -> None:
        self.job_gives_up(allocation_id)

    # --- time

    @rule(seconds=st.sampled_from([0.0, 0.1, 1.0, 5.0, 40.0]))
    def time_passes(self, seconds: float) -> None:
        cluster = self.cluster
        end = cluster.now + seconds
        while cluster.manager.next_deadline <= end:
            cluster.now = max(cluster.now, cluster.manager.next_deadline)
            self.take(cluster.manager.expire(cluster.now))
        cluster.now = end

    @rule(which=any_of, seconds=st.sampled_from([0.0, 30.0]))
    def executor_agrees_to_go(self, which: int, seconds: float) -> None:
        questions = [e for e in self.cluster.effects if isinstance(e, AskExecutorForRelease)]
        if questions:
            question = questions[-1 - which % len(questions)]
            self.take(
                self.cluster.manager.executor_may_go(
                    question.instance_id, question.idle_since, self.cluster.now
                )
            )

    @rule(allocation_id=allocations)
    def explain(self, allocation_id: AllocationId) -> None:
        explanation = self.cluster.manager.explain(allocation_id, self.cluster.now)
        view = self.cluster.state.requests.get(allocation_id)
        assert (explanation is None) == (view is None)
        if explanation is None or view is None:
            return
        assert explanation.state == view.state.value
        older = [
            other
            for other, profile in self.waiting.items()
            if profile == view.profile and self.arrival[other] < self.arrival[allocation_id]
        ]
        if explanation.position is not None:
            assert explanation.position == len(older) + 1
        assert sum(kind.slots for kind in explanation.kinds) == len(self.cluster.state.slots)

    # --- the end

    def teardown(self) -> None:
        """When the world falls quiet, the books are the truth and nothing was granted twice."""
        if not hasattr(self, "cluster"):
            return
        for _ in range(40):
            self.time_passes(25.0)
            for table in list(self.tables.values()):
                while table.inbox:
                    self.handle(table, table.inbox.popleft(), "well")
            self.messages.sort(key=lambda message: message.kind == "report")
            while self.messages:
                message = self.messages.pop(0)
                if message.kind != "report":
                    self.deliver(message)
            for table in list(self.tables.values()):
                self.deliver(Message("report", table, report=tuple(table.report())))
            if not self.messages and not any(table.inbox for table in self.tables.values()):
                break
        else:
            raise AssertionError("the world does not fall quiet")
        truth = {
            slot_id: holder for t in self.tables.values() for slot_id, holder in t.holders.items()
        }
        assert self.cluster.slots() == truth
        held = [holder for holder in truth.values() if holder is not None]
        assert len(held) == len(set(held)), "granted twice"
        assert not self.assigned


TestSlotManager = SlotManagerMachine.TestCase
TestSlotManager.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
