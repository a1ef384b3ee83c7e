"""Which profiles the slots have, and whether a requirement could ever be served (D37)."""

from collections.abc import Iterator

from daemon.core.resource_manager.inventory import KindCount
from protocol.resources import UNKNOWN, ResourceProfile, amounts_text


class SlotKinds:
    """Counts per distinct slot profile; the requirements that could be served are remembered.

    A profile whose last open slot went away is *departed* until its grace ends: its executor may
    come back.
    """

    CACHE = 1024

    def __init__(self, startable: tuple[ResourceProfile, ...]) -> None:
        self._startable = tuple(dict.fromkeys(startable))
        self._kinds: dict[ResourceProfile, KindCount] = {}
        self._departed: dict[ResourceProfile, None] = {}
        self._possible: dict[ResourceProfile, bool] = {}

    def __iter__(self) -> Iterator[KindCount]:
        return iter(self._kinds.values())

    def add(self, profile: ResourceProfile, *, closed: bool) -> KindCount:
        """Count one more slot, which is not free yet."""
        kind = self._kinds.get(profile)
        if kind is None:
            kind = self._kinds[profile] = KindCount(profile)
        kind.slots += 1
        kind.closed += closed
        if kind.slots - kind.closed == 1:
            self._possible.clear()
        return kind

    def remove(self, kind: KindCount, *, closed: bool) -> None:
        """Count one slot less, which is not free any more."""
        kind.slots -= 1
        kind.closed -= closed
        if not kind.slots:
            del self._kinds[kind.profile]
        if kind.slots == kind.closed:
            self._possible.clear()

    def close(self, kind: KindCount) -> None:
        """The executor of one of these slots gets no more work."""
        kind.closed += 1
        if kind.slots == kind.closed:
            self._possible.clear()

    def depart(self, profile: ResourceProfile) -> None:
        """Slots of this profile count as possible until ``forget``."""
        self._departed[profile] = None
        self._possible.clear()

    def forget(self, profile: ResourceProfile) -> None:
        """The grace of a departed profile is over."""
        self._departed.pop(profile, None)
        self._possible.clear()

    def could_serve(self, required: ResourceProfile) -> bool:
        """Whether a slot, busy or free, or one that can be started could ever serve this."""
        known = self._possible.get(required)
        if known is None:
            if len(self._possible) >= self.CACHE:
                self._possible.clear()
            known = any(profile.satisfies(required) for profile in self._candidates())
            self._possible[required] = known
        return known

    def startable(self, required: ResourceProfile) -> bool:
        """Whether an executor that can be started brings a slot for this."""
        return any(profile.satisfies(required) for profile in self._startable)

    def departed(self, required: ResourceProfile) -> bool:
        """Whether an executor that went away had a slot for this and may come back."""
        return any(profile.satisfies(required) for profile in self._departed)

    def nearest(self, required: ResourceProfile) -> str | None:
        """The slot that falls short by the least part of what is required, and by how much."""
        candidates = dict.fromkeys(self._candidates())
        if not candidates:
            return None
        best = min(candidates, key=lambda profile: _distance(profile, required))
        return f"{best} ({shortfall_text(best, required)})"

    def _candidates(self) -> Iterator[ResourceProfile]:
        for kind in self._kinds.values():
            if kind.slots > kind.closed:
                yield kind.profile
        yield from self._startable
        yield from self._departed


def shortfall_text(slot: ResourceProfile, required: ResourceProfile) -> str:
    """By how much a slot is too small, by dimension: ``lacks 1 cpu, 512 MiB``."""
    if slot is UNKNOWN and required is not UNKNOWN:
        return "its size is not known"
    return f"lacks {amounts_text(slot.shortfall(required))}"


def _distance(slot: ResourceProfile, required: ResourceProfile) -> float:
    needed = dict(required.amounts())
    return sum(amount / needed[name] for name, amount in slot.shortfall(required).items())
