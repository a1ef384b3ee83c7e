"""How the demo speaks: lines with the time in front, as wide as the terminal, colour if wanted."""

import os
import shutil
import sys
import textwrap
import time

import click

_INDENT = 10
_NARROWEST = 60
_WIDEST = 100


class Voice:
    """Writes to standard output; plain without a terminal or with NO_COLOR."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._is_plain = bool(os.environ.get("NO_COLOR")) or not sys.stdout.isatty()
        self._width = min(max(shutil.get_terminal_size().columns, _NARROWEST), _WIDEST)

    @property
    def elapsed_s(self) -> float:
        """Since the demo began."""
        return time.monotonic() - self._start

    def say(self, text: str) -> None:
        """What happens now."""
        stamp = self._styled(f"{self.elapsed_s:6.1f} s", dim=True)
        rows = textwrap.wrap(text, self._width - _INDENT, break_on_hyphens=False)
        for number, row in enumerate(rows):
            click.echo(f"{stamp}  {row}" if number == 0 else " " * _INDENT + row)

    def show(self, line: str, *, is_head: bool = False) -> None:
        """A line as it is."""
        click.echo(self._styled(line, bold=True) if is_head else line)

    def judge(self, claim: str, faults: list[str]) -> None:
        """Whether a claim holds, and what speaks against it."""
        mark = self._styled("FAILED", fg="red") if faults else self._styled("ok", fg="green")
        click.echo(f"{claim}: {mark}")
        for fault in faults[:5]:
            click.echo(f"    {fault}")
        if len(faults) > 5:
            click.echo(f"    and {len(faults) - 5} more")

    def _styled(
        self, text: str, *, fg: str | None = None, bold: bool = False, dim: bool = False
    ) -> str:
        if self._is_plain:
            return text
        return click.style(text, fg=fg, bold=bold or None, dim=dim or None)
