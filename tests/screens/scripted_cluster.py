"""A cluster that is played, not run: news goes into a ClusterState and comes out as events."""

import functools
import random
from collections.abc import Callable, Iterable

import attrs

from protocol.cluster_state import ClusterState
from protocol.ids import (
    RESOURCE_MANAGER,
    AllocationId,
    Component,
    InstanceId,
    JobId,
    LeaderId,
    RequestId,
    ResourceId,
    SlotId,
    TaskId,
    executor_of,
    job_master,
    slot_id,
)
from protocol.news import (
    Event,
    ExecutorDraining,
    ExecutorLost,
    ExecutorRegistered,
    JobClosedNews,
    JobOpenedNews,
    LeaderGranted,
    LeaderRevoked,
    News,
    PoolChanged,
    PoolCounts,
    RequestAssigned,
    RequestFailed,
    RequestFulfilled,
    RequestRegistered,
    RequestRequeued,
    SlotAllocated,
    SlotFreed,
    SlotRegistered,
    SlotRemoved,
    TaskFinishedNews,
    TaskStarted,
)
from protocol.resources import UNKNOWN, ResourceProfile
from protocol.snapshot import RequestState, SlotState

SMALL = ResourceProfile(1.0, 512)
LARGE = ResourceProfile(4.0, 8192, {"gpu": 1})
START = 1_700_000_000.0


