"""The naive twin: the seeds' algorithm, a linear scan over free slots and over pending requests.

It keeps maps and nothing else: no events, deadlines, explanations or executors.
"""


class Entry:
    """A slot or a request."""

    __slots__ = ("cpu", "key", "mem")

    def __init__(self, key: str, cpu: float, mem: int) -> None:
        self.key, self.cpu, self.mem = key, cpu, mem


class NaiveTwin:
    """First match in order of registration, oldest first."""

    def __init__(self) -> None:
        self.free: dict[str, Entry] = {}
        self.pending: dict[str, Entry] = {}
        self.allocated: dict[str, tuple[Entry, Entry]] = {}

    def add(self, slot: Entry) -> Entry | None:
        """A slot is free: the request that it serves, if there is one."""
        cpu, mem = slot.cpu, slot.mem
        for request in self.pending.values():
            if request.cpu <= cpu and request.mem <= mem:
                del self.pending[request.key]
                self.allocated[request.key] = (request, slot)
                return request
        self.free[slot.key] = slot
        return None

    def request(self, request: Entry) -> Entry | None:
        """A request: the slot that serves it, if there is one."""
        cpu, mem = request.cpu, request.mem
        for slot in self.free.values():
            if slot.cpu >= cpu and slot.mem >= mem:
                del self.free[slot.key]
                self.allocated[request.key] = (request, slot)
                return slot
        self.pending[request.key] = request
        return None

    def release(self, key: str) -> Entry | None:
        """An allocation ends: the request that its slot serves next, if there is one."""
        return self.add(self.allocated.pop(key)[1])
