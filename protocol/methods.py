"""Which message stands behind which method name, and who serves it."""

from types import ModuleType
from typing import Any, Final

from protocol import news, snapshot
from protocol.errors import MethodNotFound
from protocol.forms import meant
from protocol.messages import client, job_master, resource_manager, session, task_executor
from protocol.messages.calls import Notification, Request

_MODULES: Final[tuple[ModuleType, ...]] = (
    session,
    client,
    snapshot,
    news,
    resource_manager,
    job_master,
    task_executor,
)


def _declared(kind: type[Any]) -> dict[str, Any]:
    messages = [value for module in _MODULES for value in vars(module).values()]
    return {
        vars(message)["METHOD"]: message
        for message in messages
        if isinstance(message, type) and issubclass(message, kind) and "METHOD" in vars(message)
    }


REQUESTS: Final[dict[str, type[Request[Any]]]] = _declared(Request)
"""Every request by its name on the wire."""

NOTIFICATIONS: Final[dict[str, type[Notification]]] = _declared(Notification)
"""Every notification by its name on the wire."""

_TO_CLIENTS = frozenset({"slot.lost", "task.output", "task.finished", "event", "events.lost"})
_SERVERS = {
    "resource_manager": "the ResourceManager",
    "task_executor": "a TaskExecutor",
    "job_master": "a JobMaster",
}


def who_serves(method: str) -> str:
    """Who takes messages of this (known) method."""
    if method in _TO_CLIENTS:
        return "a client"
    return _SERVERS.get(method.partition(".")[0], "a daemon")


def not_served(method: str, here: str) -> MethodNotFound:
    """The refusal of a request for ``method`` that this side, ``here``, does not serve."""
    data = {"method": method[:128]}
    if method in NOTIFICATIONS:
        return MethodNotFound(
            f"{method} is a notification to {who_serves(method)}: send it without an id", **data
        )
    if method in REQUESTS:
        return MethodNotFound(
            f"{method} is served by {who_serves(method)}, not by {here}",
            **data,
            served_by=who_serves(method),
        )
    return MethodNotFound(f"there is no method {method[:128]!r}{meant(method, REQUESTS)}", **data)
