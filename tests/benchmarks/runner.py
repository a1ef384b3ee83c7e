"""Keeps commands running in the slots of one job, over one connection."""

import time
from typing import Any

from tests.benchmarks.conversation import Conversation, fresh_id, result_of
from tests.benchmarks.others import TRUE


class Runner:
    """``keeps_slots``: the next command takes the slot as it is; else each has one of its own."""

    def __init__(self, line: Conversation, job_id: str, *, keeps_slots: bool) -> None:
        self.job_id = job_id
        self._line = line
        self._keeps_slots = keeps_slots
        self._kept: list[str] = []
        self._asked: dict[int, tuple[str, str]] = {}
        """What was asked for which request."""
        self._request_of: dict[str, str] = {}
        """By the task that runs in its slot."""
        self._command = TRUE

    def start(self, slots: int, command: list[str]) -> None:
        """Ask for slots, to run ``command`` in each."""
        self._command = command
        for _ in range(slots):
            if self._kept:
                self._run(self._kept.pop())
            else:
                self._allocate()

    def run(self, slots: int, count: int, limit_s: float = 40.0) -> list[float]:
        """Run ``count`` commands, ``slots`` at a time; when each had ended.

        After ``limit_s`` no more are started.
        """
        ends: list[float] = []
        started = min(slots, count)
        self.start(started, TRUE)
        until = time.perf_counter() + limit_s
        while len(ends) < started:
            end = self.until("task.finished")
            assert end["exit_code"] == 0, end
            ends.append(time.perf_counter())
            request_id = self._request_of.pop(end["task_id"])
            if not self._keeps_slots:
                self._line.send("slot.release", job_id=self.job_id, request_id=request_id)
            else:
                self._kept.append(request_id)
            if started < count and ends[-1] < until:
                started += 1
                self.start(1, TRUE)
        return ends

    def until(self, method: str) -> dict[str, Any]:
        """The params of the next notification of this name; answers are acted on meanwhile."""
        while (message := self._line.read()).get("method") != method:
            asked, request_id = self._asked.pop(message.get("id", 0), ("", ""))
            if asked == "slot.allocate":
                result_of(message)
                self._run(request_id)
            elif asked == "task.run":
                self._request_of[result_of(message)["task_id"]] = request_id
        params: dict[str, Any] = message["params"]
        return params

    def _allocate(self) -> None:
        self._ask("slot.allocate", fresh_id())

    def _run(self, request_id: str) -> None:
        self._ask("task.run", request_id, command=self._command)

    def _ask(self, method: str, request_id: str, **params: Any) -> None:
        key = self._line.send(method, job_id=self.job_id, request_id=request_id, **params)
        self._asked[key] = (method, request_id)
