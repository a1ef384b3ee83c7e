"""The access file: DESIGN "Security by default"."""

import os
import stat
from pathlib import Path

import orjson
import pytest

from daemon.wire import access
from daemon.wire.access import Access, AccessError, read_access, token_of, write_access


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written = Access("127.0.0.1:6123", "secret")
    path = write_access(tmp_path, written)
    assert read_access(tmp_path) == written
    assert orjson.loads(path.read_bytes()) == {
        "address": "127.0.0.1:6123",
        "token": "secret",
        "fingerprint": None,
    }


def test_file_and_directory_are_their_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = write_access(tmp_path / "a" / "state", Access("h:1", "secret"))
    finally:
        os.umask(before)
    assert mode(path) == 0o600
    assert mode(path.parent) == 0o700


def test_the_secret_is_never_in_a_file_that_others_may_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mode is looked at between every two steps of writing."""
    seen: list[int] = []

    def rename(self: Path, target: Path) -> Path:
        seen.extend(mode(path) for path in tmp_path.iterdir())
        os.rename(self, target)  # noqa: PTH104  Path.rename is what is watched
        return target

    monkeypatch.setattr(Path, "rename", rename)
    before = os.umask(0)
    try:
        write_access(tmp_path, Access("h:1", "secret"))
    finally:
        os.umask(before)
    assert seen == [0o600]


def test_an_earlier_file_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    write_access(tmp_path, Access("h:1", "x" * 1000))
    write_access(tmp_path, Access("h:2", "y"))
    assert read_access(tmp_path) == Access("h:2", "y")
    assert [path.name for path in tmp_path.iterdir()] == ["access.json"]


def test_a_file_that_cannot_be_put_in_place_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "access.json").mkdir()
    with pytest.raises(AccessError, match=r"access\.json"):
        write_access(tmp_path, Access("h:1", "secret"))
    assert [path.name for path in tmp_path.iterdir()] == ["access.json"]


def test_a_state_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(AccessError, match="state"):
        write_access(tmp_path / "state", Access("h:1", "secret"))


def test_the_token_of_an_earlier_start_stays(tmp_path: Path) -> None:
    first = token_of(tmp_path)
    assert token_of(tmp_path) != first
    write_access(tmp_path, Access("h:1", first))
    assert token_of(tmp_path) == first


def test_a_new_token_has_256_bits_and_no_other_is_like_it() -> None:
    tokens = {access.create_token() for _ in range(100)}
    assert len(tokens) == 100
    assert {len(token) for token in tokens} == {43}


@pytest.mark.parametrize("shared", [0o640, 0o604, 0o620, 0o601])
def test_a_file_that_others_may_touch_is_not_trusted(tmp_path: Path, shared: int) -> None:
    write_access(tmp_path, Access("h:1", "secret")).chmod(shared)
    with pytest.raises(AccessError, match=f"its mode is {shared:04o}") as caught:
        token_of(tmp_path)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"{}", b'{"address":"h:1"}', b'{"address":1,"token":"s","fingerprint":null}',
     b'{"address":"h:1","token":"","fingerprint":null}', b"\xff"],
)  # fmt: skip
def test_a_file_that_is_no_access_file_is_refused_by_its_name(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "access.json"
    path.touch(0o600)
    path.write_bytes(content)
    with pytest.raises(AccessError, match=r"access\.json: not an access file"):
        read_access(tmp_path)


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_access(tmp_path)


def test_the_token_is_in_no_representation() -> None:
    assert "secret" not in repr(Access("h:1", "secret"))
