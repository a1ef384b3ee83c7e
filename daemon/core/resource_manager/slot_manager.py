"""The ResourceManager's core: every slot, every pending request, and which slot serves which.

This file is the door: each method hands the event to the file that knows the rule, then matches
what became free, asks for executors where somebody starts them, and returns what must be done.
"""

import math

from daemon.core.effects import SlotManagerEffect
from daemon.core.resource_manager import answers
from daemon.core.resource_manager.back_off import BackOff
from daemon.core.resource_manager.explain import explain, never, unused_slots, why
from daemon.core.resource_manager.grace import Grace
from daemon.core.resource_manager.inventory import Slot
from daemon.core.resource_manager.ledger import Ledger
from daemon.core.resource_manager.membership import Membership
from daemon.core.resource_manager.placement import placement_called
from daemon.core.resource_manager.slot_kinds import SlotKinds
from daemon.core.resource_manager.slot_manager_invariants import check_slot_manager
from daemon.core.resource_manager.slot_manager_values import (
    ExecutorRegistration,
    RequestExplanation,
    SlotManagerCounts,
    SlotManagerSettings,
    SlotRequest,
    WorkerSpecification,
)
from daemon.core.resource_manager.workers import Workers
from protocol.errors import NoResourceAvailable, SlotAllocationFailed, SlotRequestTimeout
from protocol.ids import AllocationId, InstanceId, JobId, ResourceId, SlotId
from protocol.messages.values import SlotStatus
from protocol.resources import ResourceProfile

__all__ = [
    "ExecutorRegistration",
    "RequestExplanation",
    "SlotManager",
    "SlotManagerCounts",
    "SlotManagerSettings",
    "SlotRequest",
    "WorkerSpecification",
]

STEPS_PER_CALL = 1000
"""The bound of one scheduling pass; what it leaves is due at once, after the inbox was served."""


