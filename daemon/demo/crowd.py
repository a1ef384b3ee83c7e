"""The commands that outnumber the slots: each waits, runs, is checked and gives its slot back."""

from collections import Counter

import trio

from daemon.demo.records import Record
from daemon.demo.stage import Stage
from daemon.demo.work import Work
from protocol.errors import SlotdError
from protocol.ids import JobId
from protocol.messages.client import AllocateSlot, CloseJob, RunTask


class Crowd:
    """All commands and how far they are."""

    def __init__(self, stage: Stage, works: list[Work]) -> None:
        self._stage = stage
        self._works = works
        self._left = Counter(map(stage.job_of, works))
        self._changed = trio.Event()
        self.done = 0
        self.running: dict[str, Record] = {}
        """Commands in slots, by name."""

    async def run(self) -> None:
        """Ask for every slot at once, in order; each job closes with its last command."""
        async with trio.open_nursery() as nursery:
            for work in self._works:
                await nursery.start(self._one, work)

    async def until_done(self, number: int) -> None:
        """Wait until so many commands have ended."""
        while self.done < number:
            await self._changed.wait()

    def join(self, job_id: JobId) -> None:
        """One more belongs to the job, which stays open for it."""
        self._left[job_id] += 1

    async def leave(self, job_id: JobId) -> None:
        """One of the job is done; the last one closes it, so that its slots go to the other job."""
        self._left[job_id] -= 1
        if not self._left[job_id]:
            await self._stage.desk.call(CloseJob(job_id))

    async def _one(self, work: Work, task_status: trio.TaskStatus[None]) -> None:
        job_id = self._stage.job_of(work)
        record = self._stage.desk.record(work.name)
        task_status.started()
        try:
            await self._serve(job_id, work, record)
        except SlotdError as error:
            self._stage.wrong.append(f"{work.name}: {error.message}")
        self.done += 1
        self._changed.set()
        self._changed = trio.Event()
        if self.done % max(len(self._works) // 6, 1) == 0:
            self._stage.voice.say(f"{self.done} of {len(self._works)} commands are done")
        await self.leave(job_id)

    async def _serve(self, job_id: JobId, work: Work, record: Record) -> None:
        desk, request_id = self._stage.desk, record.request_id
        request = AllocateSlot(
            job_id, request_id, profile=work.profile, preferred=work.preferred, task=work.tool
        )
        await desk.allocate(record, request)
        command = RunTask(
            job_id, request_id, work.command, cwd=str(work.part.root), stdin=work.stdin
        )
        task_id = await desk.start(record, command)
        self.running[work.name] = record
        output = await desk.end(record, task_id)
        del self.running[work.name]
        fault = work.fault(output) if record.ended == "0" else f"ended with {record.ended}"
        if fault:
            self._stage.wrong.append(f"{work.name}: {fault}")
        await desk.give_back(job_id, record)
