"""Identifiers as types: a job id is never an allocation id; this file names and parses them."""

import re
from typing import NewType

import attrs

JobId = NewType("JobId", str)
AllocationId = NewType("AllocationId", str)
RequestId = NewType("RequestId", str)
InstanceId = NewType("InstanceId", str)
LeaderId = NewType("LeaderId", str)
TaskId = NewType("TaskId", str)
ResourceId = NewType("ResourceId", str)
"""The name of a task executor."""
SlotId = NewType("SlotId", str)
"""``<resource_id>_<slot number>``."""
Component = NewType("Component", str)
"""``resource_manager`` or ``job_master/<job_id>``: what can have a leader."""

RESOURCE_MANAGER = Component("resource_manager")

HEX_ID = re.compile(r"[0-9a-f]{32}")
RESOURCE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_SLOT_ID = re.compile(r"([A-Za-z0-9._-]{1,128})_(0|[1-9][0-9]{0,8})")


@attrs.frozen(order=True)
class Fence:
    """One leadership term. A later term of the same component has a higher epoch."""

    epoch: int
    leader_id: LeaderId


def job_master(job_id: JobId) -> Component:
    """The component whose leader is the JobMaster of ``job_id``."""
    return Component(f"job_master/{job_id}")


def job_of(component: Component) -> JobId | None:
    """The job whose JobMaster ``component`` is; None for the ResourceManager."""
    prefix, _, job_id = component.partition("/")
    return JobId(job_id) if prefix == "job_master" else None


def slot_id(resource_id: ResourceId, slot_number: int) -> SlotId:
    """The id of slot ``slot_number`` (from 0) of an executor."""
    return SlotId(f"{resource_id}_{slot_number}")


def split_slot_id(text: str) -> tuple[ResourceId, int] | None:
    """The executor and the slot number that a slot id names; None if it is not one."""
    match = _SLOT_ID.fullmatch(text)
    return (ResourceId(match[1]), int(match[2])) if match else None


def executor_of(slot: SlotId) -> ResourceId:
    """The executor that a (valid) slot id names."""
    return ResourceId(slot.rpartition("_")[0])


def slot_number_of(slot: SlotId) -> int:
    """The slot number that a (valid) slot id names."""
    return int(slot.rpartition("_")[2])
