"""Where the daemon is and what opens it, read anew before each dialling: a daemon may move."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import attrs
import orjson

MAX_FILE_BYTES = 1 << 16


class NoAccess(Exception):
    """The address or the token cannot be had now; the message says why in a few words."""


@attrs.frozen
class Access:
    """An address and the token that opens it."""

    host: str
    port: int
    token: str = attrs.field(repr=False)

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@attrs.frozen
class AccessPlace:
    """Where access is described: a state directory, or an address with a file that has the token.

    With both, ``server`` counts for the address and ``token_file`` for the token.
    """

    state_dir: Path
    server: str | None = None
    token_file: Path | None = None

    def read(self) -> Access:
        """The access as it is described now.

        Raises:
            NoAccess: there is none, or it is not of the right form.

        """
        if self.server is not None:
            if self.token_file is None:
                raise NoAccess("--server needs --token-file")
            return _access(self.server, _token(self.token_file))
        content = _described(self.state_dir / "access.json")
        if content.get("fingerprint"):
            raise NoAccess("the daemon asks for TLS, which this slottop does not speak")
        token = content.get("token") if self.token_file is None else _token(self.token_file)
        return _access(content.get("address"), token)


def default_state_dir(environment: Mapping[str, str]) -> Path:
    """Where slotd keeps its state unless it is told otherwise."""
    named = environment.get("SLOTD_STATE_DIR")
    if named:
        return Path(named)
    home = environment.get("XDG_STATE_HOME") or f"{environment.get('HOME', '')}/.local/state"
    return Path(home, "slotd")


def _access(address: Any, token: Any) -> Access:
    if not isinstance(address, str) or not isinstance(token, str):
        raise NoAccess("the access file has no address or no token")
    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isascii() and port.isdecimal() and int(port) < 1 << 16):
        raise NoAccess(f"{address[:80]!r} is not host:port")
    return Access(host.removeprefix("[").removesuffix("]"), int(port), token)


def _described(path: Path) -> dict[str, Any]:
    try:
        content = orjson.loads(_text(path))
    except orjson.JSONDecodeError:
        content = None
    if not isinstance(content, dict):
        raise NoAccess(f"{path} is not an access file of slotd")
    return cast("dict[str, Any]", content)


def _token(path: Path) -> Any:
    """The token in a file: alone, or in a copy of an access file."""
    text = _text(path).strip()
    return _described(path).get("token") if text.startswith("{") else text


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES).decode()
    except FileNotFoundError:
        raise NoAccess(f"no {path}: is slotd running?") from None
    except OSError as error:
        raise NoAccess(f"{path}: {os.strerror(error.errno or 0).lower()}") from None
    except UnicodeDecodeError:
        raise NoAccess(f"{path} is not text") from None
