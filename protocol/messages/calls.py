"""What every message is: a Request with its answer type, or a Notification without one."""

from typing import Any, ClassVar, Generic, TypeVar, get_args

import attrs

from protocol.ids import LeaderId

R = TypeVar("R")


class Request(Generic[R]):
    """A call that is answered with ``R`` or with an error. ``METHOD`` is its name on the wire."""

    __slots__ = ()
    METHOD: ClassVar[str]


@attrs.frozen(kw_only=True)
class FencedRequest(Request[R]):
    """A call that is only valid in one term of one leader; ``leader_id`` names the term."""

    leader_id: LeaderId


class Notification:
    """A message without an answer. ``METHOD`` is its name on the wire."""

    __slots__ = ()
    METHOD: ClassVar[str]


@attrs.frozen
class Empty:
    """The answer ``{}``: it was done."""


EMPTY = Empty()


def answer_type(request: type[Request[Any]]) -> Any:
    """The class of the answer that ``request`` declares.

    Raises:
        TypeError: the class declares none.

    """
    for base in vars(request).get("__orig_bases__", ()):
        for argument in get_args(base):
            if not isinstance(argument, TypeVar):
                return argument
    raise TypeError(f"{request.__name__} declares no answer")
