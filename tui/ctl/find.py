"""Where the daemon is and what opens it: the access file, or --server with --token-file."""

import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from tui.ctl.exits import FAILED, NOT_ALLOWED, START_IT, UNREACHABLE, USAGE, Failure
from tui.ctl.link import Link, dial
from tui.ctl.signals import Signals
from tui.ctl.version import VERSION

PROTOCOL_VERSION = 1
HELLO_TIMEOUT_S = 10.0


class Access(NamedTuple):
    """An address as ``host:port`` and the token that opens it."""

    address: str
    token: str


def reach(values: dict[str, Any], signals: Signals | None = None) -> tuple[Link, dict[str, Any]]:
    """A connection that has said hello, and what the daemon said about itself.

    Raises:
        Failure: no daemon to be found (69), or it does not let us in (77).

    """
    access = find(values, os.environ)
    link = dial(access.address, signals)
    try:
        hello = {
            "protocol": PROTOCOL_VERSION,
            "client": f"slotctl/{VERSION}",
            "token": access.token,
        }
        welcome = link.call("hello", hello, HELLO_TIMEOUT_S)
    except BaseException:
        link.close()
        raise
    link.max_line_bytes = welcome.get("max_line_bytes", link.max_line_bytes)
    return link, welcome


def find(values: dict[str, Any], environment: Mapping[str, str]) -> Access:
    """The access that the options and the environment name."""
    server, token_file = values.get("server"), values.get("token_file")
    if server:
        if not token_file:
            raise Failure("--server needs --token-file", USAGE)
        return Access(server, _token(_text(token_file)))
    state_dir = values.get("state_dir") or default_state_dir(environment)
    access = _access(f"{state_dir}/access.json")
    return Access(access.address, _token(_text(token_file))) if token_file else access


def default_state_dir(environment: Mapping[str, str]) -> str:
    """Where slotd keeps its state unless it is told otherwise."""
    named = environment.get("SLOTD_STATE_DIR")
    if named:
        return named
    home = environment.get("XDG_STATE_HOME") or f"{environment.get('HOME', '')}/.local/state"
    return f"{home}/slotd"


def _access(path: str) -> Access:
    try:
        content = json.loads(_text(path))
        address, token = content["address"], content["token"]
    except (ValueError, TypeError, KeyError):
        raise Failure(f"{path}: not an access file of slotd", FAILED) from None
    if content.get("fingerprint"):
        raise Failure(f"{path}: this slotctl cannot speak TLS, which {address} asks for", FAILED)
    return Access(address, token)


def _token(text: str) -> str:
    """The token in a file: alone, or in a copy of an access file."""
    if text.lstrip().startswith("{"):
        try:
            return str(json.loads(text)["token"])
        except (ValueError, KeyError):
            raise Failure("the token file is neither a token nor an access file", FAILED) from None
    return text.strip()


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123  # pathlib costs 15 ms
            return file.read(1 << 16)
    except FileNotFoundError:
        raise Failure(f"{path}: no such file", UNREACHABLE, advice=START_IT) from None
    except PermissionError:
        raise Failure(f"{path}: you may not read it", NOT_ALLOWED) from None
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{path}: {error}", FAILED) from None
