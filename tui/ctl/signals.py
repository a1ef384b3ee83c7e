"""Signals become facts that a waiting loop picks up; no handler of ours does any work."""

import contextlib
import os
import signal
from collections import deque
from types import FrameType
from typing import Self


class Signals:
    """While entered, these signals are noted, and ``fd`` becomes readable when one arrives.

    Those ``only_waking`` do no more than that. A signal that was ignored from the start
    (``nohup``) stays ignored.
    """

    def __init__(self, *numbers: int, only_waking: tuple[int, ...] = ()) -> None:
        self._handlers = dict.fromkeys(only_waking, _nothing) | dict.fromkeys(numbers, self._note)
        self._noted: deque[int] = deque(maxlen=16)
        self._before: dict[int, object] = {}
        self.fd, self._write_fd = os.pipe()
        for fd in (self.fd, self._write_fd):
            os.set_blocking(fd, False)

    def __enter__(self) -> Self:
        self._wakeup_before = signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
        for number, handler in self._handlers.items():
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, handler)
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]  # as getsignal answered it
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self.fd)
        os.close(self._write_fd)

    def _note(self, number: int, _: FrameType | None) -> None:
        self._noted.append(number)

    def take(self) -> int | None:
        """The oldest signal that was not yet taken; None when there is none.

        ``fd`` stays readable until None was answered: no waiter sleeps over a second signal.
        """
        if not self._noted:
            with contextlib.suppress(BlockingIOError):
                os.read(self.fd, 512)
        return self._noted.popleft() if self._noted else None


def _nothing(_: int, __: FrameType | None) -> None:
    """The wake-up is all that is wanted."""
