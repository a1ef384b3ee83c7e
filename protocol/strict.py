"""How one JSON value becomes one Python value, or a Refusal that says where and what was expected.

Hooks have the signature of cattrs, `(value, type) -> value`, but know nothing of it.
"""

import enum
import functools
from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeAlias, get_args, get_origin

from protocol.forms import (
    HIDDEN,
    MISSING,
    NAMED,
    PLAIN,
    Amount,
    Amounts,
    Form,
    Refusal,
    WholeAmount,
    is_array,
    meant,
)
from protocol.frames import is_object
from protocol.resources import UNKNOWN, ResourceProfile

Hook: TypeAlias = Callable[[Any, Any], Any]
Part: TypeAlias = tuple[str, Hook, Any, Any]
"""A part of a value: its path, how it is structured, its type, the part."""


def form_of(kind: Any) -> Form | None:
    """The form that a type declares; None for classes, lists and unions."""
    if get_origin(kind) is Annotated:
        return next((form for form in get_args(kind)[1:] if isinstance(form, Form)), None)
    return NAMED.get(kind) or PLAIN.get(kind)


def formed(form: Form) -> Hook:
    """Structures a value that has a form."""
    check = form.check
    return lambda value, _: check(value)


def enumerated(kind: type[enum.Enum]) -> Hook:
    """Structures a member of an enum of strings."""
    members: dict[str, enum.Enum] = {member.value: member for member in kind}
    expected = "one of " + " ".join(members)

    def structure(value: Any, _: Any) -> enum.Enum:
        if type(value) is str and value in members:
            return members[value]
        raise Refusal(expected + meant(value, members), value)

    return structure


def optional(hook: Hook, kind: Any) -> Hook:
    """Structures null, or what ``hook`` structures."""
    return lambda value, _: None if value is None else hook(value, kind)


def listed(hook: Hook, kind: Any) -> Hook:
    """Structures an array of what ``hook`` structures."""

    def structure(value: Any, _: Any) -> list[Any]:
        if not is_array(value):
            raise Refusal("an array", value)
        try:
            return [hook(entry, kind) for entry in value]
        except Refusal:
            raise first_refusal(
                (f"[{index}]", hook, kind, entry) for index, entry in enumerate(value)
            ) from None

    return structure


def first_refusal(parts: Iterable[Part]) -> Refusal:
    """The refusal of the first part that is refused, under its path; there must be one."""
    for path, hook, kind, value in parts:
        try:
            hook(value, kind)
        except Refusal as refusal:
            return refusal.under(path)
    raise AssertionError("a value was refused as a whole, but none of its parts")


def absent(_: Any, kind: Any) -> Any:
    """Refuses, for the place of a required value that is not there."""
    form = form_of(kind)
    expected = form.expected if form else _EXPECTED.get(kind, "a value")
    raise Refusal(expected, MISSING)


def unknown_key(value: dict[str, Any], names: frozenset[str]) -> Refusal:
    """The refusal of the first key of ``value`` that is none of ``names``."""
    key = next(key for key in value if key not in names)
    expected = f"only {', '.join(sorted(names))}{meant(key, names)}"
    return Refusal(expected, value[key], f".{key[:64]}")


_PROFILE = "a profile {cpu_cores, memory_mb, extended} or null"
_PROFILE_NAMES = frozenset({"cpu_cores", "memory_mb", "extended"})
_EXPECTED: dict[Any, str] = {ResourceProfile: _PROFILE}


def _check(kind: Any) -> Callable[[Any], Any]:
    form = form_of(kind)
    assert form is not None
    return form.check


_AMOUNT, _WHOLE_AMOUNT, _AMOUNTS = _check(Amount), _check(WholeAmount), _check(Amounts)


def profile(value: Any, _: Any) -> ResourceProfile:
    """Structures a profile: null is UNKNOWN, an amount that is left out is 0."""
    if value is None:
        return UNKNOWN
    if not is_object(value):
        raise Refusal(_PROFILE, value)
    if not value.keys() <= _PROFILE_NAMES:
        raise unknown_key(value, _PROFILE_NAMES)
    try:
        return _profile(
            _AMOUNT(value.get("cpu_cores", 0)),
            _WHOLE_AMOUNT(value.get("memory_mb", 0)),
            tuple(_AMOUNTS(value.get("extended", {})).items()),
        )
    except Refusal:
        raise first_refusal(_profile_parts(value)) from None


def _profile_parts(value: dict[str, Any]) -> Iterable[Part]:
    checks = {"cpu_cores": _AMOUNT, "memory_mb": _WHOLE_AMOUNT, "extended": _AMOUNTS}
    for name, check in checks.items():
        if name in value:
            yield f".{name}", lambda part, kind: kind(part), check, value[name]


@functools.lru_cache(maxsize=4096)
def _profile(
    cpu_cores: float, memory_mb: int, extended: tuple[tuple[str, float], ...]
) -> ResourceProfile:
    return ResourceProfile(cpu_cores, memory_mb, dict(extended))


def profile_to_json(value: ResourceProfile) -> dict[str, Any] | None:
    """The JSON value of a profile."""
    if value is UNKNOWN:
        return None
    return {
        "cpu_cores": value.cpu_cores,
        "memory_mb": value.memory_mb,
        "extended": value.extended,
    }


def sentence(path: str, refusal: Refusal) -> str:
    """What was wrong at ``path``, for a person; values are cut to a sane length."""
    if refusal.value is MISSING:
        return f"{path} is missing; expected {refusal.expected}"
    return f"{path}: expected {refusal.expected}, got {_shown(refusal.value)}"


def _shown(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case list():
            return "an array"
        case dict():
            return "an object"
        case str() | int() | float():
            text = repr(value[:80] if isinstance(value, str) else value)
            return text if len(text) <= 80 else f"{text[:77]}..."
        case _:
            return "something else (not shown)" if value is HIDDEN else type(value).__name__
