"""What goes to stdout and stderr: one JSON value a line with --json, else text for people."""

import json
import sys
from collections.abc import Iterable
from typing import Any


class Output:
    """Answers go to stdout, remarks to stderr. A broken pipe is the caller's to handle."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.json = bool(values.get("json"))

    def value(self, value: Any) -> None:
        """One JSON value on one line; what is not ASCII is escaped, so that nothing can hide."""
        sys.stdout.write(json.dumps(value, separators=(",", ":")) + "\n")
        sys.stdout.flush()

    def lines(self, lines: Iterable[str]) -> None:
        """Text, already cleaned."""
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()

    def answer(self, value: Any, lines: Iterable[str]) -> None:
        """``value`` with --json, else ``lines``."""
        if self.json:
            self.value(value)
        else:
            self.lines(lines)


def remark(text: str) -> None:
    """A line for people beside the answer."""
    sys.stderr.write(f"slotctl: {text}\n")
    sys.stderr.flush()
