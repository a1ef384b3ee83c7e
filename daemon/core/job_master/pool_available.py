"""Slots that serve nobody, and which of them is best: work grows with distinct profiles only."""

import itertools
from collections import OrderedDict
from collections.abc import Iterator
from typing import TypeVar

from daemon.core.job_master.pool_places import PoolSlot, Preference
from protocol.ids import AllocationId, ResourceId
from protocol.messages.values import Locality
from protocol.resources import ResourceProfile

K = TypeVar("K")


class SizedBuckets:
    """Available slots by distinct profile, in each the one that is available longest first."""

    def __init__(self) -> None:
        self._buckets: dict[ResourceProfile, OrderedDict[int, PoolSlot]] = {}

    def add(self, slot: PoolSlot) -> None:
        """Append a slot; its serial is higher than that of all others here."""
        bucket = self._buckets.get(slot.profile)
        if bucket is None:
            bucket = self._buckets[slot.profile] = OrderedDict()
        bucket[slot.serial] = slot

    def remove(self, slot: PoolSlot) -> None:
        """Take a slot out; its bucket goes with its last slot (C24)."""
        bucket = self._buckets[slot.profile]
        del bucket[slot.serial]
        if not bucket:
            del self._buckets[slot.profile]

    def best(self, requirement: ResourceProfile, sizes: "ProfileSizes") -> PoolSlot | None:
        """The smallest slot that satisfies ``requirement``, the oldest of equals."""
        fitting = [
            (profile, bucket)
            for profile, bucket in self._buckets.items()
            if profile.satisfies(requirement)
        ]
        if not fitting:
            return None
        if len(fitting) == 1:
            [(_, best)] = fitting
        else:
            _, best = min(fitting, key=lambda item: (sizes.size_of(item[0]), next(iter(item[1]))))
        return next(iter(best.values()))

    def profiles(self) -> Iterator[ResourceProfile]:
        """Each distinct profile of which there is a slot."""
        return iter(self._buckets)

    def __contains__(self, profile: ResourceProfile) -> bool:
        return profile in self._buckets

    def __len__(self) -> int:
        return len(self._buckets)


class ProfileSizes:
    """Normed sizes: an amount counts in proportion to the largest of its dimension ever seen.

    Between unrelated shapes the least normed sum wastes less than memory first, CPU second.
    """

    def __init__(self) -> None:
        self._largest: dict[str, float] = {}
        self._sizes: dict[ResourceProfile, float] = {}

    def learn(self, profile: ResourceProfile) -> None:
        """See a profile; a new largest amount changes every size."""
        for name, amount in profile.amounts():
            if amount > self._largest.get(name, 0.0):
                self._largest[name] = amount
                self._sizes.clear()

    def size_of(self, profile: ResourceProfile) -> float:
        """The normed size of a profile that was seen."""
        size = self._sizes.get(profile)
        if size is None:
            present = ((name, amount) for name, amount in profile.amounts() if amount)
            size = sum(amount / self._largest[name] for name, amount in present)
            self._sizes[profile] = size
        return size

    def forget(self, profile: ResourceProfile) -> None:
        """No slot has this profile any more."""
        self._sizes.pop(profile, None)


class AvailableSlots:
    """Slots that serve nobody: by age, by executor and by host; no index keeps an empty bucket."""

    def __init__(self) -> None:
        self._by_id: OrderedDict[AllocationId, PoolSlot] = OrderedDict()
        self._all = SizedBuckets()
        self._by_executor: dict[ResourceId, SizedBuckets] = {}
        self._by_host: dict[str, SizedBuckets] = {}
        self._sizes = ProfileSizes()
        self._serials = itertools.count(1)

    def add(self, slot: PoolSlot) -> None:
        """Add a slot as the youngest.

        Raises:
            ValueError: a slot with this allocation id is here already (C23).

        """
        if slot.allocation_id in self._by_id:
            raise ValueError(f"allocation {slot.allocation_id} is available already")
        slot.serial = next(self._serials)
        if slot.profile not in self._all:
            self._sizes.learn(slot.profile)
        self._by_id[slot.allocation_id] = slot
        self._all.add(slot)
        _bucket(self._by_executor, slot.resource_id).add(slot)
        _bucket(self._by_host, slot.host).add(slot)

    def remove(self, allocation_id: AllocationId) -> bool:
        """Take a slot out of every index; False if it is not here (C22, C25)."""
        slot = self._by_id.pop(allocation_id, None)
        if slot is None:
            return False
        self._all.remove(slot)
        if slot.profile not in self._all:
            self._sizes.forget(slot.profile)
        _discard(self._by_executor, slot.resource_id, slot)
        _discard(self._by_host, slot.host, slot)
        return True

    def choose(
        self, requirement: ResourceProfile, preference: Preference | None
    ) -> tuple[PoolSlot, Locality] | None:
        """The slot to serve ``requirement`` and how near it is; it stays here (C20, C21)."""
        if not self._by_id:
            return None
        if preference is not None:
            for executor in preference.executors:
                slot = self._best(self._by_executor.get(executor), requirement)
                if slot is not None:
                    return slot, Locality.LOCAL
            for host in preference.hosts:
                slot = self._best(self._by_host.get(host), requirement)
                if slot is not None:
                    return slot, Locality.HOST_LOCAL
        slot = self._best(self._all, requirement)
        if slot is None:
            return None
        return slot, Locality.UNCONSTRAINED if preference is None else Locality.NON_LOCAL

    def oldest(self) -> PoolSlot | None:
        """The slot that has been available longest."""
        return next(iter(self._by_id.values()), None)

    def profiles(self) -> Iterator[ResourceProfile]:
        """Each distinct profile of which a slot is available."""
        return self._all.profiles()

    def has_executor(self, resource_id: ResourceId) -> bool:
        """Whether a slot of this executor is available."""
        return resource_id in self._by_executor

    def has_host(self, host: str) -> bool:
        """Whether a slot on this host is available."""
        return host in self._by_host

    def _best(self, slots: SizedBuckets | None, requirement: ResourceProfile) -> PoolSlot | None:
        return slots.best(requirement, self._sizes) if slots is not None else None

    def __contains__(self, allocation_id: AllocationId) -> bool:
        return allocation_id in self._by_id

    def __iter__(self) -> Iterator[PoolSlot]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)


def _bucket(index: dict[K, SizedBuckets], key: K) -> SizedBuckets:
    found = index.get(key)
    if found is None:
        found = index[key] = SizedBuckets()
    return found


def _discard(index: dict[K, SizedBuckets], key: K, slot: PoolSlot) -> None:
    index[key].remove(slot)
    if not index[key]:
        del index[key]
