"""Text made safe for a terminal: a character that could move, hide or reorder shows its escape."""

import unicodedata
from typing import Any, cast

LIMIT = 200
_ELLIPSIS = "..."
_BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
"""Characters that no category betrays although they draw nothing."""
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def clean(text: str, limit: int = LIMIT) -> str:
    r"""``text`` of at most ``limit`` (> 3) characters, each of which draws itself where it stands.

    C0, C1, DEL, bidirectional marks, zero width, surrogates, unassigned and private characters and
    line separators are shown as ``\x1b`` or ``\u202e``. Cleaning twice is cleaning once.
    """
    if not (text.isascii() and text.isprintable()):
        text = "".join(map(_visible, text[:limit])) + text[limit:][:1]
    return text if len(text) <= limit else text[: limit - len(_ELLIPSIS)] + _ELLIPSIS


def clean_deep(value: Any) -> Any:
    """A decoded JSON value with every string in it cleaned, the keys of objects included."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return {clean(key): clean_deep(member) for key, member in members.items()}
    if isinstance(value, list):
        items = cast("list[object]", value)
        return [clean_deep(item) for item in items]
    return value


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _INVISIBLE and character not in _BLANK:
        return character
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
