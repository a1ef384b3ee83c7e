"""Random clients, and leaders and executors that fall over, on one daemon under a virtual clock."""

import random
from typing import Any

import attrs
import trio

from protocol.errors import SlotdError
from protocol.ids import RESOURCE_MANAGER, JobId, RequestId, ResourceId, SlotId, job_master
from protocol.messages.calls import Request
from protocol.messages.client import (
    AllocateSlot,
    CloseJob,
    OpenJob,
    ReleaseSlot,
    RevokeLeader,
    SlotLost,
)
from protocol.messages.values import GrantedSlot
from protocol.snapshot import SlotState
from tests.roles.cluster import B, Client, Cluster, P


class PlantedCrashError(Exception):
    """What a role is made to crash with."""


def _crash(_: float) -> None:
    raise PlantedCrashError


@attrs.define(eq=False)
class Chaos:
    """``history`` is the transcript: two runs with one seed must write the same."""

    cluster: Cluster
    client: Client
    choose: random.Random
    nursery: trio.Nursery
    jobs: list[JobId] = attrs.field(factory=list[JobId])
    held: dict[RequestId, tuple[JobId, GrantedSlot]] = attrs.field(
        factory=dict[RequestId, tuple[JobId, GrantedSlot]]
    )
    outcomes: dict[RequestId, int] = attrs.field(factory=dict[RequestId, int])
    dead: set[RequestId] = attrs.field(factory=set[RequestId])
    history: list[str] = attrs.field(factory=list[str])
    crashes: int = 0
    asked: int = 0

    async def step(self) -> None:
        """Something happens, then some time passes, then everything must be sound."""
        action = self.choose.choices(
            [self.open, self.ask, self.give_back, self.close, self.revoke, self.crash_executor],
            [2, 10, 6, 1, 2, 0.5],
        )[0]
        self.history.append(f"{trio.current_time():.3f} {action.__name__}")
        await action()
        await trio.sleep(self.choose.choice([0.0, 0.001, 0.2, 3.0]))
        self.check()

    async def open(self) -> None:
        self.jobs.append((await self.client.call(OpenJob(f"job-{len(self.jobs)}"))).job_id)

    async def ask(self) -> None:
        if self.jobs:
            self.asked += 1
            request = RequestId(f"{self.asked:032x}")
            self.outcomes[request] = 0
            self.nursery.start_soon(self._ask, self.choose.choice(self.jobs), request)
        await trio.lowlevel.checkpoint()

    async def _ask(self, job: JobId, request: RequestId) -> None:
        profile = self.choose.choice([P, P, B])
        try:
            slot = await self.client.call(AllocateSlot(job, request, profile, timeout=40.0))
        except SlotdError as error:
            self.history.append(f"{trio.current_time():.3f} {request[-4:]} {type(error).__name__}")
        else:
            self.history.append(f"{trio.current_time():.3f} {request[-4:]} {slot.slot_id}")
            if job in self.jobs:
                self.held[request] = (job, slot)
        self.outcomes[request] += 1

    async def give_back(self) -> None:
        if self.held:
            request = self.choose.choice(list(self.held))
            job, slot = self.held.pop(request)
            if not await self._try(ReleaseSlot(job, request)):
                self.held[request] = (job, slot)  # refused between two terms: nothing changed
        await trio.lowlevel.checkpoint()

    async def close(self) -> None:
        if self.jobs:
            job = self.jobs.pop(self.choose.randrange(len(self.jobs)))
            self.held = {r: (j, s) for r, (j, s) in self.held.items() if j != job}
            await self._try(CloseJob(job))
        await trio.lowlevel.checkpoint()

    async def revoke(self) -> None:
        components = [RESOURCE_MANAGER, *map(job_master, self.jobs)]
        await self._try(RevokeLeader(self.choose.choice(components)))

    async def crash_executor(self) -> None:
        if self.crashes < 3:  # the fourth within a minute would end the daemon
            self.crashes += 1
            name = self.choose.choice(sorted(self.cluster.host.executors))
            self.dead |= {r for r, (_, s) in self.held.items() if s.resource_id == name}
            self.cluster.host.executors[ResourceId(name)].mailbox.put(_crash)
        await trio.lowlevel.checkpoint()

    async def _try(self, request: Request[Any]) -> bool:
        try:
            await self.client.call(request)
        except SlotdError as error:
            self.history.append(f"  {type(error).__name__}")
            return False
        return True

    def check(self) -> None:
        """Promise 1, and every core's own invariants."""
        for lost in [n for n in self.client.received if isinstance(n, SlotLost)]:
            self.held.pop(lost.request_id, None)
        holders: dict[SlotId, RequestId] = {}
        for request, (_, slot) in self.held.items():
            if request in self.dead:
                continue  # it died with its executor; the client is about to hear so
            assert slot.slot_id not in holders, f"{slot.slot_id} is granted twice"
            holders[slot.slot_id] = request
        for core in self.cluster.cores():
            core.check_invariants()

    async def settle(self) -> None:
        """No more faults; then, after every timer has run, all views agree (5.2 Convergence)."""
        await trio.sleep(130)
        self.check()
        assert set(self.outcomes.values()) <= {1}, "a request without exactly one outcome"
        state = self.cluster.services.newsroom.state
        at_executors = {
            status.slot_id: status.allocation_id
            for executor in self.cluster.host.executors.values()
            for status in executor.report()
        }
        at_resource_manager = {slot.slot_id: slot.allocation_id for slot in state.slots.values()}
        assert at_resource_manager == at_executors
        in_pools = {slot.slot_id for _, slot in self.held.values()}
        allocated = {s.slot_id for s in state.slots.values() if s.state is SlotState.ALLOCATED}
        assert in_pools == allocated
        assert state.requests == {}