@attrs.define(slots=False)
class ScriptedCluster:
    """Plays a cluster. ``at`` is its clock; ids come from ``rng``, so a seed repeats a history."""

    seed: int = 0
    at: float = START
    state: ClusterState = attrs.field(factory=ClusterState)
    listeners: list[Callable[[Event], None]] = attrs.field(factory=list)
    history: list[Event] = attrs.field(factory=list)
    rng: random.Random = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    def tell(self, *news: News) -> tuple[Event, ...]:
        """Let these things happen now."""
        events = []
        for piece in news:
            event = Event(self.state.seq + 1, self.at, piece)
            self.state.apply(event)
            events.append(event)
            self.history.append(event)
            for listener in self.listeners:
                listener(event)
        return tuple(events)

    def hex_id(self) -> str:
        return f"{self.rng.getrandbits(128):032x}"

    # Things that happen.

    def elect(self, component: Component = RESOURCE_MANAGER, epoch: int = 1) -> tuple[Event, ...]:
        return self.tell(LeaderGranted(component, LeaderId(self.hex_id()), epoch, "127.0.0.1:6123"))

    def depose(self, component: Component = RESOURCE_MANAGER) -> tuple[Event, ...]:
        leader = self.state.leaders[component]
        return self.tell(LeaderRevoked(component, leader.leader_id, leader.epoch, "a drill"))

    def add_executor(
        self,
        name: str,
        slots: int,
        profile: ResourceProfile = SMALL,
        host: str = "node-1",
    ) -> tuple[Event, ...]:
        resource_id = ResourceId(name)
        registered = ExecutorRegistered(
            resource_id, InstanceId(self.hex_id()), host, f"{host}:40123"
        )
        return self.tell(
            registered,
            *(SlotRegistered(slot_id(resource_id, number), profile) for number in range(slots)),
        )

    def lose_executor(self, name: str, cause: str = "no heartbeat for 50 s") -> tuple[Event, ...]:
        resource_id = ResourceId(name)
        slots = [s for s in self.state.slots if executor_of(s) == resource_id]
        instance = self.state.executors[resource_id].instance_id
        return self.tell(
            *(SlotRemoved(slot, self.state.slots[slot].allocation_id) for slot in slots),
            ExecutorLost(resource_id, instance, cause),
        )

    def drain(self, name: str) -> tuple[Event, ...]:
        resource_id = ResourceId(name)
        instance = self.state.executors[resource_id].instance_id
        return self.tell(ExecutorDraining(resource_id, instance))

    def open_job(self, name: str, epoch: int = 1) -> JobId:
        job_id = JobId(self.hex_id())
        self.tell(JobOpenedNews(job_id, name, detached=False))
        self.elect(job_master(job_id), epoch)
        return job_id

    def close_job(self, job_id: JobId) -> tuple[Event, ...]:
        return self.tell(JobClosedNews(job_id, "its client closed it"))

    def ask(
        self, job_id: JobId, profile: ResourceProfile = UNKNOWN, timeout: float = 300.0
    ) -> AllocationId:
        allocation_id = AllocationId(self.hex_id())
        self.tell(RequestRegistered(allocation_id, job_id, profile, timeout))
        self.count_pool(job_id)
        return allocation_id

    def assign(self, allocation_id: AllocationId, slot: SlotId) -> tuple[Event, ...]:
        request = self.state.requests[allocation_id]
        return self.tell(RequestAssigned(allocation_id, request.job_id, slot))

    def requeue(self, allocation_id: AllocationId) -> tuple[Event, ...]:
        request = self.state.requests[allocation_id]
        slot = request.slot_id or SlotId("nowhere_0")
        return self.tell(
            RequestRequeued(allocation_id, request.job_id, slot, "the slot is occupied"),
            SlotFreed(slot, allocation_id),
        )

    def grant(self, allocation_id: AllocationId, slot: SlotId) -> tuple[Event, ...]:
        request = self.state.requests[allocation_id]
        events = self.tell(
            SlotAllocated(slot, allocation_id, request.job_id),
            RequestFulfilled(allocation_id, request.job_id, slot),
        )
        self.count_pool(request.job_id)
        return events

    def fail(self, allocation_id: AllocationId) -> tuple[Event, ...]:
        job_id = self.state.requests[allocation_id].job_id
        return self.tell(RequestFailed(allocation_id, job_id, "its deadline passed"))

    def start_task(self, slot: SlotId, *command: str) -> TaskId:
        view = self.state.slots[slot]
        assert view.job_id is not None
        assert view.allocation_id is not None
        task_id = TaskId(self.hex_id())
        self.tell(
            TaskStarted(
                task_id,
                view.job_id,
                RequestId(self.hex_id()),
                view.allocation_id,
                slot,
                list(command or ("sha256sum", "decimal.py")),
            )
        )
        return task_id

    def finish_task(self, task_id: TaskId, exit_code: int = 0) -> tuple[Event, ...]:
        job_id = self.state.tasks[task_id].job_id
        return self.tell(TaskFinishedNews(task_id, job_id, exit_code))

    def free(self, slot: SlotId) -> tuple[Event, ...]:
        view = self.state.slots[slot]
        assert view.allocation_id is not None
        events = self.tell(SlotFreed(slot, view.allocation_id))
        if view.job_id is not None:
            self.count_pool(view.job_id)
        return events

    def count_pool(self, job_id: JobId) -> None:
        if job_id not in self.state.jobs:
            return
        held = sum(slot.job_id == job_id for slot in self.state.slots.values())
        waits = sum(request.job_id == job_id for request in self.state.requests.values())
        self.tell(PoolChanged(job_id, PoolCounts(held, 0, waits, 0)))

    def give(self, job_id: JobId, slot: SlotId, *, task: bool = True) -> None:
        """A request of the job that is served by ``slot`` at once."""
        allocation_id = self.ask(job_id)
        self.assign(allocation_id, slot)
        self.grant(allocation_id, slot)
        if task:
            self.start_task(slot)

    # A life of its own.

    def step(self) -> None:
        """Something that may happen now happens."""
        choices: list[Callable[[], object]] = [self._some_job, self._some_executor]
        state = self.state
        free = [s.slot_id for s in state.slots.values() if s.state is SlotState.FREE]
        pending = [
            r.allocation_id for r in state.requests.values() if r.state is RequestState.PENDING
        ]
        assigned = [r for r in state.requests.values() if r.state is RequestState.ASSIGNED]
        held = [s.slot_id for s in state.slots.values() if s.state is SlotState.ALLOCATED]
        pick = self.rng.choice
        if state.jobs:
            choices += [lambda: self.ask(pick(list(state.jobs)))] * 4
            choices.append(lambda: self.close_job(pick(list(state.jobs))))
            choices.append(lambda: self._new_term(job_master(pick(list(state.jobs)))))
        if pending and free:
            choices += [lambda: self.assign(pick(pending), pick(free))] * 5
        if pending:
            choices.append(lambda: self.fail(pick(pending)))
        for request in assigned[:3]:
            allocation_id, slot = request.allocation_id, request.slot_id or SlotId("")
            choices += [lambda a=allocation_id, s=slot: self.grant(a, s)] * 3  # type: ignore[misc]
            choices.append(lambda a=allocation_id: self.requeue(a))  # type: ignore[misc]
        if held:
            choices += [lambda: self._run_in(pick(held)), lambda: self.free(pick(held))]
        if state.tasks:
            choices.append(lambda: self.finish_task(pick(list(state.tasks)), pick([0, 0, 1])))
        if state.executors:
            choices.append(lambda: self.drain(pick(list(state.executors))))
        if len(state.executors) > 2:
            choices.append(lambda: self.lose_executor(pick(list(state.executors))))
        choices.append(lambda: self._new_term(RESOURCE_MANAGER) if pick(range(10)) == 0 else None)
        pick(choices)()

    def churn(self) -> None:
        """A slot changes hands: cheap, however large the cluster is."""
        slot = self.rng.choice(self._all_slots)
        view = self.state.slots[slot]
        if view.allocation_id is not None:
            self.tell(SlotFreed(slot, view.allocation_id))
        else:
            job_id = self.rng.choice(list(self.state.jobs))
            self.tell(SlotAllocated(slot, AllocationId(self.hex_id()), job_id))

    @functools.cached_property
    def _all_slots(self) -> list[SlotId]:
        return list(self.state.slots)

    def _some_job(self) -> None:
        if len(self.state.jobs) < 6:
            self.open_job(f"job-{self.rng.randrange(100)}")

    def _some_executor(self) -> None:
        if len(self.state.executors) < 8:
            name = f"te-{self.rng.randrange(20)}"
            if name not in self.state.executors:
                self.add_executor(name, self.rng.randrange(1, 9))

    def _run_in(self, slot: SlotId) -> None:
        if self.state.slots[slot].job_id is not None:
            self.start_task(slot)

    def _new_term(self, component: Component) -> None:
        leader = self.state.leaders.get(component)
        if leader is not None:
            self.depose(component)
        else:
            self.elect(component, self.rng.randrange(2, 50))


