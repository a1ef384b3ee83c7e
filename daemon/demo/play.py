"""The demo from the first connection to the last: who comes on when."""

import attrs
import trio

from daemon.demo.chronicle import Chronicle
from daemon.demo.crowd import Crowd
from daemon.demo.desk import Desk
from daemon.demo.drills import drills
from daemon.demo.incidents import Sleeper, second_thoughts, the_impossible
from daemon.demo.process import EXECUTORS, Slotd
from daemon.demo.records import Record
from daemon.demo.stage import Stage
from daemon.demo.voice import Voice
from daemon.demo.work import Work
from protocol.client import Client, open_client
from protocol.ids import JobId
from protocol.messages.client import OpenJob
from protocol.news import JobClosedNews, News, SlotRegistered, TaskStarted

_LONGEST_S = 120.0


@attrs.frozen
class Seen:
    """Everything that was seen, for those who check it."""

    records: list[Record]
    news: list[News]
    gaps: list[str]
    wrong: list[str]
    survivors: list[str]


async def play(daemon: Slotd, voice: Voice, works: list[Work], slots: int) -> Seen:
    """Run the whole demo against ``daemon`` with ``slots`` slots an executor.

    Raises:
        trio.TooSlowError: it hangs.

    """
    with trio.fail_after(_LONGEST_S):
        async with (
            open_client(daemon.address, daemon.token, client="slotd-demo/1") as client,
            open_client(daemon.address, daemon.token, client="slotd-demo-events/1") as second,
            trio.open_nursery() as listeners,
        ):
            desk, chronicle = Desk(client), Chronicle(second)
            listeners.start_soon(desk.listen)
            await listeners.start(chronicle.follow)
            await _arrive(chronicle, voice, EXECUTORS * slots)
            checksums, archives = await _open(client, "checksums"), await _open(client, "archives")
            voice.say("two jobs are open: checksums and archives")
            stage = Stage(desk, chronicle, voice, checksums, archives)
            survivors = await _perform(stage, works, EXECUTORS * slots)
            listeners.cancel_scope.cancel()
    return Seen(desk.records, chronicle.news, chronicle.gaps, stage.wrong + desk.lost, survivors)


async def _arrive(chronicle: Chronicle, voice: Voice, slots: int) -> None:
    for number in range(slots):
        await _count(chronicle, SlotRegistered, number + 1)
    voice.say(f"{EXECUTORS} executors registered {slots} slots at the ResourceManager")


async def _open(client: Client, name: str) -> JobId:
    return (await client.call(OpenJob(name))).job_id


async def _count(chronicle: Chronicle, kind: type[News], number: int) -> None:
    """Wait until there was so much news of a kind."""
    while sum(isinstance(news, kind) for news in chronicle.news) < number:
        await chronicle.more()


async def _perform(stage: Stage, works: list[Work], slots: int) -> list[str]:
    crowd = Crowd(stage, works)
    sleeper = Sleeper(stage, crowd)
    await sleeper.begin()
    survivors: list[str] = []

    async def rehearsed() -> None:
        survivors.extend(await drills(stage, crowd, len(works)))
        await sleeper.end()

    async def between() -> None:
        await _count(stage.chronicle, TaskStarted, slots)
        held, waiting = stage.desk.counts()
        stage.voice.say(f"slots in use: {held} of {slots}; requests that wait: {waiting}")
        await second_thoughts(stage)
        await the_impossible(stage)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(crowd.run)
        nursery.start_soon(rehearsed)
        nursery.start_soon(between)
    await _closed(stage)
    return survivors


async def _closed(stage: Stage) -> None:
    """The jobs are closed by the crowd; what they told about it is the end of the events."""
    await _count(stage.chronicle, JobClosedNews, 2)
