"""How values are written: durations, sizes, profiles, addresses; what does not fit is refused."""

import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.configuration import forms
from daemon.configuration.durations import duration_s, in_words, size_bytes, size_mib
from protocol.resources import ResourceProfile


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500 ms", 0.5),
        ("1ms", 0.001),
        ("50 s", 50.0),
        ("1 min", 60.0),
        ("2 h", 7200.0),
        ("1.5 h", 5400.0),
        ("1 d", 86400.0),
        (" 10 Seconds ", 10.0),
    ],
)
def test_durations_keep_their_milliseconds(text: str, seconds: float) -> None:
    """X409: 500 ms is half a second, not zero."""
    assert duration_s(text) == seconds


@pytest.mark.parametrize(
    "raw", ["", "s", "-1 s", "1 fortnight", "1 s 2", "1e3 s", "nan s", True, []]
)
def test_what_is_no_duration_is_refused(raw: object) -> None:
    with pytest.raises(ValueError, match="a duration with its unit, such as '500 ms', '50 s'"):
        duration_s(raw)


@pytest.mark.parametrize(("raw", "advice"), [("50", "'50 s'?"), (50, "'50 s'?"), (1.5, "'1.5 s'?")])
def test_a_number_without_unit_is_refused_with_advice(raw: object, advice: str) -> None:
    with pytest.raises(ValueError, match="has no unit") as caught:
        duration_s(raw)
    assert str(caught.value).endswith(advice)


def test_timeouts_are_finite_and_positive() -> None:
    """E42, J08: a budget alone may be without end."""
    assert forms.duration_or_zero("0 s") == 0.0
    assert forms.duration_or_inf("Inf") == math.inf
    assert forms.duration_or_inf("5 min") == 300.0
    for read in (forms.duration, forms.duration_or_inf):
        with pytest.raises(ValueError, match="more than zero"):
            read("0 ms")
    for read in (forms.duration, forms.duration_or_zero):
        with pytest.raises(ValueError, match="a duration"):
            read("inf")
    with pytest.raises(ValueError, match="finite"):
        forms.duration("9" * 400 + " s")
    with pytest.raises(ValueError, match="or 'inf'"):
        forms.duration_or_inf("soon")


@given(st.integers(1, 10**7))
def test_a_duration_in_words_reads_back(milliseconds: int) -> None:
    assert duration_s(in_words(milliseconds / 1000)) == pytest.approx(milliseconds / 1000, rel=1e-5)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512MB", 512 * 10**6),
        ("4GiB", 4 << 30),
        ("1.5 KiB", 1536),
        ("7b", 7),
        ("1TB", 10**12),
    ],
)
def test_sizes_have_decimal_and_binary_units(text: str, size: int) -> None:
    assert size_bytes(text) == size


def test_memory_is_rounded_up_to_whole_mebibytes() -> None:
    assert [size_mib(text) for text in ("1MiB", "1B", "512MB", "4GiB")] == [1, 1, 489, 4096]


@pytest.mark.parametrize("raw", ["512", 512, "512 parsecs", "", "-1MB", None])
def test_what_is_no_size_is_refused(raw: object) -> None:
    with pytest.raises(ValueError, match="a size with its unit, such as '512MB' or '4GiB'"):
        size_bytes(raw)


