"""Where a daemon of this user is and what opens it: reads the access file, writes nothing."""

import os
from pathlib import Path

import orjson

from protocol.errors import PeerGone


def default_state_dir() -> Path:
    """Where a daemon of this user keeps its access file, unless it was told otherwise."""
    named = os.environ.get("SLOTD_STATE_DIR")
    if named:
        return Path(named)
    home = os.environ.get("XDG_STATE_HOME")
    return (Path(home) if home else Path.home() / ".local" / "state") / "slotd"


def find_access(state_dir: Path | None = None) -> tuple[str, str]:
    """The address (``host:port``) and the token of the daemon with this state directory.

    Raises:
        PeerGone: there is no access file, or it cannot be read.

    """
    path = (state_dir or default_state_dir()) / "access.json"
    try:
        access = orjson.loads(path.read_bytes())
        return str(access["address"]), str(access["token"])
    except FileNotFoundError:
        problem = "does not exist: no slotd has started with this state directory"
    except PermissionError:
        problem = "belongs to another user's slotd"
    except (OSError, ValueError, KeyError, TypeError):
        problem = "is not an access file of slotd"
    raise PeerGone(f"{path} {problem}")
