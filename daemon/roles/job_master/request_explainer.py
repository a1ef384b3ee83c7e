"""Why a request is where it is: what the job's pool knows, and what the ResourceManager adds."""

import attrs

from daemon.core.job_master.slot_pool import SlotPool
from daemon.roles.calls import Calls
from daemon.roles.job_master.pool_shell import PoolShell
from daemon.roles.mailbox import Envelope
from protocol.errors import UnknownRequest
from protocol.ids import AllocationId
from protocol.messages.client import ExplainSlot, Explanation
from protocol.messages.resource_manager import ExplainSlotRequest, SlotRequestExplained

_REASONS = {
    "PENDING": "the ResourceManager was asked and has not answered yet",
    "WAITING_FOR_RESOURCE_MANAGER": "no ResourceManager leads now; it is asked as soon as one does",
    "ALLOCATED": "it has its slot",
    "RECOVERING": "it has a slot that is not back yet under the new leader",
}


@attrs.frozen(eq=False)
class RequestExplainer:
    """For one term of one JobMaster."""

    pool: SlotPool
    shell: PoolShell
    calls: Calls

    def explain(self, envelope: Envelope, request: ExplainSlot, now: float) -> None:
        """Answer; an allocation id does for the request that waits for it."""
        here = self._seen_here(request, now)
        there = self.shell.resource_manager
        if here.state != "PENDING" or here.allocation_id is None or there is None:
            envelope.reply.succeed(here)
            return
        peer, leader_id = there
        self.calls.start(
            peer,
            ExplainSlotRequest(leader_id=leader_id, allocation_id=here.allocation_id),
            lambda answer, _: envelope.reply.succeed(_explained(here, answer)),
            lambda _, __: envelope.reply.succeed(here),
        )

    def _seen_here(self, request: ExplainSlot, now: float) -> Explanation:
        request_id, seen = request.request_id, self.pool.explain(request.request_id)
        if seen is None:  # clients choose request ids: only one that is none names an allocation
            request_id = self.pool.request_of(AllocationId(request_id)) or request_id
            seen = self.pool.explain(request_id)
        if seen is None:
            raise UnknownRequest(f"this job has no request {request.request_id}")
        return Explanation(
            request_id=request_id,
            state=seen.state,
            reason=_REASONS.get(seen.state, ""),
            profile=seen.profile,
            age=max(0.0, now - seen.since),
            deadline_in=None if seen.deadline is None else max(0.0, seen.deadline - now),
            allocation_id=seen.allocation_id,
        )


def _explained(here: Explanation, there: SlotRequestExplained) -> Explanation:
    return attrs.evolve(
        here,
        state=there.state,
        reason=there.reason,
        position=there.position,
        kinds=there.kinds,
        nearest=there.nearest,
    )
