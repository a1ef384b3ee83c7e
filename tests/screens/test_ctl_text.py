"""Tables and sentences that slotctl shows, from values as the wire carries them."""

from typing import Any

import pytest

from tests.end_to_end.scripted_slotd import (
    ALLOCATION,
    GRANT,
    JOB,
    PROFILE,
    REQUEST,
    TASK,
    WELCOME,
    job,
    request,
    snapshot,
)
from tui.ctl import phrases
from tui.ctl.events import line
from tui.ctl.resolve import Thing, candidates
from tui.ctl.tables import KINDS, listing


def cluster() -> dict[str, Any]:
    return snapshot(
        leaders=[
            {
                "component": "resource_manager",
                "leader_id": "f" * 32,
                "epoch": 3,
                "address": "127.0.0.1:6123",
                "since": 940.0,
            }
        ],
        executors=[
            {
                "resource_id": "te-1",
                "instance_id": "1" * 32,
                "host": "lab3",
                "address": "127.0.0.1:6123",
                "state": "DRAINING",
                "slots": 12,
                "free": 1,
                "last_heartbeat": 998.5,
            }
        ],
        slots=[
            {
                "slot_id": "te-1_3",
                "state": "ALLOCATED",
                "profile": PROFILE,
                "job_id": JOB,
                "allocation_id": ALLOCATION,
                "since": 400.0,
            },
            {
                "slot_id": "te-1_10",
                "state": "FREE",
                "profile": None,
                "job_id": None,
                "allocation_id": None,
                "since": 999.9,
            },
        ],
        requests=[request("bbbbbbbbb0" + "0" * 22)],
        jobs=[job("nightly")],
        tasks=[
            {
                "task_id": TASK,
                "job_id": JOB,
                "request_id": REQUEST,
                "allocation_id": ALLOCATION,
                "slot_id": "te-1_3",
                "command": ["make", "-j", "2"],
                "since": 1.0,
            }
        ],
    )


TABLES = {
    "slots": """
SLOT     STATE      SINCE   PROFILE                 ALLOCATION  JOB
te-1_3   ALLOCATED  10m00s  2 cpu, 4096 MiB, 1 gpu  bbbbbbbbbb  aaaaaaaaaa nightly
te-1_10  FREE       0.1s    any                     -           -""",
    "requests": """
ALLOCATION  STATE    WAITED  GIVES UP IN  PROFILE                 SLOT  JOB
bbbbbbbbb0  PENDING  12s     4m48s        2 cpu, 4096 MiB, 1 gpu  -     aaaaaaaaaa nightly""",
    "executors": """
EXECUTOR  STATE     SLOTS  FREE  HOST  ADDRESS         HEARD
te-1      DRAINING     12     1  lab3  127.0.0.1:6123  1s""",
    "jobs": """
JOB         NAME     STATE    ALLOCATED  AVAILABLE  PENDING  UNASKED
aaaaaaaaaa  nightly  RUNNING          1          0        2        0""",
    "leaders": """
COMPONENT         EPOCH  SINCE  ADDRESS         LEADER
resource_manager      3  1m00s  127.0.0.1:6123  ffffffffff""",
    "tasks": """
TASK        RUNS    SLOT    JOB                 COMMAND
cccccccccc  16m39s  te-1_3  aaaaaaaaaa nightly  make -j 2""",
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_is_as_wide_as_its_words_and_its_ids_as_long_as_they_must(kind: str) -> None:
    assert listing(kind, cluster()) == TABLES[kind].strip().splitlines()


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_of_nothing_is_its_heading(kind: str) -> None:
    lines = listing(kind, snapshot())
    assert len(lines) == 1
    assert lines[0].isupper()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0s"),
        (0.44, "0.4s"),
        (-3, "0.0s"),
        (1, "1s"),
        (59.9, "59s"),
        (60, "1m00s"),
        (3599, "59m59s"),
        (3600, "1h00m"),
        (86399, "23h59m"),
        (90000, "1d01h"),
    ],
)
def test_a_span_has_at_most_two_units(seconds: float, text: str) -> None:
    assert phrases.span(seconds) == text


