"""A slot held for as long as a command of ours needs it, and given back on every way out."""

import os
import signal
import sys
import time
from typing import Any, Self

from protocol.connection import ResponseFrame
from protocol.errors import SlotRequestTimeout
from tui.ctl.exits import USAGE, WOULD_WAIT, Failure, Interrupted, LinkLost, Refused
from tui.ctl.link import Link, result_of
from tui.ctl.phrases import waiting
from tui.ctl.signals import Signals

STATUS_AFTER_S = 2.0
STATUS_EVERY_S = 1.0
GIVE_BACK_TIMEOUT_S = 15.0
ID_DIGITS = set("0123456789abcdef")
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def new_id() -> str:
    """32 random hexadecimal digits."""
    return os.urandom(16).hex()


def base_name(program: str) -> str:
    """The last part of a program's path: what a job is called unless it is told."""
    return program.rpartition("/")[2] or program


def profile_of(values: dict[str, Any]) -> dict[str, Any] | None:
    """The profile that the options describe; None (any slot will do) when none was given."""
    extended = dict(values.get("resource", []))
    if "gpu" in values:
        extended["gpu"] = values["gpu"]
    if not (extended or "cpu" in values or "memory" in values):
        return None
    return {
        "cpu_cores": values.get("cpu", 0.0),
        "memory_mb": values.get("memory", 0),
        "extended": extended,
    }


def allocation_of(values: dict[str, Any]) -> dict[str, Any]:
    """The parameters of ``slot.allocate`` that the options describe, without the ids.

    Raises:
        Failure: --immediate and --wait together.

    """
    if "immediate" in values and "wait" in values:
        raise Failure("--immediate and --wait exclude each other", USAGE)
    params: dict[str, Any] = {"profile": profile_of(values), "queued": True}
    timeout = values.get("immediate", values.get("wait"))
    if timeout == 0:
        params["queued"] = False
    elif timeout is not None:
        params["timeout"] = timeout
    if values.get("prefer"):
        params["preferred"] = values["prefer"]
    if values.get("tag"):
        params["tag"] = values["tag"]
    return params


class Lease:
    """A request of ours in a job; leaving the ``with`` block gives back what was granted.

    A job that we opened is closed with it; one that was there before only loses our request.
    """

    def __init__(self, link: Link, signals: Signals, values: dict[str, Any], name: str) -> None:
        self._link = link
        self._signals = signals
        self._values = values
        self._name = name
        self._opened = False
        self.request_id = new_id()
        self.job_id = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if not self.job_id or (kind is not None and issubclass(kind, LinkLost)):
            return
        try:
            if self._opened:
                self._link.call("job.close", {"job_id": self.job_id}, GIVE_BACK_TIMEOUT_S)
            else:
                self._link.call("slot.release", self.ids, GIVE_BACK_TIMEOUT_S)
        except Failure:
            """The connection's end gives back what could not be given back now."""

    @property
    def ids(self) -> dict[str, Any]:
        """The parameters that name our request."""
        return {"job_id": self.job_id, "request_id": self.request_id}

    def acquire(self) -> dict[str, Any]:
        """Wait for a slot.

        Raises:
            Refused: none can be had, or not in time.
            Interrupted: a signal came first; the request was withdrawn.

        """
        params = allocation_of(self._values)
        self._enter_job()
        key = self._link.send("slot.allocate", {**self.ids, **params})
        with StatusLine(self._link, self.ids) as status:
            try:
                grant: dict[str, Any] = self._answer(key, status)
            except Refused as refused:
                if refused.code == SlotRequestTimeout.code and "immediate" in self._values:
                    refused.exit_code = WOULD_WAIT
                raise
        return grant

    def _answer(self, key: int | str, status: "StatusLine") -> Any:
        withdrawn: int | None = None
        while True:
            frame = self._link.receive(status.next_in())
            number = self._signals.take()
            if number is not None and withdrawn is not None:
                raise Interrupted(number)
            if number is not None:
                withdrawn = number
                self._link.cancel(key)
            if not isinstance(frame, ResponseFrame):
                status.tick()
            elif frame.id != key:
                status.take(frame)
            elif withdrawn is not None:
                raise Interrupted(withdrawn)
            else:
                return result_of(frame)

    def _enter_job(self) -> None:
        wanted = self._values.get("job")
        existing = self._find_job(wanted) if wanted else None
        job_id = existing or (wanted if wanted and is_id(wanted) else new_id())
        self.job_id, self._opened = job_id, existing is None
        self._link.call("job.open", {"name": wanted or self._name, "job_id": job_id})

    def _find_job(self, wanted: str) -> str | None:
        jobs = self._link.call("cluster.snapshot", {})["jobs"]
        found: list[str] = [job["job_id"] for job in jobs if wanted in (job["job_id"], job["name"])]
        if len(found) > 1:
            advice = "give one of their ids: " + ", ".join(found[:5])
            raise Failure(f"{len(found)} jobs have the name {wanted!r}", USAGE, advice=advice)
        return found[0] if found else None


class StatusLine:
    """Why we still wait, on a terminal: after 2 s, once a second, wiped when it is over."""

    def __init__(self, link: Link, ids: dict[str, Any]) -> None:
        self._link = link
        self._ids = ids
        self._began = time.monotonic()
        self._next = self._began + STATUS_AFTER_S
        self._asked: int | str | None = None
        self._drawn = False
        self._wanted = sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._drawn:
            self._draw("")

    def next_in(self) -> float | None:
        """Seconds until ``tick`` has something to do; None: never."""
        return max(0.0, self._next - time.monotonic()) if self._wanted else None

    def tick(self) -> None:
        """Ask again if it is time; never twice without an answer."""
        if self._wanted and time.monotonic() >= self._next:
            self._next = time.monotonic() + STATUS_EVERY_S
            if self._asked is None:
                self._asked = self._link.send("slot.explain", self._ids)

    def take(self, frame: ResponseFrame) -> None:
        """Show an explanation; other answers are not ours."""
        if frame.id != self._asked:
            return
        self._asked = None
        if frame.error is None:
            from protocol.clean import clean_deep

            width = os.get_terminal_size(sys.stderr.fileno()).columns or 80
            waited = time.monotonic() - self._began
            self._draw(waiting(clean_deep(frame.result), waited, width))

    def _draw(self, text: str) -> None:
        self._drawn = bool(text)
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def is_id(text: str) -> bool:
    """Whether ``text`` has the form of an id: 32 hexadecimal digits."""
    return len(text) == 32 and ID_DIGITS.issuperset(text)
