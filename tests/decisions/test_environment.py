"""The environment and the specification of a command in a slot, as DESIGN names the variables."""

from pathlib import Path

from daemon.payload.environment import TaskInSlot, base_environment, environment
from daemon.payload.payload import PayloadSpecification
from daemon.payload.preparation import Preparation
from daemon.payload.shares import SlotShare
from protocol.ids import AllocationId, JobId, LeaderId, ResourceId, SlotId, TaskId
from protocol.messages.task_executor import SubmitTask
from protocol.resources import UNKNOWN, ResourceProfile

JOB, TASK, ALLOCATION = JobId("a" * 32), TaskId("t1"), AllocationId("b" * 32)
PROFILE = ResourceProfile(1.5, 512, {"gpu": 2, "fast-disk": 0.5})
SHARE = SlotShare(frozenset({3, 2}), {"gpu": (4, 5)})
FACTS = {
    "SLOT_JOB_ID": JOB,
    "SLOT_TASK_ID": TASK,
    "SLOT_ALLOCATION_ID": ALLOCATION,
    "SLOT_EXECUTOR": "te-1",
    "SLOT_INDEX": "1",
    "SLOT_EPOCH": "7",
    "SLOT_CPUS": "1.5",
    "SLOT_CPU_LIST": "2,3",
    "SLOT_MEMORY_MB": "512",
    "SLOT_RESOURCE_FAST_DISK": "0.5",
    "SLOT_RESOURCE_GPU": "2",
    "SLOT_RESOURCE_GPU_LIST": "4,5",
}


def in_slot(profile: ResourceProfile, share: SlotShare, epoch: int | None) -> TaskInSlot:
    return TaskInSlot(JOB, TASK, ALLOCATION, ResourceId("te-1"), 1, profile, share, epoch)


def test_every_fact_of_the_slot_has_its_variable() -> None:
    assert environment({}, {}, in_slot(PROFILE, SHARE, 7)) == FACTS


def test_what_is_not_known_is_left_out() -> None:
    seen = environment({}, {}, in_slot(UNKNOWN, SlotShare(), None))
    assert set(FACTS) - set(seen) == {
        "SLOT_EPOCH",
        "SLOT_CPUS",
        "SLOT_CPU_LIST",
        "SLOT_MEMORY_MB",
        "SLOT_RESOURCE_FAST_DISK",
        "SLOT_RESOURCE_GPU",
        "SLOT_RESOURCE_GPU_LIST",
    }


def test_a_request_overrides_the_daemons_environment_but_not_the_facts() -> None:
    base, requested = {"A": "1", "B": "1"}, {"B": "2", "SLOT_INDEX": "9", "SLOT_OTHER": "x"}
    seen = environment(base, requested, in_slot(PROFILE, SHARE, 7))
    assert seen == {"A": "1", "B": "2", **FACTS}


def test_the_daemons_secrets_and_sockets_do_not_reach_commands() -> None:
    own = {
        "PATH": "/bin",
        "SLOTD_TOKEN": "secret",
        "SLOT_INDEX": "0",
        "NOTIFY_SOCKET": "/run/notify",
        "LISTEN_FDS": "1",
        "WATCHDOG_USEC": "1",
    }
    assert base_environment(own) == {"PATH": "/bin"}


def test_a_submitted_task_becomes_a_payload_with_its_slots_share() -> None:
    prepare = Preparation(
        base={"PATH": "/bin"},
        profiles=[UNKNOWN, PROFILE],
        shares=[SlotShare(), SHARE],
        scratch_dirs=[Path("/a"), Path("/b")],
        epoch_of=lambda request: 7 if request.leader_id == "c" * 32 else None,
    )
    request = SubmitTask(
        leader_id=LeaderId("c" * 32),
        job_id=JOB,
        allocation_id=ALLOCATION,
        task_id=TASK,
        command=["echo", "hello"],
        env={"GREETING": "ol\u00e1"},
        cwd="/srv",
        stdin="ol\u00e1",
    )
    assert prepare(request, SlotId("te-1_1")) == PayloadSpecification(
        task_id=TASK,
        command=("echo", "hello"),
        env={"PATH": "/bin", "GREETING": "ol\u00e1", **FACTS},
        cwd="/srv",
        stdin=b"ol\xc3\xa1",
        scratch_parent=Path("/b"),
        cpus=frozenset({2, 3}),
        memory_mb=512,
    )
    unlimited = prepare(request, SlotId("te-1_0"))
    assert (unlimited.scratch_parent, unlimited.cpus, unlimited.memory_mb) == (
        Path("/a"),
        None,
        None,
    )
