"""The one converter between messages and JSON values; nothing is coerced, every refusal has a path.

A string is never taken for a number, 1.7 never for 1, true never for 1, null never for "None".
All that decoding can raise is a SlotdError.
"""

import enum
from collections.abc import Callable, Iterable
from types import UnionType
from typing import Any, Final, TypeVar, Union, cast, get_args, get_origin

import attrs
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override
from cattrs.preconf.orjson import make_converter

from protocol.errors import InvalidParams, MethodNotFound, ProtocolError
from protocol.forms import PLAIN, Count, Form, Refusal
from protocol.frames import (
    RequestKey,
    is_object,
    make_notification,
    make_request,
    make_response,
)
from protocol.messages.calls import Notification, Request, answer_type
from protocol.messages.values import CoLocation, Location
from protocol.methods import NOTIFICATIONS, REQUESTS, not_served
from protocol.news import NEWS, Event, News, OtherNews
from protocol.resources import ResourceProfile
from protocol.strict import (
    Hook,
    Part,
    absent,
    enumerated,
    first_refusal,
    form_of,
    formed,
    listed,
    optional,
    profile,
    profile_to_json,
    sentence,
    unknown_key,
)

R = TypeVar("R")

CLOSED: Final = (Location, CoLocation)
"""Besides profiles, what refuses an unknown key: a typo there would change what is granted."""

_RENAMED: Final = {"sender": "from"}
"""Fields whose name on the wire is a word of Python."""


def decode_request(method: str, params: dict[str, Any]) -> Request[Any]:
    """The request that ``method`` and ``params`` make; unknown params are ignored.

    Raises:
        MethodNotFound: no request has this name.
        InvalidParams: a value is missing or of the wrong form (``data.path``, ``data.expected``).

    """
    kind = REQUESTS.get(method)
    if kind is None:
        raise not_served(method, "a daemon")
    return cast("Request[Any]", _decode(kind, params))


def decode_notification(method: str, params: dict[str, Any]) -> Notification:
    """The notification that ``method`` and ``params`` make. Raises as ``decode_request``."""
    kind = NOTIFICATIONS.get(method)
    if kind is None:
        raise MethodNotFound(f"there is no notification {method[:128]!r}", method=method[:128])
    return cast("Notification", _decode(kind, params))


def _decode(kind: type[Any], params: dict[str, Any]) -> Any:
    try:
        return _structure(kind)(params, kind)
    except Refusal as refusal:
        path = f"params{refusal.path}"
        raise InvalidParams(sentence(path, refusal), path=path, expected=refusal.expected) from None


def unknown_params(message: type[Any], params: dict[str, Any]) -> int:
    """How many of ``params`` the message does not have, and decoding ignored."""
    names = _wire_names(message)
    return 0 if message is Event or params.keys() <= names else len(params.keys() - names)


def decode_answer(request: type[Request[R]], result: object) -> R:
    """The answer to a request of this class; unknown fields are ignored.

    Raises:
        ProtocolError: the result is not of the form that the request's answer has.

    """
    kind = answer_type(request)
    try:
        return cast("R", _structure(kind)(result, kind))
    except Refusal as refusal:
        problem = sentence(f"result{refusal.path}", refusal)
        raise ProtocolError(f"the answer to {request.METHOD} is malformed: {problem}") from None


def encode_request(key: RequestKey, request: Request[Any]) -> bytes:
    """The line of a request; params that have their default are left out.

    Raises:
        TypeError: a value has no place in JSON (so for every encode function here).

    """
    return make_request(key, request.METHOD, to_json(request))


def encode_notification(notification: Notification) -> bytes:
    """The line of a notification; params that have their default are left out."""
    return make_notification(notification.METHOD, to_json(notification))


def encode_answer(key: RequestKey, answer: object) -> bytes:
    """The line of an answer, written whole: what is not known is null."""
    return make_response(key, to_json(answer))


def to_json(message: object) -> Any:
    """The JSON value of a message, an answer, an event or a snapshot."""
    return _unstructure(type(message))(message)


# The converter -----------------------------------------------------------------------------------

_converter: Final = make_converter(detailed_validation=False)


_structure = _converter.get_structure_hook
_unstructure = _converter.get_unstructure_hook
_names_of: Final[dict[type[Any], frozenset[str]]] = {}


def _fields(kind: type[Any]) -> "dict[str, attrs.Attribute[Any]]":
    """The fields of a class by their names on the wire, their types resolved."""
    attrs.resolve_types(kind, include_extras=True)
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(kind)
    return {_RENAMED.get(field.name, field.name): field for field in fields if field.init}


