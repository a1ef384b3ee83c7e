"""The jobs that have slots at a TaskExecutor: their connected leaders and the unanswered offers."""

import attrs

from daemon.core.effects import OfferSlotsToJob, SlotTableEffect, UnwatchJob, WatchJob
from daemon.core.task_executor.slot_book import SlotBook
from daemon.core.task_executor.slot_states import Active, Allocated
from protocol.errors import LeaderIdMismatch, NotLeader
from protocol.ids import AllocationId, JobId, LeaderId


@attrs.define
class _Link:
    """``offered``: for each allocation in an unanswered offer, the newest serial that it went out
    with, so that an answer to an older offer is recognised (E13).
    """

    target_address: str
    leader_id: LeaderId | None = None
    offered: dict[AllocationId, int] = attrs.field(factory=dict[AllocationId, int])


class JobLinks:
    """A link for each job with a slot in the book (E08, E20).

    While a leader is connected, each ALLOCATED slot of its job is in an unanswered offer.
    """

    def __init__(self, book: SlotBook, slot_timeout_s: float) -> None:
        self._book = book
        self._slot_timeout_s = slot_timeout_s
        self._links: dict[JobId, _Link] = {}
        self._serial = 0

    def watch(self, job_id: JobId, target_address: str) -> list[SlotTableEffect]:
        """The job has a slot; its leader is to be looked for, or elsewhere than before."""
        link = self._links.get(job_id)
        if link is None:
            self._links[job_id] = _Link(target_address)
        elif link.target_address == target_address:
            return []
        else:
            link.target_address = target_address
        return [WatchJob(job_id, target_address)]

    def unwatch_if_empty(self, job_id: JobId) -> list[SlotTableEffect]:
        """Forget a job without slots."""
        if self._book.of_job(job_id):
            return []
        del self._links[job_id]
        return [UnwatchJob(job_id)]

    def leader_of(self, job_id: JobId) -> LeaderId | None:
        """The connected leader of a job."""
        link = self._links.get(job_id)
        return link.leader_id if link else None

    def require(self, job_id: JobId, leader_id: LeaderId) -> None:
        """Raises NotLeader or LeaderIdMismatch unless this leader of the job is connected (E15)."""
        connected = self.leader_of(job_id)
        if connected is None:
            raise NotLeader(f"the executor is not connected to a JobMaster of job {job_id}")
        if connected != leader_id:
            raise LeaderIdMismatch(
                f"the executor is connected to JobMaster {connected} of job {job_id}, "
                f"not to {leader_id}"
            )

    def connect(self, job_id: JobId, leader_id: LeaderId, now: float) -> list[SlotTableEffect]:
        """A leader is there: offer it what is ALLOCATED (E10). Another one goes first (E17)."""
        link = self._links.get(job_id)
        if link is None or link.leader_id == leader_id:
            return []
        if link.leader_id is not None:
            self.disconnect(job_id, link.leader_id, "another JobMaster leads", now)
        link.leader_id = leader_id
        slots = self._book.of_job(job_id)
        return self.offer(job_id, [s.allocation_id for _, s in slots if isinstance(s, Allocated)])

    def disconnect(self, job_id: JobId, leader_id: LeaderId, cause: str, now: float) -> None:
        """This leader is gone: what was ACTIVE waits for the next one, for a time (E18)."""
        link = self._links.get(job_id)
        if link is None or link.leader_id != leader_id:
            return
        link.leader_id = None
        link.offered.clear()
        deadline = now + self._slot_timeout_s
        for slot, s in self._book.of_job(job_id):
            if isinstance(s, Active):
                self._book.put(slot, Allocated(job_id, s.allocation_id, deadline, cause, s.tasks))

    def offer(self, job_id: JobId, allocations: list[AllocationId]) -> list[SlotTableEffect]:
        """Offer slots to the job's leader, if one is connected."""
        link = self._links.get(job_id)
        if link is None or link.leader_id is None or not allocations:
            return []
        self._serial += 1
        link.offered.update(dict.fromkeys(allocations, self._serial))
        offers = tuple(self._book.offer(allocation_id) for allocation_id in allocations)
        return [OfferSlotsToJob(job_id, link.leader_id, self._serial, offers)]

    def settle(self, job_id: JobId, leader_id: LeaderId, serial: int) -> list[AllocationId]:
        """The offer is over, one way or another: the allocations whose newest offer it was.

        None for a leader that is not connected any more (E13).
        """
        link = self._links.get(job_id)
        if link is None or link.leader_id != leader_id:
            return []
        mine = [allocation_id for allocation_id, last in link.offered.items() if last == serial]
        for allocation_id in mine:
            del link.offered[allocation_id]
        return mine

    def withdraw(self, job_id: JobId, allocation_id: AllocationId) -> None:
        """The slot serves no more: no answer to its offer counts."""
        self._links[job_id].offered.pop(allocation_id, None)

    def is_offered(self, job_id: JobId, allocation_id: AllocationId) -> bool:
        """Whether an offer of it is unanswered."""
        return allocation_id in self._links[job_id].offered

    def check_invariants(self) -> None:
        """Assert section 5.2 of the catalogue: a link has slots, and its offers are of them."""
        held = [state for _, state in self._book.all_held()]
        assert self._links.keys() == {state.job_id for state in held}, "linked jobs have slots"
        for job_id, link in self._links.items():
            if link.leader_id is None:
                assert not link.offered, f"slots of job {job_id} are offered to nobody"
                continue
            states = [state for _, state in self._book.of_job(job_id)]
            waiting = {s.allocation_id for s in states if isinstance(s, Allocated)}
            usable = {s.allocation_id for s in states if isinstance(s, Allocated | Active)}
            assert waiting <= link.offered.keys() <= usable, f"job {job_id}: wrong slots offered"
