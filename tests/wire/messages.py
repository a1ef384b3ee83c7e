"""Strategies for every message, answer and event, made from what their classes declare."""

import enum
import types
from typing import Annotated, Any, Union, get_args, get_origin

import attrs
from hypothesis import strategies as st

from protocol import forms, ids
from protocol.messages.calls import answer_type
from protocol.methods import NOTIFICATIONS, REQUESTS
from protocol.news import NEWS, Event
from protocol.resources import UNKNOWN, ResourceProfile

HEX = st.text("0123456789abcdef", min_size=32, max_size=32)
NAME = st.from_regex(r"[A-Za-z0-9._-]{1,16}", fullmatch=True)
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
NO_NUL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
WORD = NO_NUL.filter(bool)
AMOUNT = st.floats(0, forms.MAX_AMOUNT)
WHOLE = st.integers(0, 10**12)
ADDRESS = st.sampled_from(["127.0.0.1:1", "[::1]:65535", "worker-7.example:6123"])

VALUES: dict[Any, st.SearchStrategy[Any]] = {
    **dict.fromkeys(forms.NAMED, HEX),
    ids.TaskId: NAME,
    ids.ResourceId: NAME,
    ids.SlotId: st.builds(ids.slot_id, NAME.map(ids.ResourceId), st.integers(0, 99)),
    ids.Component: HEX.map(lambda job: f"job_master/{job}") | st.just("resource_manager"),
    forms.Seconds: st.floats(0, forms.MAX_SECONDS, exclude_min=True),
    forms.Amount: AMOUNT,
    forms.WholeAmount: WHOLE,
    forms.Amounts: st.dictionaries(NAME, AMOUNT, max_size=3),
    forms.Count: st.integers(0, forms.MAX_COUNT),
    forms.Label: TEXT,
    forms.Address: ADDRESS,
    forms.CallbackAddress: ADDRESS | st.just("connection"),
    forms.Stream: st.sampled_from(["stdout", "stderr"]),
    forms.Base64: st.sampled_from(["", "AAEC", "_w==".replace("_", "/")]),
    forms.Command: st.builds(lambda a, b: [a, *b], WORD, st.lists(NO_NUL, max_size=3)),
    forms.Environment: st.dictionaries(
        WORD.filter(lambda name: "=" not in name), NO_NUL, max_size=3
    ),
    forms.Directory: WORD,
    forms.Token: st.from_regex(r"[!-~]{1,40}", fullmatch=True),
    forms.Key: st.integers(-5, 5) | NAME,
    str: st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    int: st.integers(-(2**53), 2**53),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    ResourceProfile: st.just(UNKNOWN)
    | st.builds(ResourceProfile, AMOUNT, WHOLE, st.dictionaries(NAME, AMOUNT, max_size=2)),
    Any: st.integers(0, 9) | st.floats(0, 1),
}


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a declared type."""
    for known, strategy in VALUES.items():
        if kind == known:
            return strategy
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is list:
        return st.lists(values(arguments[0]), max_size=3)
    if origin is dict:
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=3)
    if origin in (Union, types.UnionType):
        return st.one_of(*(values(argument) for argument in arguments))
    if origin is Annotated:
        return st.sampled_from(sorted(NEWS))  # the only form that VALUES does not name
    if kind is type(None):
        return st.none()
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return st.sampled_from(list(kind))
    if kind is Event:
        return events()
    return objects(kind)


def objects(kind: Any) -> st.SearchStrategy[Any]:
    """Instances of an attrs class, each field of the form that it declares."""
    attrs.resolve_types(kind, include_extras=True)
    return st.builds(kind, **{f.name: values(f.type) for f in attrs.fields(kind) if f.init})


def events() -> st.SearchStrategy[Event]:
    """Events with news of every type."""
    news = st.one_of(*(objects(kind) for kind in NEWS.values()))
    return st.builds(Event, values(forms.Count), values(float), news)


REQUEST_CLASSES = sorted(REQUESTS.values(), key=lambda kind: kind.METHOD)
NOTIFICATION_CLASSES = sorted(NOTIFICATIONS.values(), key=lambda kind: kind.METHOD)
ANSWERED = [(kind, answer_type(kind)) for kind in REQUEST_CLASSES]

NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT | HEX | st.just(""),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
"""Any JSON value."""