class SlotManager:
    """Lives for one term of one ResourceManager: a new term makes a new one (D25, D26)."""

    def __init__(self, settings: SlotManagerSettings, now: float) -> None:
        """Raises ValueError for an unknown placement."""
        worker = settings.worker
        kinds = SlotKinds(worker.slots if worker is not None else ())
        self._ledger = Ledger(placement_called(settings.placement), kinds)
        self._back_off = BackOff(self._ledger, settings.retry_delay_s, settings.max_retry_delay_s)
        self._workers = Workers(self._ledger, settings)
        self._grace = Grace(self._ledger, settings.start_up_time_s, now)
        self._members = Membership(self._ledger, self._back_off, self._workers, self._grace)
        self._resume_at = math.inf

    # executors

    def register_executor(
        self, executor: ExecutorRegistration, now: float
    ) -> list[SlotManagerEffect]:
        """An executor registered; an earlier instance of the same name is dropped first (G11).

        What the earlier instance held is lost only if the new one's first report leaves it out. A
        drained executor that comes back over a new connection stays drained.
        """
        self._members.register(executor, now)
        return self._finish(now)

    def report_slots(
        self,
        instance_id: InstanceId,
        report: list[SlotStatus],
        now: float,
        asked_at: float | None = None,
    ) -> tuple[bool, list[SlotManagerEffect]]:
        """Ground truth from an executor; False when the instance is not registered (D13).

        ``asked_at``: when the report was asked for (a heartbeat's sending time), if it was: it is
        no evidence against what was granted after that (X401).

        Raises:
            InvalidParams: the report names a slot or an allocation twice, a slot of another
                executor, or an allocation of another job.

        """
        known = self._members.report(instance_id, report, now, asked_at)
        return known, self._finish(now)

    def lose_executor(
        self, instance_id: InstanceId, cause: str, now: float
    ) -> list[SlotManagerEffect]:
        """An executor is gone, each job is told (D32); unknown ones are ignored (A18)."""
        self._members.lose(instance_id, cause, now)
        return self._finish(now)

    def drain_executor(self, resource_id: ResourceId, now: float) -> list[SlotManagerEffect]:
        """Give no more slots there. UnknownTaskExecutor if it is not registered."""
        self._members.drain(resource_id, now)
        return self._finish(now)

    def evict_executor(
        self, resource_id: ResourceId, cause: str, now: float
    ) -> list[SlotManagerEffect]:
        """End every allocation of an executor (the end of a drain); unknown ones are ignored."""
        self._members.evict(resource_id, cause)
        return self._finish(now)

    def is_drained(self, resource_id: ResourceId) -> bool:
        """Whether a draining executor has only free slots (or is gone)."""
        return self._members.is_drained(resource_id)

    # requests

    def request_slot(
        self, request: SlotRequest, now: float
    ) -> tuple[bool, list[SlotManagerEffect]]:
        """Note a request; False for a duplicate, pending or allocated (A04, B13, D09-D12).

        Raises:
            NoResourceAvailable: after the start-up grace, when nothing could ever serve it (D37).
            SlotRequestTimeout: its deadline has passed.
            SlotAllocationFailed: its allocation id was withdrawn while an executor was being asked
                for a slot, and the executor has not confirmed yet that it does not hold it.

        """
        ledger = self._ledger
        allocation_id = request.allocation_id
        if allocation_id in ledger.requests or allocation_id in ledger.holders:
            return False, []
        if allocation_id in ledger.withdrawn:
            raise SlotAllocationFailed(
                f"{allocation_id} was withdrawn and is still being freed; take a new allocation id"
            )
        if request.deadline <= now:
            raise SlotRequestTimeout(f"the deadline of {allocation_id} has passed")
        if now >= self._grace.end and not ledger.kinds.could_serve(request.profile):
            raise never(ledger.kinds, request.profile)
        ledger.place(ledger.register(request, now))
        return True, self._finish(now)

    def cancel_request(
        self, allocation_id: AllocationId, now: float
    ) -> tuple[bool, list[SlotManagerEffect]]:
        """Withdraw a request; False if there is none (D06).

        A slot that is being asked for stays out of use until its executor answers; one that was
        granted all the same is freed there first (X214).
        """
        pending = self._ledger.requests.get(allocation_id)
        if pending is None:
            return False, []
        self._ledger.cancel(pending)
        return True, self._finish(now)

    def lose_job(self, job_id: JobId, now: float) -> list[SlotManagerEffect]:
        """A job's JobMaster is gone: withdraw its requests; its slots stay (G20)."""
        for pending in list(self._ledger.jobs.get(job_id, {}).values()):
            self._ledger.cancel(pending)
        return self._finish(now)

    # answers of executors

    def slot_granted(
        self, slot_id: SlotId, instance_id: InstanceId, allocation_id: AllocationId, now: float
    ) -> list[SlotManagerEffect]:
        """The executor acknowledged AskExecutorForSlot (D05)."""
        slot = self._slot(slot_id, instance_id)
        if slot is None:
            return []
        answers.granted(self._ledger, self._back_off, slot, allocation_id, now)
        return self._finish(now)

    def slot_refused(
        self,
        slot_id: SlotId,
        instance_id: InstanceId,
        allocation_id: AllocationId,
        cause: str,
        occupied_by: AllocationId | None,
        now: float,
    ) -> list[SlotManagerEffect]:
        """The executor refused, or did not answer in time (D17, D22, D23, D39, X207)."""
        slot = self._slot(slot_id, instance_id)
        if slot is None:
            return []
        if occupied_by is None:
            answers.refused(self._ledger, self._back_off, slot, allocation_id, cause, now)
        elif occupied_by == allocation_id:
            answers.granted(self._ledger, self._back_off, slot, allocation_id, now)
        else:
            answers.occupied(self._ledger, slot, allocation_id, occupied_by, now)
        self._grace.doubt()
        return self._finish(now)

    def slot_available(
        self, slot_id: SlotId, instance_id: InstanceId, allocation_id: AllocationId, now: float
    ) -> list[SlotManagerEffect]:
        """The executor freed a slot; a wrong allocation or instance is ignored (B12, D08, G14)."""
        slot = self._slot(slot_id, instance_id)
        if slot is None:
            return []
        answers.available(self._ledger, slot, allocation_id)
        return self._finish(now)

    def _slot(self, slot_id: SlotId, instance_id: InstanceId) -> Slot | None:
        slot = self._ledger.slots.get(slot_id)
        if slot is None or slot.executor.instance_id != instance_id:
            return None
        return slot

    # executors that are started and given back

    def executor_start_failed(
        self, profile: ResourceProfile, cause: str, now: float
    ) -> list[SlotManagerEffect]:
        """StartExecutor could not be done: the requests that wait for it fail (D04)."""
        error = NoResourceAvailable(f"no executor for {profile} could be started: {cause}")
        for pending in self._workers.start_failed(self._back_off.resting()):
            self._ledger.fail(pending, error)
        return self._finish(now)

    def executor_may_go(
        self, instance_id: InstanceId, idle_since: float, now: float
    ) -> list[SlotManagerEffect]:
        """The executor agreed to be released; only in the same idle period (D38)."""
        executor = self._ledger.executors.get(instance_id)
        if executor is None or not self._workers.may_go(executor, idle_since):
            return []
        self._workers.release(executor, "idle")
        self._grace.doubt()
        return self._finish(now)

    # time and views

    @property
    def next_deadline(self) -> float:
        """When ``expire`` has something to do; ``math.inf`` when never."""
        return min(
            self._resume_at,
            self._ledger.deadlines.next,
            self._back_off.next_deadline,
            self._grace.next_deadline,
            self._workers.next_deadline,
        )

    def expire(self, now: float) -> list[SlotManagerEffect]:
        """Do what is due: deadlines, retries, idle executors, the end of the start-up grace."""
        ledger = self._ledger
        overdue = ledger.deadlines.pop_due(now, STEPS_PER_CALL)
        if overdue:
            unused = unused_slots(ledger, self._back_off)
            for allocation_id in overdue:
                pending = ledger.requests[allocation_id]
                reason = why(ledger, pending, unused, None)
                ledger.fail(pending, SlotRequestTimeout(f"no slot in time: {reason}"))
        self._back_off.expire(now)
        self._grace.expire(now)
        self._workers.expire(now)
        return self._finish(now)

    def _finish(self, now: float) -> list[SlotManagerEffect]:
        ledger, grace = self._ledger, self._grace
        if ledger.fresh:
            ledger.serve(STEPS_PER_CALL)
            self._resume_at = now if ledger.fresh else math.inf
        if grace.doubtful and now >= grace.end:
            grace.settle(STEPS_PER_CALL)
        if ledger.vacated:
            self._workers.note_idle(now)
        if self._workers.startable:
            self._workers.provision(self._back_off)
        effects, ledger.out = ledger.out, []
        return effects

    def counts(self) -> SlotManagerCounts:
        """How much there is of everything."""
        ledger = self._ledger
        return SlotManagerCounts(
            len(ledger.executors), len(ledger.slots), ledger.free_slots, len(ledger.requests)
        )

    def explain(self, allocation_id: AllocationId, now: float) -> RequestExplanation | None:
        """Why this request is where it is, by the code that matches; None if there is none."""
        pending = self._ledger.requests.get(allocation_id)
        if pending is None:
            return None
        unused = unused_slots(self._ledger, self._back_off)
        return explain(self._ledger, pending, unused, self._grace.ends_in_s(now))

    def check_invariants(self) -> None:
        """Assert section 5.2 of the catalogue; for tests and the simulator."""
        check_slot_manager(self._ledger)
