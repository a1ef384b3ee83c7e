"""Leaders are sent away while commands run: the commands must not notice."""

from daemon.demo.crowd import Crowd
from daemon.demo.stage import Stage
from protocol.ids import RESOURCE_MANAGER, Component, job_master
from protocol.messages.client import RevokeLeader
from protocol.news import LeaderGranted, News


async def drills(stage: Stage, crowd: Crowd, commands: int) -> list[str]:
    """After a quarter of the commands the ResourceManager goes, after half a JobMaster."""
    names: list[str] = []
    for component, title, done in (
        (RESOURCE_MANAGER, "the ResourceManager", commands // 4),
        (job_master(stage.archives), "the JobMaster of archives", commands // 2),
    ):
        await crowd.until_done(done)
        names += await _drill(stage, crowd, component, title)
    return names


async def _drill(stage: Stage, crowd: Crowd, component: Component, title: str) -> list[str]:
    at = len(stage.chronicle.news)
    before = dict(crowd.running)
    stage.voice.say(f"{title} must step down; commands running: {len(before)}")
    await stage.desk.call(RevokeLeader(component))

    def is_new(news: News) -> bool:
        return isinstance(news, LeaderGranted) and news.component == component

    news = await stage.chronicle.until(is_new, at)
    epoch = news.epoch if isinstance(news, LeaderGranted) else 0
    through = [name for name in before if name in crowd.running]
    stage.voice.say(f"a new one leads, epoch {epoch}; still running: {len(through)} of them")
    if not through:
        stage.wrong.append(f"no command ran through the change of {title}")
    return through
