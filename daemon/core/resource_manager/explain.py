"""Why a request waits, in numbers and in a sentence, from the books that decide about it."""

from collections import Counter

import attrs

from daemon.core.resource_manager.back_off import BackOff
from daemon.core.resource_manager.inventory import FREE, KindCount, PendingRequest
from daemon.core.resource_manager.ledger import Ledger
from daemon.core.resource_manager.slot_kinds import SlotKinds, shortfall_text
from daemon.core.resource_manager.slot_manager_values import RequestExplanation
from protocol.errors import NoResourceAvailable
from protocol.messages.values import SlotKind
from protocol.resources import ResourceProfile


@attrs.frozen
class Unused:
    """Free slots that may not be given now, by profile."""

    resting: dict[ResourceProfile, int]
    closed: dict[ResourceProfile, int]


def unused_slots(ledger: Ledger, back_off: BackOff) -> Unused:
    """Count the free slots that rest after a refusal or whose executor gets no more work."""
    closed = Counter(
        slot.profile
        for executor in ledger.executors.values()
        if executor.is_closed
        for slot in executor.slots.values()
        if slot.state is FREE
    )
    return Unused(back_off.resting(), closed)


def explain(
    ledger: Ledger, pending: PendingRequest, unused: Unused, grace_ends_in_s: float | None
) -> RequestExplanation:
    """The state, reason and place of a request."""
    profile = pending.profile
    kinds = [_kind(each, profile, unused) for each in ledger.kinds]
    reason = why(ledger, pending, unused, grace_ends_in_s)
    if pending.slot is not None:
        return RequestExplanation("ASSIGNED", reason, None, kinds, None)
    lane = ledger.waiting.lane(profile)
    ahead = lane.place_of(pending) if lane is not None else 0
    if ahead:
        who = "request of the same profile is" if ahead == 1 else "requests of the same profile are"
        reason += f"; {ahead} {who} ahead"
    nearest = None if any(kind.fits for kind in kinds) else ledger.kinds.nearest(profile)
    return RequestExplanation("PENDING", reason, ahead + 1, kinds, nearest)


def why(
    ledger: Ledger, pending: PendingRequest, unused: Unused, grace_ends_in_s: float | None
) -> str:
    """One sentence without its place in the queue, which costs more to find."""
    slot = pending.slot
    if slot is not None:
        name = slot.executor.registration.resource_id
        return f"executor {name} is being asked for slot {slot.slot_id}"
    fitting = [kind for kind in ledger.kinds if kind.profile.satisfies(pending.profile)]
    if fitting:
        return _use(fitting, unused)
    return _absence(ledger, pending.profile, grace_ends_in_s)


def _kind(kind: KindCount, required: ResourceProfile, unused: Unused) -> SlotKind:
    fits = kind.profile.satisfies(required)
    reason = _use([kind], unused) if fits else shortfall_text(kind.profile, required)
    return SlotKind(kind.profile, kind.slots, kind.free, fits, reason)


def _use(kinds: list[KindCount], unused: Unused) -> str:
    slots = sum(kind.slots for kind in kinds)
    free = sum(kind.free for kind in kinds)
    closed = sum(unused.closed.get(kind.profile, 0) for kind in kinds)
    resting = sum(unused.resting.get(kind.profile, 0) for kind in kinds)
    fit = f"{slots} slots fit" if slots > 1 else "1 slot fits"
    if not free:
        return f"{fit}, all in use" if slots > 1 else f"{fit}, in use"
    parts = [f"{slots - free} in use"] if slots > free else []
    if closed:
        parts.append(f"{closed} free on an executor that is drained or leaves")
    if resting:
        parts.append(f"{resting} free but resting after a refusal")
    if free > closed + resting:
        parts.append(f"{free - closed - resting} free and matched next")
    return f"{fit}: " + ", ".join(parts)


def _absence(ledger: Ledger, required: ResourceProfile, grace_ends_in_s: float | None) -> str:
    if ledger.kinds.startable(required):
        return "no slot fits; an executor that has one can be started"
    if ledger.kinds.departed(required):
        return "no slot fits; an executor that had one is gone and may come back"
    nearest = ledger.kinds.nearest(required)
    text = "no slot fits" if nearest is None else f"no slot fits, the nearest is {nearest}"
    if grace_ends_in_s is None:
        return text
    return f"{text}; refused in {grace_ends_in_s:.0f} s unless an executor brings one"


def never(kinds: SlotKinds, required: ResourceProfile) -> NoResourceAvailable:
    """The refusal of what no slot could ever serve, with the nearest that exists (promise 3)."""
    nearest = kinds.nearest(required)
    wanted = "any slot" if required.is_unknown else f"a slot of {required}"
    known = "no executor is registered" if nearest is None else f"the nearest is {nearest}"
    return NoResourceAvailable(f"nothing can ever serve {wanted}; {known}", nearest=nearest)
