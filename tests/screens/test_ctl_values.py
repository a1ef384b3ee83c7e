"""Words of slotctl's command line: what they mean, and what a wrong one is told."""

import pytest

from tui.ctl import values


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("50 s", 50),
        ("1 min", 60),
        ("1.5m", 90),
        ("2h", 7200),
        ("1d", 86400),
        ("7", 7),
    ],
)
def test_a_duration_is_a_number_with_a_unit(text: str, seconds: float) -> None:
    assert values.duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "0", "0s", "-1s", "1 parsec", "s", "nan", "inf", "1s 2s", "\N{ARABIC-INDIC DIGIT ONE}s"],
)
def test_what_is_no_duration_is_refused_with_the_word_and_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration above 0 such as 500ms") as caught:
        values.duration(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "mebibytes"),
    [
        ("512MiB", 512),
        ("4GiB", 4096),
        ("4 gib", 4096),
        ("1.5GiB", 1536),
        ("1KiB", 1),
        ("1025KiB", 2),
        ("512MB", 489),
        ("1TB", 953675),
        ("0MB", 0),
        ("0.1MiB", 1),
    ],
)
def test_a_size_is_rounded_up_to_whole_mebibytes(text: str, mebibytes: int) -> None:
    assert values.mebibytes(text) == mebibytes


@pytest.mark.parametrize("text", ["", "512", "512 M", "-1MB", "MB", "1e3MB", "4 GiBs", "nanMB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size such as 512MB or 4GiB"):
        values.mebibytes(text)


def test_resources_variables_and_places_are_read() -> None:
    assert values.resource("licence=1.5") == ("licence", 1.5)
    assert values.variable("A=b=c") == ("A", "b=c")
    assert values.variable("EMPTY=") == ("EMPTY", "")
    assert values.location("te-1") == {"resource_id": "te-1"}
    assert values.location("host:lab3.example") == {"host": "lab3.example"}
    assert values.whole("12") == 12


@pytest.mark.parametrize("text", ["licence", "=1", "a b=1", "x=-1", "x=nan", "x=inf", "x=y"])
def test_what_is_no_resource_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not (an amount|NAME=AMOUNT)"):
        values.resource(text)


@pytest.mark.parametrize("text", ["A", "=b", "", "A=\0"])
def test_what_is_no_variable_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not NAME=VALUE"):
        values.variable(text)


@pytest.mark.parametrize("text", ["", "host:", "rack:7", "te 1", "x" * 129])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="neither an executor's name nor host:NAME"):
        values.location(text)


@pytest.mark.parametrize("text", ["", "-1", "1.0", "x", "9" * 19])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a whole number"):
        values.whole(text)
