"""What this machine has, and an even share of it for each slot."""

import os
import socket

import attrs
import psutil

from protocol.resources import ResourceProfile

_MIB = 1 << 20


@attrs.frozen
class Machine:
    """The cores that this process may use, memory in MiB, and the host's name."""

    cores: tuple[int, ...]
    free_memory_mb: int
    memory_mb: int
    host: str


def measure() -> Machine:
    """The machine as it is now."""
    memory = psutil.virtual_memory()
    return Machine(
        cores=tuple(sorted(os.sched_getaffinity(0))),
        free_memory_mb=memory.available // _MIB,
        memory_mb=memory.total // _MIB,
        host=socket.gethostname(),
    )


def even_share(machine: Machine, slots: int, memory_fraction: float) -> ResourceProfile:
    """The profile of each of ``slots`` equal slots; rounded down, so that all of them fit (E41)."""
    cpu_hundredths = 100 * len(machine.cores) // slots
    memory_mb = int(machine.free_memory_mb * memory_fraction / slots)
    return ResourceProfile(cpu_hundredths / 100, memory_mb)
