"""Executors come, report, drain and go: what that does to their slots and requests."""

from daemon.core.effects import FreeSlotAtInstance
from daemon.core.resource_manager.back_off import BackOff
from daemon.core.resource_manager.grace import Grace
from daemon.core.resource_manager.inventory import Allocated, Executor, PendingRequest
from daemon.core.resource_manager.ledger import Ledger
from daemon.core.resource_manager.reports import apply_report, check_report, put_back, remove_slot
from daemon.core.resource_manager.slot_manager_values import ExecutorRegistration
from daemon.core.resource_manager.workers import Workers
from protocol.errors import UnknownTaskExecutor
from protocol.ids import AllocationId, InstanceId, JobId, ResourceId
from protocol.messages.values import SlotStatus
from protocol.news import ExecutorDraining, ExecutorLost, ExecutorRegistered


class Membership:
    """The registered executors; a registration is known by its instance id (X407)."""

    def __init__(self, ledger: Ledger, back_off: BackOff, workers: Workers, grace: Grace) -> None:
        self._ledger = ledger
        self._back_off = back_off
        self._workers = workers
        self._grace = grace

    def register(self, registration: ExecutorRegistration, now: float) -> None:
        """Add an executor; one of the same name is dropped first (G11, X404).

        What that one held is lost only if the first report of the new instance leaves it out. If it
        was draining, so is the new one.
        """
        ledger = self._ledger
        if registration.instance_id in ledger.executors:
            return  # D27: its report comes separately
        executor = Executor(registration, ledger.next_serial())
        old = ledger.by_name.get(registration.resource_id)
        if old is not None:
            executor.inherited = old.inherited | _allocations(old)
            executor.returning = True
            executor.draining = old.draining
            self._drop(old, executor.inherited, "it registered again", now)
        ledger.executors[registration.instance_id] = executor
        ledger.by_name[registration.resource_id] = executor
        ledger.out.append(
            ExecutorRegistered(
                registration.resource_id,
                registration.instance_id,
                registration.host,
                registration.address,
            )
        )
        if executor.draining:
            ledger.out.append(ExecutorDraining(registration.resource_id, registration.instance_id))

    def report(
        self,
        instance_id: InstanceId,
        report: list[SlotStatus],
        now: float,
        asked_at: float | None,
    ) -> bool:
        """Take a report as the truth; False when the instance is not registered (D13)."""
        ledger = self._ledger
        executor = ledger.executors.get(instance_id)
        if executor is None:
            return False
        check_report(ledger, executor, report)
        before = executor.kinds.copy()
        known = executor.slots.copy()
        if apply_report(ledger, executor, report, now, asked_at):
            self._grace.doubt()
        for slot_id, slot in known.items():
            if executor.slots.get(slot_id) is not slot:
                self._back_off.forget_slot(slot)
        gone = [profile for profile in before if profile not in executor.kinds]
        self._grace.depart(gone, now)
        if not executor.returning:
            for status in report:
                if status.slot_id not in known and status.allocation_id is None:
                    self._workers.arrived(status.profile)
        if not executor.reported:
            self._first_report(executor, report)
        if not executor.used:
            ledger.vacated[instance_id] = executor
        return True

    def _first_report(self, executor: Executor, report: list[SlotStatus]) -> None:
        executor.reported = True
        held = {status.allocation_id for status in report}
        for allocation_id, job_id in executor.inherited.items():
            if allocation_id not in held:
                cause = "its executor registered again without it"
                self._ledger.tell_lost(allocation_id, job_id, cause)
        executor.inherited = {}
        if self._workers.surplus(executor):
            self._workers.release(executor, "more slots than max_slots")

    def lose(self, instance_id: InstanceId, cause: str, now: float) -> None:
        """Remove an executor and tell each job what it lost (D32); unknown ones are ignored."""
        executor = self._ledger.executors.get(instance_id)
        if executor is None:
            return
        for allocation_id, job_id in executor.inherited.items():
            self._ledger.tell_lost(allocation_id, job_id, cause)
        self._drop(executor, {}, cause, now)

    def _drop(
        self, executor: Executor, held: dict[AllocationId, JobId], cause: str, now: float
    ) -> None:
        ledger, registration = self._ledger, executor.registration
        self._back_off.forget(executor)
        self._workers.forget(executor)
        if not executor.is_closed:
            self._grace.depart(list(executor.kinds), now)
        displaced: list[PendingRequest] = []
        why = f"executor {registration.resource_id} is gone: {cause}"
        for slot in list(executor.slots.values()):
            remove_slot(ledger, slot, held, why, displaced)
        del ledger.executors[registration.instance_id]
        del ledger.by_name[registration.resource_id]
        ledger.vacated.pop(registration.instance_id, None)
        ledger.out.append(ExecutorLost(registration.resource_id, registration.instance_id, cause))
        put_back(ledger, displaced)
        self._grace.doubt()

    def drain(self, resource_id: ResourceId, now: float) -> None:
        """Give no more slots there. Raises UnknownTaskExecutor if it is not registered."""
        ledger = self._ledger
        executor = ledger.by_name.get(resource_id)
        if executor is None:
            raise UnknownTaskExecutor(
                f"no executor called {resource_id!r} is registered", resource_id=resource_id
            )
        if executor.draining:
            return
        if not executor.is_closed:
            self._grace.depart(list(executor.kinds), now)
            ledger.close(executor)
        executor.draining = True
        ledger.out.append(ExecutorDraining(resource_id, executor.instance_id))

    def evict(self, resource_id: ResourceId, cause: str) -> None:
        """Free what an executor still holds and tell each job; its own word frees the slots."""
        executor = self._ledger.by_name.get(resource_id)
        if executor is None:
            return
        for allocation_id, job_id in _allocations(executor).items():
            self._ledger.out.append(
                FreeSlotAtInstance(
                    executor.instance_id, allocation_id, cause, even_if_accepted=True
                )
            )
            self._ledger.tell_lost(allocation_id, job_id, cause)

    def is_drained(self, resource_id: ResourceId) -> bool:
        """Whether a draining executor has only free slots, or is gone."""
        executor = self._ledger.by_name.get(resource_id)
        if executor is None:
            return True
        return executor.draining and not executor.used and not executor.inherited


def _allocations(executor: Executor) -> dict[AllocationId, JobId]:
    return {
        slot.state.allocation_id: slot.state.job_id
        for slot in executor.slots.values()
        if isinstance(slot.state, Allocated) and slot.state.job_id is not None
    }
