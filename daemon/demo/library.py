"""The demo's input: the files of the Python standard library, in parts of about the same size."""

import sysconfig
from pathlib import Path

import attrs


class NoInput(Exception):
    """Something that the demo works on or with is not on this machine."""


@attrs.frozen
class Part:
    """Some files of the library. ``names`` are relative to ``root``; ``number`` counts from 1."""

    number: int
    root: Path
    names: tuple[str, ...]

    def contents(self) -> bytes:
        """All files, one after the other."""
        return b"".join((self.root / name).read_bytes() for name in self.names)


def parts(count: int, root: Path | None = None) -> list[Part]:
    """The ``.py`` files below ``root`` (the standard library), dealt into ``count`` parts.

    Raises:
        NoInput: there are fewer files than parts.

    """
    root = root or Path(sysconfig.get_path("stdlib"))
    files = [path for path in root.rglob("*.py") if path.is_file() and not _is_foreign(path, root)]
    if len(files) < count:
        raise NoInput(f"{root} has {len(files)} .py files, and the demo wants {count}")
    files.sort(key=lambda path: (path.stat().st_size, path))
    return [
        Part(number + 1, root, tuple(sorted(str(path.relative_to(root)) for path in dealt)))
        for number, dealt in enumerate(files[number::count] for number in range(count))
    ]


def _is_foreign(path: Path, root: Path) -> bool:
    """Installed packages are not the library; its own tests are not there everywhere."""
    return path.relative_to(root).parts[0] in {"site-packages", "dist-packages", "test"}
