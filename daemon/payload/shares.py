"""Which cores and which numbered resources belong to which slot; pure, and none is given twice."""

from collections.abc import Mapping, Sequence

import attrs

from protocol.resources import ResourceProfile


@attrs.frozen
class SlotShare:
    """A slot's own cores, and its own indices of each countable resource.

    ``cpus`` is None where no core is set aside: the slot runs wherever the system puts it.
    """

    cpus: frozenset[int] | None = None
    indices: Mapping[str, tuple[int, ...]] = attrs.field(factory=dict[str, tuple[int, ...]])


def divide(profiles: Sequence[ResourceProfile], cores: Sequence[int]) -> list[SlotShare]:
    """One share for each slot, in order: pass the slots of *all* executors of one machine.

    Whole cores are the slot's alone; slots with a fraction of a core share the cores that are left.
    Slots that want more cores together than there are get none set aside. A resource of which some
    slot has a fraction is not countable, so nobody gets indices of it.
    """
    cpus = _divide_cores([profile.cpu_cores for profile in profiles], cores)
    indices = [dict[str, tuple[int, ...]]() for _ in profiles]
    for name in sorted({name for profile in profiles for name in profile.extended}):
        amounts = [profile.extended.get(name, 0.0) for profile in profiles]
        if all(amount.is_integer() for amount in map(float, amounts)):
            for mine, taken in zip(indices, _consecutive(amounts), strict=True):
                mine.update({name: tuple(taken)} if taken else {})
    return [SlotShare(*share) for share in zip(cpus, indices, strict=True)]


def _divide_cores(amounts: list[float], cores: Sequence[int]) -> list[frozenset[int] | None]:
    if sum(amounts) > len(cores):
        return [None] * len(amounts)
    whole = [amount if float(amount).is_integer() else 0.0 for amount in amounts]
    shared = frozenset(cores[int(sum(whole)) :])
    return [
        frozenset(cores[i] for i in own) if own else (shared if amount else None)
        for amount, own in zip(amounts, _consecutive(whole), strict=True)
    ]


def _consecutive(amounts: Sequence[float]) -> list[range]:
    taken: list[range] = []
    start = 0
    for amount in amounts:
        taken.append(range(start, start + int(amount)))
        start += int(amount)
    return taken
