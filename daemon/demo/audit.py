"""The demo's books, kept from what was told and not by those who decide: pure functions."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise

from daemon.demo.records import Record
from protocol.ids import RESOURCE_MANAGER, AllocationId, RequestId, SlotId, TaskId
from protocol.news import (
    LeaderRevoked,
    News,
    RequestCancelledNews,
    RequestFailed,
    RequestFulfilled,
    RequestRegistered,
    SlotAllocated,
    SlotFreed,
    SlotRegistered,
    SlotRemoved,
    TaskFinishedNews,
    TaskStarted,
)


def granted_twice(news: Iterable[News]) -> list[str]:
    """Slots that an allocation got while another one had them.

    Who held what is remembered when a ResourceManager goes: what its successor hears from the
    executors must agree with it.
    """
    holders: dict[SlotId, AllocationId] = {}
    faults: list[str] = []
    for each in news:
        match each:
            case SlotRegistered() | SlotAllocated():
                before = holders.pop(each.slot_id, each.allocation_id)
                if each.allocation_id is None:
                    continue
                if before != each.allocation_id:
                    faults.append(f"{each.slot_id}: {each.allocation_id} while {before} had it")
                holders[each.slot_id] = each.allocation_id
            case SlotFreed() | SlotRemoved():
                holders.pop(each.slot_id, None)
            case _:
                pass
    return faults


def used_twice(news: Iterable[News]) -> list[str]:
    """Slots in which commands of two requests ran at once."""
    running: dict[SlotId, dict[TaskId, RequestId]] = defaultdict(dict)
    faults: list[str] = []
    for each in news:
        match each:
            case TaskStarted():
                others = set(running[each.slot_id].values()) - {each.request_id}
                faults += [f"{each.slot_id}: {each.request_id} beside {one}" for one in others]
                running[each.slot_id][each.task_id] = each.request_id
            case TaskFinishedNews():
                for tasks in running.values():
                    tasks.pop(each.task_id, None)
            case _:
                pass
    return faults


def held_twice(records: Iterable[Record]) -> list[str]:
    """Slots that two clients' requests held at once, by the clients' own clock."""
    held: dict[SlotId, list[Record]] = defaultdict(list)
    for record in records:
        if record.slot_id is not None:
            held[record.slot_id].append(record)
    faults: list[str] = []
    for slot_id, holders in held.items():
        holders.sort(key=lambda record: record.granted or 0.0)
        for first, second in pairwise(holders):
            if first.gave_back is None or first.gave_back > (second.granted or 0.0):
                faults.append(f"{slot_id}: {second.name} before {first.name} gave it back")
    return faults


def ended_wrongly(news: Iterable[News]) -> list[str]:
    """Slot requests at the ResourceManager without an end, or with two.

    A ResourceManager that goes takes its requests with it; their jobs ask its successor.
    """
    waiting: dict[AllocationId, None] = {}
    faults: list[str] = []
    for each in news:
        match each:
            case RequestRegistered():
                waiting[each.allocation_id] = None
            case RequestFulfilled() | RequestFailed() | RequestCancelledNews():
                if waiting.pop(each.allocation_id, each) is each:
                    faults.append(f"{each.allocation_id}: a second end, {each.TYPE}")
            case LeaderRevoked() if each.component == RESOURCE_MANAGER:
                waiting.clear()
            case _:
                pass
    return faults + [f"{allocation_id}: no end" for allocation_id in waiting]


def without_one_outcome(records: Iterable[Record]) -> list[str]:
    """Requests of clients that did not end in exactly one of the outcomes."""
    return [
        f"{record.name}: {', '.join(outcome.value for outcome in record.outcomes) or 'none'}"
        for record in records
        if len(record.outcomes) != 1
    ]
