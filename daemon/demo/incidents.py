"""What may happen between the commands: the impossible, second thoughts, and a hard end."""

from contextlib import suppress

import trio

from daemon.demo.crowd import Crowd
from daemon.demo.records import Record
from daemon.demo.stage import Stage
from protocol.errors import NoResourceAvailable, RequestCancelled, SlotdError, UnknownRequest
from protocol.ids import TaskId
from protocol.messages.client import (
    AllocateSlot,
    CancelTask,
    ExplainSlot,
    Explanation,
    RunTask,
)
from protocol.resources import ResourceProfile

_IMPOSSIBLE = ResourceProfile(64, 1 << 16, {"gpu": 1})
_SLEEPER = ["sh", "-c", "setsid sleep 600 & sleep 600 & wait"]


async def the_impossible(stage: Stage) -> None:
    """A request that no slot can ever serve is refused, and told what comes nearest."""
    record = stage.desk.record("64 cores and a GPU")
    request = AllocateSlot(stage.archives, record.request_id, profile=_IMPOSSIBLE)
    try:
        await stage.desk.allocate(record, request)
    except NoResourceAvailable as error:
        stage.voice.say(error.message)
        if not error.data.get("nearest"):
            stage.wrong.append("the refusal does not name the nearest slot")
    else:
        stage.wrong.append("somebody got a slot of 64 cores and a GPU")


async def second_thoughts(stage: Stage) -> None:
    """One more request asks why it waits, and is withdrawn."""
    record = stage.desk.record("one too many")
    request = AllocateSlot(stage.archives, record.request_id)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_expect_cancelled, stage, record, request)
        explained = await _explained(stage, record)
        if explained is not None:
            stage.voice.say(f"one more request asks why it waits: {_in_words(explained)}")
        else:
            stage.wrong.append("a request that waits was not explained")
        await stage.desk.give_back(stage.archives, record)


async def _expect_cancelled(stage: Stage, record: Record, request: AllocateSlot) -> None:
    try:
        await stage.desk.allocate(record, request)
    except RequestCancelled:
        stage.voice.say("that request is withdrawn, and told so")
    except SlotdError as error:
        stage.wrong.append(f"the request that was withdrawn: {error.message}")
    else:
        stage.wrong.append("the request that was withdrawn got a slot")


async def _explained(stage: Stage, record: Record) -> Explanation | None:
    """What the daemon says of the request once it has its place in the queue."""
    while not record.outcomes:
        with suppress(UnknownRequest):  # it is on its way
            explained = await stage.desk.call(ExplainSlot(stage.archives, record.request_id))
            if explained.position is not None:
                return explained
        await stage.chronicle.more()
    return None


def _in_words(explained: Explanation) -> str:
    if explained.deadline_in is None:
        return explained.reason
    return f"{explained.reason}; it would give up in {explained.deadline_in:.0f} s"


class Sleeper:
    """A command that would hold its slot for ten minutes, with a child that left its group."""

    def __init__(self, stage: Stage, crowd: Crowd) -> None:
        self._stage = stage
        self._crowd = crowd
        self._record = stage.desk.record("sleep 600")
        self._task_id: TaskId | None = None

    async def begin(self) -> None:
        """Get a slot and start it."""
        self._crowd.join(self._stage.archives)
        desk, record, job_id = self._stage.desk, self._record, self._stage.archives
        await desk.allocate(record, AllocateSlot(job_id, record.request_id))
        self._task_id = await desk.start(record, RunTask(job_id, record.request_id, _SLEEPER))
        self._crowd.running[record.name] = record
        self._stage.voice.say(f"a command that sleeps for ten minutes runs in {record.slot_id}")

    async def end(self) -> None:
        """Cancel it; its slot goes back."""
        assert self._task_id is not None, "it was begun"
        await self._stage.desk.call(CancelTask(self._task_id, grace=1.0))
        await self._stage.desk.end(self._record, self._task_id)
        del self._crowd.running[self._record.name]
        self._stage.voice.say(f"the sleeper is cancelled: {self._record.ended}, its children too")
        if not self._record.ended.startswith("SIG"):
            self._stage.wrong.append(f"sleep 600 ended with {self._record.ended}")
        await self._stage.desk.give_back(self._stage.archives, self._record)
        await self._crowd.leave(self._stage.archives)
