"""Profiles as they come in clusters: families of shapes, always the same for the same seed."""

import random
from collections.abc import Callable

from protocol.resources import ResourceProfile

KINDS = 50


def one(count: int, seed: int) -> list[ResourceProfile]:
    """All alike."""
    del seed
    return [ResourceProfile(1.0, 1024)] * count


def nest(count: int, seed: int) -> list[ResourceProfile]:
    """50 profiles, each of which satisfies all before it."""
    kinds = [ResourceProfile(float(number), 512 * number) for number in range(1, KINDS + 1)]
    return random.Random(seed).choices(kinds, k=count)


def anti(count: int, seed: int) -> list[ResourceProfile]:
    """50 profiles, none of which satisfies another: many cores, or much memory."""
    kinds = [
        ResourceProfile(float(number), 512 * (KINDS + 1 - number)) for number in range(1, KINDS + 1)
    ]
    return random.Random(seed).choices(kinds, k=count)


def cloud(count: int, seed: int) -> list[ResourceProfile]:
    """Cores in powers of two with 2, 4 or 8 GiB each."""
    kinds = [
        ResourceProfile(float(cores), cores * 1024 * ratio)
        for cores in (1, 2, 4, 8, 16, 32)
        for ratio in (2, 4, 8)
    ]
    return random.Random(seed).choices(kinds, k=count)


def uniq(count: int, seed: int) -> list[ResourceProfile]:
    """All different: cores and memory have nothing to do with each other."""
    source = random.Random(seed)
    return [
        ResourceProfile(round(source.uniform(0.01, 64), 6), source.randint(1, 1 << 24))
        for _ in range(count)
    ]


FAMILIES: dict[str, Callable[[int, int], list[ResourceProfile]]] = {
    "one": one,
    "nest": nest,
    "anti": anti,
    "cloud": cloud,
    "uniq": uniq,
}
