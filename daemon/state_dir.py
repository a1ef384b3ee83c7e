"""The state directory belongs to one daemon at a time; a lock says so and goes with the process."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_LOCK_FILE = "lock"


class StateDirectoryError(Exception):
    """It cannot be used; the message says why."""


@contextmanager
def held(state_dir: Path) -> Generator[None]:
    """Be the only daemon that uses this directory; made (0700) if it is not there.

    Raises:
        StateDirectoryError: another daemon uses it, or it cannot be written.
    """
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(state_dir / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateDirectoryError(f"state-dir {state_dir}: {error.strerror}") from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateDirectoryError(
                f"state-dir {state_dir}: another slotd uses it; stop that one, or give another"
                " state-dir"
            ) from None
        yield
    finally:
        os.close(lock)
