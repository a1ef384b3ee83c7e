"""What changed since the picture was last drawn; bounded by the number of entities."""

import enum
from collections.abc import Hashable

import attrs


class Kind(enum.Enum):
    """What a table lists or a line sums up."""

    LEADERS = "leaders"
    EXECUTORS = "executors"
    SLOTS = "slots"
    REQUESTS = "requests"
    JOBS = "jobs"
    EVENTS = "events"


def _no_keys() -> dict[Kind, set[Hashable]]:
    return {kind: set() for kind in Kind}


@attrs.define
class Changes:
    """Keys whose entity changed, and kinds whose membership did."""

    touched: dict[Kind, set[Hashable]] = attrs.field(factory=_no_keys)
    membership: set[Kind] = attrs.field(factory=set[Kind])
    link: bool = False
    """The status of the link changed."""
    everything: bool = False
    """A new snapshot: nothing that was drawn counts any more."""

    @classmethod
    def all(cls) -> "Changes":
        """As if everything had changed."""
        return cls(membership=set(Kind), link=True, everything=True)

    def touch(self, kind: Kind, key: Hashable, *, came_or_went: bool = False) -> None:
        """Note a change of one entity."""
        self.touched[kind].add(key)
        if came_or_went:
            self.membership.add(kind)

    def concerns(self, kind: Kind) -> bool:
        """Whether anything of ``kind`` changed."""
        return self.everything or bool(self.touched[kind]) or kind in self.membership
