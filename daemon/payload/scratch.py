"""A task's scratch directory: made private, removed whole; nothing outside it is ever touched."""

import itertools
import os
import secrets
from pathlib import Path


def make_scratch(parent: Path) -> Path:
    """A new, empty directory in ``parent`` that only this user can enter. Raises OSError."""
    scratch = parent / f"slotd-{secrets.token_hex(8)}"
    scratch.mkdir(mode=0o700)
    return scratch


def remove_if_empty(scratch: Path) -> bool:
    """Removes a directory that nobody wrote to; False if there is more to do."""
    try:
        scratch.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def remove_tree(scratch: Path) -> None:
    """Removes a directory with all it holds; symbolic links are removed, never followed.

    Subdirectories are moved to one place before they are emptied: neither a tree of any depth nor a
    directory without permissions can stop it. Raises OSError when the system refuses (a mount).
    """
    grave = make_scratch(scratch.parent)
    numbers = itertools.count()
    pending = [scratch]
    while pending:
        directory = pending.pop()
        directory.chmod(0o700)
        with os.scandir(directory) as entries:
            for entry in list(entries):
                path = directory / entry.name
                if entry.is_dir(follow_symlinks=False):
                    path.chmod(0o700)
                    pending.append(path.rename(grave / str(next(numbers))))
                else:
                    path.unlink()
        directory.rmdir()
    grave.rmdir()
