"""A slot table with short names for its neighbours; every table made here is checked at the end."""

from collections.abc import Iterator
from contextlib import contextmanager

from daemon.core.effects import OfferSlotsToJob, SlotTableEffect
from daemon.core.task_executor.slot_table import SlotTable, SlotTableSettings
from protocol.ids import AllocationId, JobId, LeaderId, ResourceId, SlotId, TaskId, slot_id
from protocol.messages.values import HeldSlot, SlotOffer
from protocol.resources import ResourceProfile

TE = ResourceId("te-1")
RM, OTHER_RM = LeaderId("rm-1"), LeaderId("rm-2")
JOB, OTHER_JOB = JobId("job-1"), JobId("job-2")
JM, NEW_JM, OTHER_JM = LeaderId("jm-1"), LeaderId("jm-1b"), LeaderId("jm-2")
A1, A2, A3 = AllocationId("a1"), AllocationId("a2"), AllocationId("a3")
T1, T2 = TaskId("t1"), TaskId("t2")
ADDRESS = "127.0.0.1:7000"
P = ResourceProfile(1.0, 512)
TIMEOUT = 10.0


def slot(number: int) -> SlotId:
    return slot_id(TE, number)


def offer(allocation_id: AllocationId, number: int) -> SlotOffer:
    return SlotOffer(allocation_id, number, P)


def offers(serial: int, *slots: SlotOffer, leader_id: LeaderId = JM) -> list[SlotTableEffect]:
    """What the table wants when it offers these slots of JOB."""
    return [OfferSlotsToJob(JOB, leader_id, serial, slots)]


def held(allocation_id: AllocationId, number: int) -> HeldSlot:
    return HeldSlot(allocation_id, number)


def new_table(slots: int = 3) -> SlotTable:
    """Not registered anywhere yet."""
    return SlotTable(TE, [P] * slots, SlotTableSettings(slot_timeout_s=TIMEOUT))


def allocate(
    table: SlotTable,
    number: int,
    allocation_id: AllocationId,
    job_id: JobId = JOB,
    now: float = 0.0,
    address: str = ADDRESS,
) -> list[SlotTableEffect]:
    return table.request_slot(RM, slot(number), job_id, allocation_id, address, now)


@contextmanager
def unchanged(table: SlotTable) -> Iterator[None]:
    """What happens inside changes no slot and no timer."""
    before = (table.report(), [table.state_of(s.slot_id) for s in table.report()])
    deadline = table.next_deadline
    yield
    assert (table.report(), [table.state_of(s.slot_id) for s in table.report()]) == before
    assert table.next_deadline == deadline
