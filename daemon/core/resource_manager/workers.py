"""When to ask for more executors and when to give one back (D18, D29, D33 to D38, D47, D48)."""

from daemon.core.deadlines import Deadlines
from daemon.core.effects import AskExecutorForRelease, ReleaseExecutor, StartExecutor
from daemon.core.resource_manager.back_off import BackOff
from daemon.core.resource_manager.inventory import Executor, PendingRequest
from daemon.core.resource_manager.ledger import Ledger
from daemon.core.resource_manager.slot_manager_values import (
    SlotManagerSettings,
    WorkerSpecification,
)
from protocol.ids import InstanceId
from protocol.news import ExecutorReleased, ResourceRequested
from protocol.resources import ResourceProfile


class Workers:
    """Counts the slots that starting executors will bring, and how long executors are idle.

    Demand is compared with supply by profile, largest demand first: whose slot is whose is not
    fixed, so that a cancelled request's slot serves the next one (D34, D36).
    """

    def __init__(self, ledger: Ledger, settings: SlotManagerSettings) -> None:
        self._ledger = ledger
        self._settings = settings
        self._starting: dict[ResourceProfile, int] = {}
        self._idle: Deadlines[InstanceId] = Deadlines()
        self.startable = settings.worker is not None

    @property
    def next_deadline(self) -> float:
        """When an executor has been idle for long enough; ``math.inf`` when none is."""
        return self._idle.next

    # starting

    def arrived(self, profile: ResourceProfile) -> None:
        """A new executor has a free slot of this profile: one that was awaited (D35)."""
        count = self._starting.get(profile, 0)
        if count > 1:
            self._starting[profile] = count - 1
        elif count:
            del self._starting[profile]

    def provision(self, back_off: BackOff) -> None:
        """Ask for executors until every waiting request has a slot coming, within ``max_slots``.

        Free slots that rest will be tried again soon: they are a supply, too (X206).
        """
        worker = self._settings.worker
        if worker is None or self._ledger.fresh:
            return
        uncovered, spare = self._match(back_off.resting())
        for profile, count in uncovered:
            useful = sum(slot.satisfies(profile) for slot in worker.slots)
            needed = count - _take(spare, profile, count)
            while useful and needed > 0 and self._start(worker, profile):
                _merge(spare, worker.slots)
                needed -= _take(spare, profile, needed)
        if self._settings.redundant_executors and self._ledger.free_slots < len(self._ledger.slots):
            self._keep_spare(worker, sum(spare.values()) + self._open_free())

    def _keep_spare(self, worker: WorkerSpecification, spare: int) -> None:
        wanted = self._settings.redundant_executors * len(worker.slots)
        while spare < wanted and self._start(worker, max(worker.slots)):
            spare += len(worker.slots)

    def _open_free(self) -> int:
        return len(self._ledger.free)

    def _match(
        self, resting: dict[ResourceProfile, int]
    ) -> tuple[list[tuple[ResourceProfile, int]], dict[ResourceProfile, int]]:
        spare = dict(self._starting)
        for profile, count in resting.items():
            spare[profile] = spare.get(profile, 0) + count
        lanes = sorted(self._ledger.waiting.filled(), key=lambda lane: lane.profile, reverse=True)
        uncovered: list[tuple[ResourceProfile, int]] = []
        for lane in lanes:
            left = lane.count - _take(spare, lane.profile, lane.count)
            if left:
                uncovered.append((lane.profile, left))
        return uncovered, spare

    def _start(self, worker: WorkerSpecification, profile: ResourceProfile) -> bool:
        limit = self._settings.max_slots
        total = len(self._ledger.slots) + sum(self._starting.values())
        if limit is not None and total + len(worker.slots) > limit:
            return False
        _merge(self._starting, worker.slots)
        self._ledger.out.append(ResourceRequested(profile))
        self._ledger.out.append(StartExecutor(profile))
        return True

    def start_failed(self, resting: dict[ResourceProfile, int]) -> list[PendingRequest]:
        """One executor will not come: the requests, newest first, that now have no slot coming.

        Those that had none before (because of ``max_slots``) are not among them.
        """
        worker = self._settings.worker
        if worker is None:
            return []
        before = dict(self._match(resting)[0])
        for profile in worker.slots:
            self.arrived(profile)
        lost: list[PendingRequest] = []
        for profile, count in self._match(resting)[0]:
            lane = self._ledger.waiting.lane(profile)
            more = count - before.get(profile, 0)
            if lane is not None and more > 0:
                lost += lane.newest(more)
        return lost

    # giving back

    def surplus(self, executor: Executor) -> bool:
        """Whether an executor's first report exceeds ``max_slots`` while it holds nothing (D47)."""
        limit = self._settings.max_slots
        return limit is not None and len(self._ledger.slots) > limit and not executor.used

    def note_idle(self, now: float) -> None:
        """Executors all of whose slots are free now are idle since now, or since before (D41)."""
        for executor in self._ledger.vacated.values():
            if executor.used or executor.leaving or executor.idle_since is not None:
                continue
            executor.idle_since = now
            if self._settings.worker is not None:
                timeout_s = self._settings.executor_idle_timeout_s
                self._idle.set(executor.instance_id, now + timeout_s)
        self._ledger.vacated.clear()

    def forget(self, executor: Executor) -> None:
        """The executor is gone or going."""
        self._idle.discard(executor.instance_id)

    def expire(self, now: float) -> None:
        """Ask executors that were idle for the whole timeout whether they may go (D38)."""
        for instance_id in self._idle.pop_due(now):
            executor = self._ledger.executors[instance_id]
            since = executor.idle_since
            if since is None:
                continue  # it is in use: the timer is set again when it falls idle (D19)
            timeout_s = self._settings.executor_idle_timeout_s
            if since + timeout_s > now:
                self._idle.set(instance_id, since + timeout_s)
                continue
            self._idle.set(instance_id, now + timeout_s)  # asked again, should it not go
            if self._dispensable(executor):
                self._ledger.out.append(AskExecutorForRelease(instance_id, since))

    def may_go(self, executor: Executor, idle_since: float) -> bool:
        """Whether it is still the same idle period, and nothing else keeps the executor (D38)."""
        return (
            executor.idle_since == idle_since
            and not executor.leaving
            and self._dispensable(executor)
        )

    def _dispensable(self, executor: Executor) -> bool:
        worker = self._settings.worker
        if worker is None:
            return False
        left = self._open_free() - (0 if executor.is_closed else len(executor.slots))
        return left >= self._settings.redundant_executors * len(worker.slots)

    def release(self, executor: Executor, cause: str) -> None:
        """Give the executor back; it gets no more work and stays until it is gone (D29)."""
        ledger = self._ledger
        if not executor.is_closed:
            ledger.close(executor)
        executor.leaving = True
        self.forget(executor)
        resource_id = executor.registration.resource_id
        ledger.out.append(ExecutorReleased(resource_id, executor.instance_id, cause))
        ledger.out.append(ReleaseExecutor(executor.instance_id, cause))


def _take(spare: dict[ResourceProfile, int], required: ResourceProfile, count: int) -> int:
    """Take up to ``count`` spare slots that satisfy ``required``, smallest first; how many."""
    taken = 0
    for profile in sorted(profile for profile in spare if profile.satisfies(required)):
        step = min(count - taken, spare[profile])
        spare[profile] -= step
        taken += step
    return taken


def _merge(counts: dict[ResourceProfile, int], slots: tuple[ResourceProfile, ...]) -> None:
    for profile in slots:
        counts[profile] = counts.get(profile, 0) + 1
