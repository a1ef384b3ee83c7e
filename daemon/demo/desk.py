"""The demo as a client: asks for slots, runs commands in them, keeps a record of each."""

import base64
import signal
import time
from collections import defaultdict
from collections.abc import Callable
from typing import TypeVar
from uuid import uuid4

import attrs
import trio

from daemon.demo.records import Outcome, Record
from protocol.client import Client
from protocol.errors import NoResourceAvailable, NotLeader, RequestCancelled, SlotdError
from protocol.ids import JobId, RequestId, TaskId
from protocol.messages.calls import Request
from protocol.messages.client import (
    AllocateSlot,
    ReleaseSlot,
    RunTask,
    SlotLost,
    TaskFinished,
    TaskOutput,
)
from protocol.messages.values import GrantedSlot

R = TypeVar("R")

_BETWEEN_LEADERS_S = 0.05
"""How long to wait before a job without a leader is asked again."""


@attrs.define
class _Task:
    """What was heard about a command."""

    output: bytearray = attrs.field(factory=bytearray)
    errors: bytearray = attrs.field(factory=bytearray)
    finished: TaskFinished | None = None
    finished_at: float = 0.0
    is_over: trio.Event = attrs.field(factory=trio.Event)


class Desk:
    """One connection, over which all requests go and all output comes."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._tasks: dict[TaskId, _Task] = defaultdict(_Task)
        self.records: list[Record] = []
        self.lost: list[str] = []
        """Slots that were taken away while they were held, and what commands complained about."""

    async def listen(self) -> None:
        """Sort what the daemon tells, until cancelled or until the connection ends."""
        async for told in self._client:
            match told:
                case TaskOutput():
                    self._take(told)
                case TaskFinished():
                    task = self._tasks[told.task_id]
                    task.finished, task.finished_at = told, time.monotonic()
                    task.is_over.set()
                case SlotLost():
                    self.lost.append(f"{told.allocation_id}: {told.cause}")
                case _:
                    pass

    def _take(self, told: TaskOutput) -> None:
        task = self._tasks[told.task_id]
        target = task.output if told.stream == "stdout" else task.errors
        data = (told.data or "").encode() or base64.b64decode(told.data_base64 or "")
        if told.offset != len(target):
            self.lost.append(f"{told.task_id}: output from byte {len(target)} to {told.offset}")
        target += data

    def record(self, name: str) -> Record:
        """A new request, asked now."""
        record = Record(name, RequestId(uuid4().hex), time.monotonic())
        self.records.append(record)
        return record

    def counts(self) -> tuple[int, int]:
        """How many slots are held now, and how many requests wait."""
        held = sum(
            record.granted is not None and record.gave_back is None for record in self.records
        )
        return held, sum(not record.outcomes for record in self.records)

    async def call(self, request: Request[R]) -> R:
        """Ask until there is a leader to answer. Raises SlotdError as `Client.call`."""
        return await self._led(request, lambda: None)

    async def allocate(self, record: Record, request: AllocateSlot) -> GrantedSlot:
        """A slot, and its outcome in the record.

        Raises:
            SlotdError: no slot; the record says which outcome that is.

        """

        def again() -> None:
            record.asked_again += 1

        try:
            slot = await self._led(request, again)
        except SlotdError as error:
            record.outcomes.append(_OUTCOMES.get(type(error), Outcome.FAILED))
            record.ended = record.outcomes[-1].value
            raise
        record.outcomes.append(Outcome.SERVED)
        record.granted = time.monotonic()
        record.slot_id, record.locality = slot.slot_id, slot.locality.value
        return slot

    async def start(self, record: Record, request: RunTask) -> TaskId:
        """Start a command in the slot of the record."""
        record.started = time.monotonic()
        return (await self.call(request)).task_id

    async def end(self, record: Record, task_id: TaskId) -> bytes:
        """Wait for the end of a command; its output."""
        task = self._tasks[task_id]
        await task.is_over.wait()
        record.finished = task.finished_at
        record.ended = _ending(task.finished)
        self.lost += [f"{record.name}: {line}" for line in task.errors.decode().splitlines()[:3]]
        return bytes(self._tasks.pop(task_id).output)

    async def give_back(self, job_id: JobId, record: Record) -> None:
        """Release the slot, or withdraw the request."""
        record.gave_back = time.monotonic()
        await self.call(ReleaseSlot(job_id, record.request_id))

    async def _led(self, request: Request[R], again: Callable[[], None]) -> R:
        while True:
            try:
                return await self._client.call(request)
            except NotLeader:
                again()
                await trio.sleep(_BETWEEN_LEADERS_S)


_OUTCOMES: dict[type[SlotdError], Outcome] = {
    NoResourceAvailable: Outcome.REFUSED,
    RequestCancelled: Outcome.CANCELLED,
}


def _ending(finished: TaskFinished | None) -> str:
    if finished is None:
        return "?"
    if finished.signal is not None:
        return signal.Signals(finished.signal).name
    return str(finished.exit_code)
