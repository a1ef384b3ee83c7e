"""The executors that this daemon hosts: their slots, their share of the machine, their names."""

import os
import socket
from pathlib import Path

import psutil

from daemon.high_availability.elections import LeaderElection
from daemon.payload.environment import base_environment
from daemon.payload.preparation import Preparation
from daemon.payload.shares import divide
from daemon.roles.task_executor.task_executor import ExecutorSpecification
from daemon.settings import Settings
from protocol.ids import ResourceId, job_master
from protocol.messages.task_executor import SubmitTask
from protocol.messages.values import Hardware
from protocol.resources import NOTHING, ResourceProfile

_MIB = 1 << 20


def specifications(settings: Settings, election: LeaderElection) -> list[ExecutorSpecification]:
    """One for each executor; no core and no numbered resource is in two slots."""

    def epoch_of(task: SubmitTask) -> int | None:
        leader = election.leader_of(job_master(task.job_id))
        return None if leader is None else leader.fence.epoch

    profile = settings.slot_profile or NOTHING
    every_slot = [profile] * (settings.executors * settings.slots)
    shares = divide(every_slot, sorted(os.sched_getaffinity(0)))
    base = base_environment(os.environ)
    found: list[ExecutorSpecification] = []
    for number in range(settings.executors):
        first = number * settings.slots
        preparation = Preparation(
            base=base,
            profiles=[profile] * settings.slots,
            shares=shares[first : first + settings.slots],
            scratch_dirs=settings.scratch_dirs or (Path("/tmp"),),  # noqa: S108  the system's
            epoch_of=epoch_of,
        )
        found.append(
            ExecutorSpecification(
                ResourceId(f"te-{number + 1}"),
                settings.host or socket.gethostname(),
                [profile] * settings.slots,
                hardware(profile),
                preparation,
            )
        )
    return found


def hardware(profile: ResourceProfile) -> Hardware:
    """What this machine has; countable resources are what the configuration says."""
    return Hardware(
        float(len(os.sched_getaffinity(0))),
        psutil.virtual_memory().total // _MIB,
        dict(profile.extended),
    )