def test_the_status_line_says_place_and_reason_and_fits_the_terminal() -> None:
    explanation = {"position": 3, "reason": "all 4 slots are taken", "deadline_in": 240.0}
    whole = "slotctl: waiting 12s; place 3 in the queue; all 4 slots are taken; gives up in 4m00s"
    assert phrases.waiting(explanation, 12.3, 200) == whole
    assert phrases.waiting(explanation, 12.3, 40) == whole[:36] + "..."
    assert phrases.waiting({"position": None, "reason": ""}, 2, 80) == "slotctl: waiting 2s"


def test_an_explanation_tells_all_it_knows() -> None:
    explanation = {
        "request_id": REQUEST,
        "allocation_id": ALLOCATION,
        "state": "PENDING",
        "reason": "no free slot fits",
        "profile": PROFILE,
        "age": 12.0,
        "deadline_in": 288.0,
        "position": 3,
        "nearest": "te-1_10 lacks 1 gpu",
        "kinds": [
            {"profile": PROFILE, "slots": 1, "free": 0, "fits": True, "reason": "all are taken"},
            {"profile": None, "slots": 12, "free": 1, "fits": False, "reason": "lacks 1 gpu"},
        ],
    }
    assert phrases.explained(explanation) == [
        f"request    {REQUEST}",
        f"allocation {ALLOCATION}",
        "state      PENDING for 12s",
        "wants      2 cpu, 4096 MiB, 1 gpu",
        "reason     no free slot fits",
        "place      3",
        "nearest    te-1_10 lacks 1 gpu",
        "gives up   in 4m48s",
        "",
        "SLOTS OF                ALL  FREE  FITS  WHY",
        "2 cpu, 4096 MiB, 1 gpu    1     0  yes   all are taken",
        "any                      12     1  no    lacks 1 gpu",
    ]


def test_the_summary_counts_and_names_the_leader() -> None:
    facts = phrases.summary(WELCOME, cluster())
    assert facts["text"] == {
        "daemon": "slotd/0.0.0, cluster scripted",
        "roles": "resource-manager",
        "leader": "ResourceManager: epoch 3 for 1m00s",
        "executors": "1, 1 draining",
        "slots": "2: 1 free, 0 pending, 1 allocated",
        "requests": "1 waiting, the oldest for 12s",
        "jobs": "1",
        "tasks": "1 running",
    }
    assert facts["value"]["oldest_request_age"] == 12.0
    assert phrases.summary(WELCOME, snapshot())["text"]["leader"] == "ResourceManager: none now"


def test_a_slots_facts_are_named_as_a_command_in_it_knows_them() -> None:
    grant = {**GRANT, "request_id": REQUEST, "profile": {"extended": {"fast-disk.v2": 0.5}}}
    facts = phrases.slot_variables(JOB, grant)
    assert facts["SLOT_RESOURCE_FAST_DISK_V2"] == "0.5"
    assert phrases.slot_variables(JOB, {**grant, "profile": None}).keys().isdisjoint({"SLOT_CPUS"})


def test_an_event_is_one_line_whatever_it_holds() -> None:
    event = {
        "seq": 7,
        "at": 0.25,
        "type": "job_opened",
        "name": "a\nb\x1b[2J c",
        "job_id": JOB,
        "none": None,
        "k\x07": [1],
        "profile": PROFILE,
    }
    text = line(event)
    assert text.isprintable()
    assert text.startswith("     7 ")
    facts = r'name="a\x0ab\x1b[2J c" job_id={} k\x07=[1] profile="2 cpu, 4096 MiB, 1 gpu"'
    assert text.endswith(".250 job_opened           " + facts.format(JOB))


@pytest.mark.parametrize(
    ("word", "things"),
    [
        ("bbbb", [("request", "bbbbbbbbb0" + "0" * 22), ("request", ALLOCATION)]),
        (ALLOCATION, [("request", ALLOCATION)]),
        ("te-1_3", [("request", ALLOCATION)]),
        ("te-1_10", []),
        (REQUEST[:6], [("request", ALLOCATION)]),
        ("cccc", [("task", TASK)]),
        ("aaaa", [("job", JOB)]),
        ("aaa", []),
        ("", []),
        ("zzzz", []),
    ],
)
def test_a_word_means_what_begins_with_it(word: str, things: list[tuple[str, str]]) -> None:
    assert candidates(cluster(), word) == [Thing(kind, id_, JOB) for kind, id_ in things]
