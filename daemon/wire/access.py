"""The access file: where the daemon is and what opens it; nobody else may read it, at no moment."""

import os
import secrets
import stat
from pathlib import Path

import attrs
import orjson

ACCESS_FILE = "access.json"


class AccessError(Exception):
    """The access file cannot be written, read or trusted; the message says what to do."""


@attrs.frozen
class Access:
    """``address`` is ``host:port``; ``fingerprint`` is that of the certificate when TLS is on."""

    address: str
    token: str = attrs.field(repr=False)
    fingerprint: str | None = None


def create_token() -> str:
    """A new secret of 256 bits."""
    return secrets.token_urlsafe(32)


def token_of(state_dir: Path) -> str:
    """The token of an earlier start, so that clients that have it stay welcome, or a new one.

    Raises:
        AccessError: there is an access file that cannot be read or trusted.

    """
    try:
        return read_access(state_dir).token
    except FileNotFoundError:
        return create_token()


def read_access(state_dir: Path) -> Access:
    """The access file of ``state_dir``.

    Raises:
        FileNotFoundError: there is none.
        AccessError: it cannot be read, is no access file, or others may read it.

    """
    path = state_dir / ACCESS_FILE
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(1 << 16)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise AccessError(f"{path}: {error.strerror}") from None
    if stat.S_IMODE(mode) & 0o077:
        raise AccessError(
            f"{path}: its mode is {stat.S_IMODE(mode):04o}, so others may know the token;"
            " remove it (a new one is made at the next start)"
        )
    return _parsed(path, content)


def _parsed(path: Path, content: bytes) -> Access:
    try:
        match orjson.loads(content):
            case {
                "address": str(address),
                "token": str(token),
                "fingerprint": str() | None as seal,
            } if token:
                return Access(address, token, seal)
            case _:
                pass
    except orjson.JSONDecodeError:
        pass
    raise AccessError(f"{path}: not an access file; remove it (the next start makes a new one)")


def write_access(state_dir: Path, access: Access) -> Path:
    """Write the access file, whole or not at all, readable by its owner alone from the start.

    Raises:
        AccessError: it cannot be written.

    """
    path = state_dir / ACCESS_FILE
    temporary = state_dir / f".{ACCESS_FILE}.{secrets.token_hex(8)}"
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(orjson.dumps(attrs.asdict(access), option=orjson.OPT_APPEND_NEWLINE))
            temporary.rename(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise AccessError(f"{path}: {error.strerror}") from None
    return path