def slots_of(cluster: ScriptedCluster, name: str) -> list[SlotId]:
    """The slots of an executor."""
    return [slot for slot in cluster.state.slots if executor_of(slot) == name]


def busy_cluster() -> ScriptedCluster:
    """What the pictures show: four executors, three jobs, requests that wait for good reasons."""
    cluster = ScriptedCluster(seed=7, at=START)
    cluster.elect(epoch=16)
    cluster.at += 3_000
    cluster.depose()
    cluster.at += 2
    cluster.elect(epoch=17)
    cluster.at += 900
    for number in range(1, 4):
        cluster.add_executor(f"te-{number}", 16, host=f"cpu-{number:02}")
    cluster.add_executor("gpu-1", 4, LARGE, host="gpu-17")
    jobs = [cluster.open_job(name) for name in ("nightly-etl", "fraud-features", "ledger")]
    cluster.at += 40
    _fill(cluster, jobs[0], slots_of(cluster, "te-1"))
    _fill(cluster, jobs[1], slots_of(cluster, "te-2")[:14])
    _fill(cluster, jobs[2], slots_of(cluster, "te-3")[:9])
    for slot in slots_of(cluster, "te-2")[14:]:
        cluster.give(jobs[1], slot, task=False)
    for slot in slots_of(cluster, "gpu-1")[:3]:
        cluster.give(jobs[1], slot)
    cluster.drain("te-3")
    cluster.at += 60
    for _ in range(2):
        cluster.ask(jobs[1], ResourceProfile(8.0, 65_536, {"gpu": 2}), timeout=70)
    cluster.at += 48
    for _ in range(4):
        cluster.ask(jobs[0], SMALL, timeout=300)
    for _ in range(2):
        cluster.ask(jobs[2], ResourceProfile(2.0, 1024), timeout=120)
    cluster.assign(cluster.ask(jobs[1], LARGE), slots_of(cluster, "gpu-1")[3])
    cluster.at += 6
    return cluster


def _fill(cluster: ScriptedCluster, job_id: JobId, slots: Iterable[SlotId]) -> None:
    for slot in slots:
        cluster.give(job_id, slot)


def large_cluster(executors: int, slots: int, requests: int) -> ScriptedCluster:
    """``executors`` of ``slots`` slots each, three quarters used, and requests that wait."""
    cluster = ScriptedCluster(seed=3)
    cluster.elect(epoch=4)
    jobs = [cluster.open_job(f"job-{number:02}") for number in range(20)]
    for number in range(executors):
        cluster.add_executor(f"te-{number:04}", slots, host=f"node-{number // 4:03}")
    for index, slot in enumerate(list(cluster.state.slots)):
        if index % 4:
            allocation_id, job_id = AllocationId(cluster.hex_id()), jobs[index % len(jobs)]
            cluster.tell(SlotAllocated(slot, allocation_id, job_id))
            if index % 3:
                cluster.start_task(slot)
    for number in range(requests):
        job_id = jobs[number % len(jobs)]
        allocation_id = AllocationId(cluster.hex_id())
        cluster.tell(RequestRegistered(allocation_id, job_id, SMALL, 300.0 + number))
    return cluster
