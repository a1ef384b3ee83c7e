"""The demo's commands: what each reads, needs and prefers, and what its output must be."""

import hashlib
import shutil
import zlib

import attrs

from daemon.demo.library import NoInput, Part, parts
from protocol.ids import ResourceId
from protocol.messages.values import Location
from protocol.resources import UNKNOWN, ResourceProfile

TOOLS = ("sha256sum", "gzip -9", "sha384sum", "gzip -6", "sha512sum", "gzip -1")
"""Every part of the library meets each of these; long and short commands take turns."""

PROFILES = (
    UNKNOWN,
    ResourceProfile(1, 64),
    ResourceProfile(0.5, 128),
    ResourceProfile(1, 256, {"scratch": 1}),
)
"""What requests ask for in turn; a slot of the demo has all of it."""

_PLACES = (None, "te-1", None, None, "te-2")
_GZIP = 31
"""zlib: a stream with gzip's header and checksum."""


@attrs.frozen
class Work:
    """One command. It reads the names of its files, NUL between them, from standard input."""

    tool: str
    part: Part
    profile: ResourceProfile
    place: str | None

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.tool} part {self.part.number}"

    @property
    def compresses(self) -> bool:
        """Whether its output is an archive; else it is a list of checksums."""
        return self.tool.startswith("gzip")

    @property
    def command(self) -> list[str]:
        """What runs in the slot, in the directory of the library."""
        if self.compresses:
            return ["sh", "-c", f"xargs -0 cat | {self.tool} -c"]
        return ["xargs", "-0", self.tool]

    @property
    def stdin(self) -> str:
        """The names of the files."""
        return "\0".join(self.part.names)

    @property
    def preferred(self) -> list[Location]:
        """The executor where it would rather run, if it cares."""
        return [Location(ResourceId(self.place))] if self.place else []

    def fault(self, output: bytes) -> str | None:
        """What is wrong with the output, compared with hashlib and zlib; None: nothing is."""
        if not self.compresses:
            return None if output == self._digests() else "other digests than hashlib's"
        try:
            same = zlib.decompress(output, _GZIP) == self.part.contents()
        except zlib.error as error:
            return f"zlib cannot read it: {error}"
        return None if same else "other bytes than the files have"

    def _digests(self) -> bytes:
        algorithm = self.tool.removesuffix("sum")
        lines = (
            f"{hashlib.new(algorithm, (self.part.root / name).read_bytes()).hexdigest()}  {name}\n"
            for name in self.part.names
        )
        return "".join(lines).encode()


def works(count: int) -> list[Work]:
    """The first ``count`` commands: part by part, tool by tool.

    Raises:
        NoInput: a tool or the library is not on this machine.

    """
    missing = [name for name in _programs() if shutil.which(name) is None]
    if missing:
        raise NoInput(f"not found on this machine: {', '.join(missing)}")
    pairs = [(tool, part) for part in parts(-(-count // len(TOOLS))) for tool in TOOLS]
    return [
        Work(tool, part, PROFILES[n % len(PROFILES)], _PLACES[n % len(_PLACES)])
        for n, (tool, part) in enumerate(pairs[:count])
    ]


def _programs() -> list[str]:
    return ["sh", "cat", "xargs", *dict.fromkeys(tool.partition(" ")[0] for tool in TOOLS)]