def test_a_profile_names_its_amounts() -> None:
    expected = ResourceProfile(1.5, 512, {"gpu": 1, "licence": 2})
    assert forms.profile("cpu=1.5, memory=512MiB,gpu=1,licence=2") == expected
    assert forms.profile(["gpu=1"]) == ResourceProfile(0, 0, {"gpu": 1})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "amounts such as"),
        ("cpu", "'cpu' has no amount"),
        ("cpu=", "has no amount"),
        ("cpu=1,cpu=2", "'cpu' only once"),
        ("cpu=-1", "'cpu' needs a finite number >= 0, got '-1'"),
        ("cpu=nan", "needs a finite number"),
        ("gpu=inf", "'gpu' needs a finite number"),
        ("memory=512", "a number alone has no unit"),
        ("a gpu=1", "'a gpu' is no name of a resource"),
    ],
)
def test_a_profile_that_makes_no_sense_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        forms.profile(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:6123", ("127.0.0.1", 6123)),
        ("localhost:0", ("127.0.0.1", 0)),
        ("127.8.8.8:65535", ("127.8.8.8", 65535)),
        ("[::1]:0", ("::1", 0)),
    ],
)
def test_the_daemon_listens_on_loopback(text: str, address: tuple[str, int]) -> None:
    assert forms.listen(text) == address


@pytest.mark.parametrize("text", ["0.0.0.0:6123", "192.168.1.5:6123", "[::]:0", "[2001:db8::1]:9"])
def test_the_daemon_does_not_listen_beyond_loopback(text: str) -> None:
    """Promise 6."""
    with pytest.raises(ValueError, match="without TLS nothing may listen beyond loopback"):
        forms.listen(text)


@pytest.mark.parametrize(
    "raw", ["6123", ":6123", "host", "::1:6123", "[::1]", "a.b:1", "[127.0.0.1]:1", 6123]
)
def test_what_is_no_address_is_refused(raw: object) -> None:
    with pytest.raises(ValueError, match="host:port of a loopback address"):
        forms.listen(raw)


@pytest.mark.parametrize("port", ["65536", "-1"])
def test_a_port_is_within_its_range(port: str) -> None:
    """E41."""
    with pytest.raises(ValueError, match="a port from 0 to 65535"):
        forms.listen(f"127.0.0.1:{port}")


@pytest.mark.parametrize("raw", ["x", "1.5", 0, "-2", True, 1.0, 100_001, "9" * 30, None])
def test_the_number_of_slots_is_a_whole_one_or_left_to_the_machine(raw: object) -> None:
    """E41."""
    read = forms.whole(1, 100_000, also=-1)
    assert [read(-1), read("-1"), read("1"), read(100_000)] == [-1, -1, 1, 100_000]
    with pytest.raises(ValueError, match=r"a whole number from 1 to 100000 \(or -1\)"):
        read(raw)


@pytest.mark.parametrize("raw", ["0", "1", 1, "half", "nan", True, -0.5])
def test_a_fraction_is_between_zero_and_one(raw: object) -> None:
    """E41."""
    assert (forms.fraction("0.7"), forms.fraction(0.5)) == (0.7, 0.5)
    with pytest.raises(ValueError, match="between 0 and 1"):
        forms.fraction(raw)


@pytest.mark.parametrize(
    ("read", "raw", "expected"),
    [
        (forms.one_of(["a", "b"]), "c", "one of a, b"),
        (forms.one_of(["a", "b"]), 1, "one of a, b"),
        (forms.some_of(["a", "b"]), "a,a", "each once"),
        (forms.some_of(["a", "b"]), "", "one or more of a, b"),
        (forms.some_of(["a", "b"]), ["a", 1], "array of texts"),
        (forms.items, {"a": 1}, "array of texts"),
        (forms.name, "two words", "a name"),
        (forms.name, "", "a name"),
        (forms.path, "", "a path"),
        (forms.path, "a\0b", "a path"),
        (forms.path, 3, "a path"),
        (forms.line_size, "1KiB", "between '8KiB' and '1GiB'"),
        (forms.line_size, "2GiB", "between '8KiB' and '1GiB'"),
    ],
)
def test_words_and_paths_are_checked(read: Any, raw: object, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        read(raw)


def test_lists_are_texts_with_commas_or_arrays() -> None:
    assert forms.some_of(["a", "b", "c"])("c, a") == ("a", "c")
    assert forms.paths("/a, /b") == forms.paths(["/a", "/b"]) == (Path("/a"), Path("/b"))
    assert forms.path("~/x") == Path.home() / "x"
