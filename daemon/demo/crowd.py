"""The commands that outnumber the slots: each waits, runs, is checked and gives its slot back."""

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
        self._compressors_begun = 0
        self._changed = trio.Event()
        self.done = 0
        self.running: dict[str, Record] = {}
        """Commands in slots, by name."""

    async def run(self) -> None:
        """Ask for all slots at once; each job closes with its last command."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._job, self._stage.checksums, False)
            nursery.start_soon(self._job, self._stage.archives, True)

    async def until_compressing(self, done: int) -> bool:
        """Wait until so many have ended and then a compressor begins; False: none did."""
        while self.done < done:
            await self._changed.wait()
        begun = self._compressors_begun
        while self._compressors_begun == begun:
            if self.done == len(self._works):
                return False
            await self._changed.wait()
        return True

    async def _job(self, job_id: JobId, compresses: bool) -> None:
        async with trio.open_nursery() as nursery:
            for work in self._works:
                if work.compresses is compresses:
                    nursery.start_soon(self._one, job_id, work)
        await self._stage.desk.call(CloseJob(job_id))

    async def _one(self, job_id: JobId, work: Work) -> None:
        record = self._stage.desk.record(work.name)
        try:
            await self._serve(job_id, work, record)
        except SlotdError as error:
            self._stage.wrong.append(f"{work.name}: {error.message}")
        self.done += 1
        self._change()
        if self.done % max(len(self._works) // 6, 1) == 0:
            self._stage.voice.say(f"{self.done} of {len(self._works)} commands are done")

    async def _serve(self, job_id: JobId, work: Work, record: Record) -> None:
        desk = self._stage.desk
        await desk.allocate(
            record,
            AllocateSlot(job_id, record.request_id, profile=work.profile, preferred=work.preferred),
        )
        task_id = await desk.start(
            record,
            RunTask(
                job_id, record.request_id, work.command, cwd=str(work.part.root), stdin=work.stdin
            ),
        )
        self.running[work.name] = record
        self._compressors_begun += work.compresses
        self._change()
        output = await desk.end(record, task_id)
        del self.running[work.name]
        fault = work.fault(output) if record.ended == "0" else f"ended with {record.ended}"
        if fault:
            self._stage.wrong.append(f"{work.name}: {fault}")
        await desk.give_back(job_id, record)

    def _change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
