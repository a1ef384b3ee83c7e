"""What a slot has and what a request needs: ResourceProfile, its matching, order and arithmetic."""

import functools
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

EXTENDED_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


def _finite_amount(_: object, attribute: "attrs.Attribute[Any]", value: float) -> None:
    if not 0 <= value < math.inf:
        raise ValueError(f"{attribute.name}: expected a finite amount >= 0, got {value!r}")


def _extended(value: Mapping[str, float]) -> Mapping[str, float]:
    return dict(sorted(value.items()))


def _extended_amounts(
    _: object, attribute: "attrs.Attribute[Mapping[str, float]]", value: Mapping[str, float]
) -> None:
    for name, amount in value.items():
        if not EXTENDED_NAME.fullmatch(name):
            raise ValueError(f"{attribute.name}: {name!r} is not a resource name (A-Za-z0-9._-)")
        if not 0 <= amount < math.inf:
            raise ValueError(
                f"{attribute.name}.{name}: expected a finite amount >= 0, got {amount!r}"
            )


def _key_of(profile: "ResourceProfile") -> tuple[object, ...]:
    present = tuple((name, amount) for name, amount in profile.extended.items() if amount)
    return (profile.memory_mb, profile.cpu_cores, present)


@functools.total_ordering
@attrs.frozen(eq=False, cache_hash=False)
class ResourceProfile:
    """Amounts of CPU (cores), memory (MiB) and named, countable extended resources.

    ``UNKNOWN`` as a requirement is satisfied by anything; as a slot it satisfies only ``UNKNOWN``
    (C30). Profiles are ordered by memory, then CPU, then extended resources (C31).

    Raises:
        ValueError: an amount is negative, not finite, or an extended resource has no valid name.

    """

    cpu_cores: float = attrs.field(validator=_finite_amount)
    memory_mb: int = attrs.field(validator=_finite_amount)
    extended: Mapping[str, float] = attrs.field(
        factory=dict[str, float], converter=_extended, validator=_extended_amounts
    )
    _key: tuple[object, ...] = attrs.field(
        init=False, repr=False, default=attrs.Factory(_key_of, takes_self=True)
    )
    _hash: int = attrs.field(
        init=False, repr=False, default=attrs.Factory(lambda self: hash(self._key), takes_self=True)
    )

    @property
    def is_unknown(self) -> bool:
        """Whether nothing is said about the amounts."""
        return self is UNKNOWN

    def satisfies(self, requirement: "ResourceProfile") -> bool:
        """Whether a slot of this profile can serve ``requirement``, by dimension (C29)."""
        if requirement is UNKNOWN:
            return True
        if self is UNKNOWN:
            return False
        return (
            self.cpu_cores >= requirement.cpu_cores
            and self.memory_mb >= requirement.memory_mb
            and (
                not requirement.extended
                or all(
                    self.extended.get(name, 0) >= amount
                    for name, amount in requirement.extended.items()
                )
            )
        )

    def amounts(self) -> Iterator[tuple[str, float]]:
        """Each dimension with its amount, CPU and memory first."""
        yield "cpu_cores", self.cpu_cores
        yield "memory_mb", self.memory_mb
        yield from self.extended.items()

    def shortfall(self, requirement: "ResourceProfile") -> dict[str, float]:
        """By how much this profile falls short of ``requirement``, for each dimension that does."""
        mine = dict(self.amounts())
        return {
            name: needed - mine.get(name, 0)
            for name, needed in requirement.amounts()
            if needed > mine.get(name, 0)
        }

    def plus(self, other: "ResourceProfile") -> "ResourceProfile":
        """The sum of two profiles. UNKNOWN adds nothing."""
        if other is UNKNOWN:
            return self
        if self is UNKNOWN:
            return other
        names = self.extended.keys() | other.extended.keys()
        return ResourceProfile(
            self.cpu_cores + other.cpu_cores,
            self.memory_mb + other.memory_mb,
            {name: self.extended.get(name, 0) + other.extended.get(name, 0) for name in names},
        )

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, ResourceProfile) or self is UNKNOWN or other is UNKNOWN:
            return False
        return self._key == other._key

    def __hash__(self) -> int:
        return self._hash

    def __lt__(self, other: "ResourceProfile") -> bool:
        return self._key < other._key

    def __str__(self) -> str:
        if self is UNKNOWN:
            return "any"
        return amounts_text({name: amount for name, amount in self.amounts() if amount})


_UNITS = {"cpu_cores": "cpu", "memory_mb": "MiB"}


def amounts_text(amounts: Mapping[str, float]) -> str:
    """Amounts by dimension for people: ``1.5 cpu, 512 MiB, 1 gpu``; none is ``nothing``."""
    parts = [
        f"{int(amount) if amount == int(amount) else f'{amount:g}'} {_UNITS.get(name, name)}"
        for name, amount in amounts.items()
    ]
    return ", ".join(parts) or "nothing"


UNKNOWN = ResourceProfile(0.0, 0)
"""Says nothing about amounts; ``null`` on the wire."""

NOTHING = ResourceProfile(0.0, 0)
"""No amount of anything: the neutral element of ``plus`` that is not UNKNOWN."""
