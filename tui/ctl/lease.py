"""A slot held for as long as a command of ours needs it, and given back on every way out."""

import os
import signal
import sys
from typing import Any, Self

from protocol.connection import RequestKey, ResponseFrame
from protocol.errors import SlotRequestTimeout
from tui.ctl.exits import USAGE, WOULD_WAIT, Failure, Interrupted, LinkLost, Refused
from tui.ctl.link import Link, result_of
from tui.ctl.signals import Signals
from tui.ctl.watches import Impatience, StatusLine, Watch

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
    params: dict[str, Any] = {"profile": profile_of(values)}
    timeout = values.get("immediate", values.get("wait"))
    if timeout:
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
        with self._watch() as watch:
            try:
                grant: dict[str, Any] = self._answer(key, watch)
            except Refused as refused:
                if refused.code == SlotRequestTimeout.code and "immediate" in self._values:
                    refused.exit_code = WOULD_WAIT
                raise
        return grant

    def _watch(self) -> Watch:
        if self._values.get("immediate") == 0:
            return Impatience(self._link, self.ids)
        return (StatusLine if sys.stderr.isatty() else Watch)(self._link, self.ids)

    def _answer(self, key: RequestKey, watch: Watch) -> Any:
        withdrawn: int | None = None
        while True:
            frame = self._link.receive(watch.next_in())
            number = self._signals.take()
            if number is not None and withdrawn is not None:
                raise Interrupted(number)
            if number is not None:
                withdrawn = number
                self._link.cancel(key)
            if not isinstance(frame, ResponseFrame):
                watch.tick()
            elif frame.id != key:
                if watch.take(frame):
                    raise Failure("no slot that fits is free now", WOULD_WAIT)
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


def is_id(text: str) -> bool:
    """Whether ``text`` has the form of an id: 32 hexadecimal digits."""
    return len(text) == 32 and ID_DIGITS.issuperset(text)
