"""Which thing an id or the beginning of one means; nothing is done to a thing that is not clear."""

from typing import Any, NamedTuple

from protocol.errors import UnknownJob, UnknownRequest
from tui.ctl.exits import USAGE, Failure, Refused
from tui.ctl.lease import is_id
from tui.ctl.link import Link

SHORTEST_PREFIX = 4


class Thing(NamedTuple):
    """``kind``: request (its allocation id, or its own id), task, or job."""

    kind: str
    identifier: str
    job_id: str


def candidates(snapshot: dict[str, Any], word: str) -> list[Thing]:
    """Every thing of a snapshot that ``word`` can mean, each once: ids by their beginning.

    A slot's name means the allocation that has the slot.
    """
    found: dict[Thing, None] = {}

    def offer(
        kind: str, identifier: str | None, job_id: str, *, exactly: str | None = None
    ) -> None:
        if identifier and (exactly == word or _begins(identifier, word)):
            found[Thing(kind, identifier, job_id)] = None

    for request in snapshot["requests"]:
        offer("request", request["allocation_id"], request["job_id"])
    for slot in snapshot["slots"]:
        offer("request", slot["allocation_id"], slot["job_id"], exactly=slot["slot_id"])
    for task in snapshot["tasks"]:
        offer("task", task["task_id"], task["job_id"])
        if _begins(task["request_id"], word):
            offer("request", task["allocation_id"], task["job_id"], exactly=word)
    for job in snapshot["jobs"]:
        offer("job", job["job_id"], job["job_id"])
    return list(found)


def resolve(link: Link, word: str, kinds: tuple[str, ...]) -> Thing:
    """The one thing of one of ``kinds`` that ``word`` means.

    A whole id that the snapshot does not show is asked of every job: what a job waits for without
    having asked the ResourceManager is known to it alone.

    Raises:
        Failure: it means nothing, or several things (exit code 64).

    """
    snapshot = link.call("cluster.snapshot", {})
    found = [thing for thing in candidates(snapshot, word) if thing.kind in kinds]
    if len(found) == 1:
        return found[0]
    if found:
        listed = "\n".join(f"  {thing.kind} {thing.identifier}" for thing in found[:10])
        raise Failure(f"{word!r} is not clear; it could be", USAGE, advice=listed)
    if "request" in kinds and is_id(word):
        for job in snapshot["jobs"]:
            if _knows(link, job["job_id"], word):
                return Thing("request", word, job["job_id"])
    raise Failure(
        f"nothing here has an id that begins with {word!r} ({' or '.join(kinds)})",
        USAGE,
        advice=f"see: slotctl ls {kinds[0]}s",
    )


def explain(link: Link, thing: Thing) -> dict[str, Any]:
    """Why a request is where it is; the daemon takes its allocation id for its own."""
    params = {"job_id": thing.job_id, "request_id": thing.identifier}
    explanation: dict[str, Any] = link.call("slot.explain", params)
    return explanation


def _knows(link: Link, job_id: str, request_id: str) -> bool:
    try:
        explain(link, Thing("request", request_id, job_id))
    except Refused as refused:
        if refused.code in (UnknownRequest.code, UnknownJob.code):
            return False
        raise
    return True


def _begins(identifier: str | None, word: str) -> bool:
    return bool(identifier) and len(word) >= SHORTEST_PREFIX and str(identifier).startswith(word)
