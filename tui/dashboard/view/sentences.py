"""Each kind of news as one short sentence."""

from collections.abc import Callable
from typing import Any

from protocol.ids import RESOURCE_MANAGER, Component
from protocol.news import (
    ExecutorDraining,
    ExecutorLost,
    ExecutorRegistered,
    ExecutorReleased,
    JobClosedNews,
    JobOpenedNews,
    LeaderGranted,
    LeaderRevoked,
    News,
    OtherNews,
    RequestAssigned,
    RequestCancelledNews,
    RequestFailed,
    RequestFulfilled,
    RequestRegistered,
    RequestRequeued,
    ResourceRequested,
    SlotAllocated,
    SlotFreed,
    SlotRegistered,
    SlotRemoved,
    TaskFinishedNews,
    TaskStarted,
)
from tui.dashboard.view import words

_BAD: tuple[type[News], ...] = (ExecutorLost, RequestFailed)


def is_bad(news: News) -> bool:
    """Whether a person should look at it. A JobMaster's term also ends with its job: not bad."""
    match news:
        case TaskFinishedNews(exit_code=code):
            return code != 0
        case LeaderRevoked(component=component):
            return component == RESOURCE_MANAGER
        case _:
            return isinstance(news, _BAD)


def type_of(news: News) -> str:
    """The type on the wire, also of news that this side does not know."""
    return news.type if isinstance(news, OtherNews) else news.TYPE


def sentence(news: News, job: str) -> str:
    """``news`` in words, ``job`` being its job's name; empty when there are no words for it."""
    say = _SENTENCES.get(type(news))
    return "" if say is None else say(news, job)


def _name(component: Component, job: str) -> str:
    return "ResourceManager" if component == RESOURCE_MANAGER else f"JobMaster of {job}"


def _granted(news: LeaderGranted, job: str) -> str:
    name = _name(news.component, job)
    return f"{words.short(news.leader_id)} leads as {name}, epoch {news.epoch}, at {news.address}"


def _revoked(news: LeaderRevoked, job: str) -> str:
    name = _name(news.component, job)
    return (
        f"{words.short(news.leader_id)} no longer leads as {name}, epoch {news.epoch}: {news.cause}"
    )


def _registered(news: RequestRegistered, job: str) -> str:
    wants, within = words.profile(news.profile), words.duration(news.timeout)
    return f"{words.short(news.allocation_id)} of {job} wants {wants} within {within}"


def _of_job(news: Any, job: str, rest: str) -> str:
    return f"{words.short(news.allocation_id)} of {job} {rest}"


def _slot_registered(news: SlotRegistered, job: str) -> str:
    held = "" if news.allocation_id is None else f", held by {words.short(news.allocation_id)}"
    return f"{news.slot_id} {words.profile(news.profile)}{held}"


def _removed(news: SlotRemoved, job: str) -> str:
    held = (
        "" if news.allocation_id is None else f", it was held by {words.short(news.allocation_id)}"
    )
    return f"{news.slot_id}{held}"


def _finished(news: TaskFinishedNews, job: str) -> str:
    ended = f"signal {news.signal}" if news.exit_code is None else f"exit code {news.exit_code}"
    cause = f": {news.cause}" if news.cause else ""
    return f"{words.short(news.task_id)} of {job}, {ended}{cause}"


_SENTENCES: dict[type[News], Callable[[Any, str], str]] = {
    LeaderGranted: _granted,
    LeaderRevoked: _revoked,
    ExecutorRegistered: lambda n, _: f"{n.resource_id} on {n.host} at {n.address}",
    ExecutorLost: lambda n, _: f"{n.resource_id}: {n.cause}",
    ExecutorDraining: lambda n, _: f"{n.resource_id} gets no new allocations",
    ExecutorReleased: lambda n, _: f"{n.resource_id}: {n.cause}",
    JobOpenedNews: lambda n, _: f"{n.name}{' (detached)' if n.detached else ''}",
    JobClosedNews: lambda n, job: f"{job}: {n.cause}",
    RequestRegistered: _registered,
    RequestAssigned: lambda n, job: _of_job(n, job, f"is to get {n.slot_id}"),
    RequestRequeued: lambda n, job: _of_job(n, job, f"waits again, not {n.slot_id}: {n.cause}"),
    RequestFulfilled: lambda n, job: _of_job(n, job, f"has {n.slot_id}"),
    RequestFailed: lambda n, job: _of_job(n, job, f"failed: {n.cause}"),
    RequestCancelledNews: lambda n, job: _of_job(n, job, "was withdrawn"),
    SlotRegistered: _slot_registered,
    SlotAllocated: lambda n, job: f"{n.slot_id} to {_of_job(n, job, '')}".rstrip(),
    SlotFreed: lambda n, _: f"{n.slot_id}, was {words.short(n.allocation_id)}",
    SlotRemoved: _removed,
    OtherNews: lambda n, _: " ".join(f"{name}={value}" for name, value in n.fields.items()),
    ResourceRequested: lambda n, _: f"an executor with slots of {words.profile(n.profile)}",
    TaskStarted: lambda n, job: _of_job(n, job, f"in {n.slot_id}: {' '.join(n.command)}"),
    TaskFinishedNews: _finished,
}
