"""A dict that tells of each change in it, so that no change of the cluster's state goes unseen."""

from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

_MISSING: Any = object()


class Watched(dict[K, V], Generic[K, V]):
    """Calls ``changed(key, old, new)`` after each change; None stands for no entry.

    Only the ways of changing that ``ClusterState`` uses are watched; the others are refused.
    """

    __slots__ = ("_changed",)

    def __init__(
        self, entries: Iterable[tuple[K, V]], changed: Callable[[K, V | None, V | None], None]
    ) -> None:
        super().__init__(entries)
        self._changed = changed

    def __setitem__(self, key: K, value: V) -> None:
        old = self.get(key)
        super().__setitem__(key, value)
        self._changed(key, old, value)

    def __delitem__(self, key: K) -> None:
        old = self[key]
        super().__delitem__(key)
        self._changed(key, old, None)

    def pop(self, key: K, default: Any = _MISSING) -> Any:
        """Remove and return the entry of ``key``, or ``default`` if there is none.

        Raises:
            KeyError: there is none, and no default.

        """
        if key not in self and default is not _MISSING:
            return default
        value = self[key]
        del self[key]
        return value

    def clear(self) -> None:
        """Remove every entry, one after the other."""
        for key in list(self):
            del self[key]

    def update(self, *_: Any, **__: Any) -> None:
        """Refused: it would change unseen."""
        raise NotImplementedError

    def setdefault(self, *_: Any) -> Any:
        """Refused: it would change unseen."""
        raise NotImplementedError

    def popitem(self) -> tuple[K, V]:
        """Refused: it would change unseen."""
        raise NotImplementedError
