"""What cleaning promises to every terminal: no text moves the cursor, hides or reorders."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.clean import LIMIT, clean, clean_deep

HARMFUL = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
        ("a\nb\tc\x7f", "a\\x0ab\\x09c\\x7f"),
        ("\x9b2J", "\\x9b2J"),
        ("invoice\u202egpj.exe", "invoice\\u202egpj.exe"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
        ("\u3164", "\\u3164"),
        ("[/red] plain \u00fc \u6f22 \\", "[/red] plain \u00fc \u6f22 \\"),
    ],
)
def test_a_hostile_character_is_shown_as_its_escape(hostile: str, shown: str) -> None:
    assert clean(hostile) == shown


@given(st.text(st.characters(), max_size=300))
def test_cleaned_text_is_harmless_short_and_stays_as_it_is(text: str) -> None:
    cleaned = clean(text)
    assert not {unicodedata.category(c) for c in cleaned} & HARMFUL
    assert len(cleaned) <= LIMIT
    assert clean(cleaned) == cleaned


@given(st.integers(0, 400))
def test_a_long_text_says_that_it_was_cut(length: int) -> None:
    cut = clean("x" * length)
    assert cut == ("x" * length if length <= LIMIT else "x" * (LIMIT - 3) + "...")


def test_every_string_of_a_json_value_is_cleaned_and_nothing_else_changes() -> None:
    value = {"na\x1bme": ["\x07", 1, None, {"deep": "\u202e"}], "flag": True, "load": 0.5}
    assert clean_deep(value) == {
        "na\\x1bme": ["\\x07", 1, None, {"deep": "\\u202e"}],
        "flag": True,
        "load": 0.5,
    }