def _wire_names(kind: type[Any]) -> frozenset[str]:
    names = _names_of.get(kind)
    if names is None:
        names = _names_of[kind] = frozenset(_fields(kind))
    return names


def _overrides(kind: type[Any]) -> dict[str, Any]:
    return {
        field.name: override(rename=name)
        for name, field in _fields(kind).items()
        if field.name != name
    }


def _object_hook(kind: type[Any], converter: Converter) -> Hook:
    """The fast path is generated; only a refusal looks for the field that caused it."""
    names = _wire_names(kind)
    generated = make_dict_structure_fn(
        kind, converter, _cattrs_detailed_validation=False, **_overrides(kind)
    )
    closed = kind in CLOSED

    def structure(value: Any, _: Any) -> Any:
        if not is_object(value):
            raise Refusal("an object", value)
        if closed and not value.keys() <= names:
            raise unknown_key(value, names)
        try:
            return generated(value, kind)
        except (Refusal, KeyError):
            raise first_refusal(_parts(kind, value)) from None

    return structure


def _parts(kind: type[Any], value: dict[str, Any]) -> Iterable[Part]:
    for name, field in _fields(kind).items():
        if name in value:
            yield f".{name}", _structure(field.type), field.type, value[name]
        elif field.default is attrs.NOTHING:
            yield f".{name}", absent, field.type, None


def _list_hook(kind: Any) -> Hook:
    (item,) = get_args(kind)
    return listed(_structure(item), item)


def _optional_hook(kind: Any) -> Hook:
    (inner,) = (part for part in get_args(kind) if part is not type(None))
    return optional(_structure(inner), inner)


def _is_optional(kind: Any) -> bool:
    return _origin(kind) in (Union, UnionType) and type(None) in get_args(kind)


def _mapping(value: Any, _: Any) -> dict[str, Any]:
    if not is_object(value):
        raise Refusal("an object", value)
    return value


@attrs.frozen
class _Head:
    """What every event has on the wire besides the fields of its news."""

    seq: Count
    at: float
    type: str


def _event(value: Any, _: Any) -> Event:
    head: _Head = _structure(_Head)(value, _Head)
    kind = NEWS.get(head.type)
    if kind is None:
        fields = {name: part for name, part in value.items() if name not in _wire_names(_Head)}
        return Event(head.seq, head.at, OtherNews(head.type, fields))
    return Event(head.seq, head.at, _structure(kind)(value, kind))


def _event_to_json(event: Event) -> dict[str, Any]:
    head = {"seq": event.seq, "at": event.at}
    match event.news:
        case OtherNews(name, fields):
            return {**head, "type": name, **fields}
        case news:
            return {**head, "type": news.TYPE, **to_json(news)}


def _register(converter: Converter) -> None:
    """Later registrations win."""
    into = converter.register_structure_hook_factory
    into(attrs.has, _object_hook)
    into(_is_optional, _optional_hook)
    into(lambda kind: _origin(kind) is list, _list_hook)
    into(lambda kind: _origin(kind) is dict, _mapping_hook)
    into(_is_enum, enumerated)
    into(lambda kind: form_of(kind) is not None, _form_hook)
    for kind, form in PLAIN.items():
        converter.register_structure_hook(kind, formed(form))
    converter.register_structure_hook(ResourceProfile, profile)
    converter.register_structure_hook(Event, _event)
    out_of = converter.register_unstructure_hook_factory
    out_of(attrs.has, _object_writer)
    out_of(_is_enum, _member_writer)
    converter.register_unstructure_hook(ResourceProfile, profile_to_json)
    converter.register_unstructure_hook(Event, _event_to_json)


def _form_hook(kind: Any) -> Hook:
    return formed(cast("Form", form_of(kind)))


def _mapping_hook(_: Any) -> Hook:
    return _mapping


def _member_writer(_: Any) -> Callable[[enum.Enum], Any]:
    return _member_to_json


def _origin(kind: Any) -> Any:
    return get_origin(kind)


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, enum.Enum)


def _member_to_json(member: enum.Enum) -> Any:
    return member.value


def _object_writer(kind: type[Any], converter: Converter) -> Callable[[Any], dict[str, Any]]:
    told = issubclass(kind, Request | Notification | News)
    return make_dict_unstructure_fn(
        kind, converter, _cattrs_omit_if_default=told, **_overrides(kind)
    )


_register(_converter)
