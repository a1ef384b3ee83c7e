"""Values of which a busy cluster makes a hundred thousand a second: frozen, but cheap to make.

attrs makes a frozen object three times slower than a plain one. These are frozen for the type
checkers, which read every line of this project, and plain at run time.
"""

from typing import TypeVar, dataclass_transform

import attrs

C = TypeVar("C")


@dataclass_transform(frozen_default=True, field_specifiers=(attrs.field,))
def value(cls: type[C]) -> type[C]:
    """Like ``attrs.frozen``: slots, equality and hash by content, and no assignment."""
    return attrs.define(cls, unsafe_hash=True, weakref_slot=False)
