"""The demo's own books find what it claims to look for: each fault is planted and found."""

import pytest

from daemon.demo.audit import (
    ended_wrongly,
    granted_twice,
    held_twice,
    used_twice,
    without_one_outcome,
)
from daemon.demo.library import NoInput, parts
from daemon.demo.records import Outcome, Record
from daemon.demo.table import summary, table
from daemon.demo.work import TOOLS, Work, works
from protocol.ids import RESOURCE_MANAGER, AllocationId, JobId, LeaderId, RequestId, SlotId, TaskId
from protocol.news import (
    LeaderRevoked,
    News,
    RequestCancelledNews,
    RequestFulfilled,
    RequestRegistered,
    SlotAllocated,
    SlotFreed,
    SlotRegistered,
    SlotRemoved,
    TaskFinishedNews,
    TaskStarted,
)
from protocol.resources import ResourceProfile

P = ResourceProfile(1, 64)
JOB, SLOT, OTHER = JobId("j"), SlotId("te-1_0"), SlotId("te-1_1")
A, B = AllocationId("a"), AllocationId("b")
NO_LEADER = LeaderRevoked(RESOURCE_MANAGER, LeaderId("l"), 1, "a drill")


def record(
    name: str, slot: SlotId | None, granted: float | None, gave_back: float | None
) -> Record:
    return Record(
        name,
        RequestId(name),
        0.0,
        granted=granted,
        gave_back=gave_back,
        slot_id=slot,
        outcomes=[Outcome.SERVED],
    )


@pytest.mark.parametrize(
    ("news", "faults"),
    [
        ([SlotRegistered(SLOT, P), SlotAllocated(SLOT, A, JOB), SlotAllocated(SLOT, A, JOB)], 0),
        ([SlotAllocated(SLOT, A, JOB), SlotFreed(SLOT, A), SlotAllocated(SLOT, B, JOB)], 0),
        ([SlotAllocated(SLOT, A, JOB), SlotRemoved(SLOT, A), SlotRegistered(SLOT, P, B, JOB)], 0),
        ([SlotAllocated(SLOT, A, JOB), SlotAllocated(OTHER, B, JOB)], 0),
        ([SlotAllocated(SLOT, A, JOB), SlotAllocated(SLOT, B, JOB)], 1),
        ([SlotAllocated(SLOT, A, JOB), NO_LEADER, SlotRegistered(SLOT, P, A, JOB)], 0),
        ([SlotAllocated(SLOT, A, JOB), NO_LEADER, SlotRegistered(SLOT, P, B, JOB)], 1),
        ([SlotAllocated(SLOT, A, JOB), NO_LEADER, SlotRegistered(SLOT, P)], 0),
    ],
)
def test_a_slot_that_is_granted_while_another_has_it_is_found(
    news: list[News], faults: int
) -> None:
    assert len(granted_twice(news)) == faults


def test_two_commands_in_one_slot_are_found() -> None:
    def begun(task: str, request: str, slot: SlotId = SLOT) -> TaskStarted:
        return TaskStarted(TaskId(task), JOB, RequestId(request), A, slot, ["true"])

    assert used_twice([begun("1", "x"), begun("2", "x"), begun("3", "y", OTHER)]) == []
    assert used_twice([begun("1", "x"), TaskFinishedNews(TaskId("1"), JOB), begun("2", "y")]) == []
    assert used_twice([begun("1", "x"), begun("2", "y")]) == ["te-1_0: y beside x"]


def test_a_slot_that_two_clients_held_is_found() -> None:
    first, second = record("first", SLOT, 1.0, 2.0), record("second", SLOT, 3.0, 4.0)
    elsewhere = record("elsewhere", OTHER, 1.0, 9.0)
    assert held_twice([second, elsewhere, first]) == []
    first.gave_back = 3.5
    assert held_twice([second, first]) == ["te-1_0: second before first gave it back"]
    first.gave_back = None
    assert held_twice([second, first]) == ["te-1_0: second before first gave it back"]


def test_a_request_ends_once() -> None:
    begun = RequestRegistered(A, JOB, P, 300.0)
    end, other_end = RequestFulfilled(A, JOB, SLOT), RequestCancelledNews(A, JOB)
    assert ended_wrongly([begun, end]) == []
    assert ended_wrongly([begun, NO_LEADER]) == []
    assert ended_wrongly([begun, NO_LEADER, begun, other_end]) == []
    assert ended_wrongly([begun]) == ["a: no end"]
    assert ended_wrongly([begun, end, other_end]) == ["a: a second end, request_cancelled"]


def test_a_request_of_a_client_has_one_outcome() -> None:
    fine, none, two = (record(name, SLOT, 1.0, 2.0) for name in ("fine", "none", "two"))
    none.outcomes.clear()
    two.outcomes.append(Outcome.REFUSED)
    assert without_one_outcome([fine, none, two]) == ["none: none", "two: served, refused"]


def test_the_library_is_dealt_out_completely_and_evenly() -> None:
    three = parts(3)
    names = [name for part in three for name in part.names]
    assert len(names) == len(set(names)) == len(parts(1)[0].names)
    assert not any("site-packages" in name or name.startswith("test/") for name in names)
    sizes = [len(part.contents()) for part in three]
    assert max(sizes) < 1.5 * min(sizes)


def test_a_library_without_files_is_refused() -> None:
    with pytest.raises(NoInput, match="the demo wants 1000000"):
        parts(1_000_000)


def test_a_wrong_output_is_found() -> None:
    digests, archive = works(2)[0], works(2)[1]
    assert (digests.tool, archive.tool) == TOOLS[:2]
    assert digests.fault(b"") == "other digests than hashlib's"
    assert str(archive.fault(b"no archive")).startswith("zlib cannot read it")


def test_profiles_and_places_are_mixed() -> None:
    some: list[Work] = works(12)
    assert len({work.profile for work in some}) == 4
    assert {work.place for work in some} == {None, "te-1", "te-2"}


def test_the_table_has_a_row_for_each_request() -> None:
    served = record("gzip -9 part 1", SLOT, 0.5, 2.0)
    served.started, served.finished, served.ended, served.locality = 0.5, 1.75, "0", "LOCAL"
    refused = record("too much", None, None, None)
    refused.outcomes, refused.ended = [Outcome.REFUSED], "refused"
    assert table([served, refused]) == [
        "TASK            WAITED     RAN  WHERE   LOCALITY     EXIT",
        "gzip -9 part 1  0.50 s  1.25 s  te-1_0  LOCAL           0",
        "too much             -       -  -       -         refused",
    ]
    assert summary([served, refused], 2.0, 3_000_000) == [
        "3 MB of the standard library were read in 2.0 s.",
        "Waited longest: gzip -9 part 1, 0.50 s.",
        "Requests: 2, of which 1 served, 1 refused.",
    ]
