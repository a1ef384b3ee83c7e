"""What slotctl asks about a request while it waits: nothing, why, or whether it waits at all."""

import os
import sys
import time
from typing import Any, Self

from protocol.connection import RequestKey, ResponseFrame
from tui.ctl.link import Link
from tui.ctl.phrases import waiting

STATUS_AFTER_S = 2.0
STATUS_EVERY_S = 1.0
IMMEDIATE_EVERY_S = 0.05
IMMEDIATE_LIMIT_S = 2.0
"""How long a request that need not wait may be on its way to its slot."""


class Watch:
    """Asks ``slot.explain`` after a while and then regularly; never twice without an answer.

    This one shows nothing and never asks.
    """

    def __init__(self, link: Link, ids: dict[str, Any]) -> None:
        self._link = link
        self._ids = ids
        self._asked: RequestKey | None = None
        self.began = time.monotonic()
        self._next: float | None = None
        self._every_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left behind."""

    def next_in(self) -> float | None:
        """Seconds until ``tick`` has something to do; None: not before an answer came."""
        if self._next is None or self._asked is not None:
            return None
        return max(0.0, self._next - time.monotonic())

    def tick(self) -> None:
        """Ask again if it is time."""
        if self.next_in() == 0:
            self._next = time.monotonic() + self._every_s
            self._asked = self._link.send("slot.explain", self._ids)

    def take(self, frame: ResponseFrame) -> bool:
        """Whether an answer, if it is to us, says that waiting has no sense."""
        if frame.id != self._asked:
            return False
        self._asked = None
        return frame.error is None and self.judge(frame.result)

    def judge(self, explanation: dict[str, Any]) -> bool:
        """Whether to give up."""
        return False


class StatusLine(Watch):
    """Why we still wait, on a terminal: after 2 s, once a second, wiped when it is over.

    Not while we are in the background: somebody types there.
    """

    def __init__(self, link: Link, ids: dict[str, Any]) -> None:
        super().__init__(link, ids)
        self._next = self.began + STATUS_AFTER_S
        self._every_s = STATUS_EVERY_S
        self._drawn = False

    def __exit__(self, *_: object) -> None:
        if self._drawn:
            self._draw("")

    def judge(self, explanation: dict[str, Any]) -> bool:
        """Show it, and go on."""
        from protocol.clean import clean_deep

        if not _is_in_foreground(sys.stderr.fileno()):
            return False
        width = os.get_terminal_size(sys.stderr.fileno()).columns or 80
        waited = time.monotonic() - self.began
        self._draw(waiting(clean_deep(explanation), waited, width))
        return False

    def _draw(self, text: str) -> None:
        self._drawn = bool(text)
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def _is_in_foreground(terminal: int) -> bool:
    """Whether what is drawn there disturbs nobody else's line."""
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return True  # it is not the terminal that started us


class Impatience(Watch):
    """Gives up as soon as the scheduler has looked at the request and found no slot for it."""

    def __init__(self, link: Link, ids: dict[str, Any]) -> None:
        super().__init__(link, ids)
        self._next = self.began
        self._every_s = IMMEDIATE_EVERY_S

    def judge(self, explanation: dict[str, Any]) -> bool:
        """Whether it waits for sure, or was on its way for too long."""
        return must_wait(explanation) or time.monotonic() - self.began > IMMEDIATE_LIMIT_S


def must_wait(explanation: dict[str, Any]) -> bool:
    """Whether the ResourceManager has queued the request because no slot that fits is free.

    It has a place in the queue then. On its way there it has none, and a free slot that fits may
    be matched with it in the next pass.
    """
    kinds: list[dict[str, Any]] = explanation.get("kinds") or []
    return explanation.get("position") is not None and not any(
        kind["fits"] and kind["free"] for kind in kinds
    )
