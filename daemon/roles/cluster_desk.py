"""Answers about the daemon as a whole: snapshots, events, metrics, drills."""

from collections.abc import Callable
from typing import Any

import trio

from daemon.roles.newsroom import check_types, read_until_gone
from daemon.roles.services import Services
from daemon.wire.peers import Caller, Reply, Withdraw
from protocol.errors import MethodNotFound, NotLeader, SlotdError
from protocol.messages.calls import EMPTY, Request
from protocol.messages.client import (
    GetMetrics,
    RevokeLeader,
    Subscribed,
    SubscribeEvents,
    UnsubscribeEvents,
)
from protocol.snapshot import TakeSnapshot


class ClusterDesk:
    """Every answer is ready at once; a subscription is a task that ends with its connection."""

    def __init__(
        self,
        services: Services,
        nursery: trio.Nursery,
        gauges: Callable[[], dict[str, float]],
    ) -> None:
        self._services = services
        self._nursery = nursery
        self._gauges = gauges
        self._readers: dict[Caller, trio.CancelScope] = {}

    def submit(self, request: Request[Any], reply: Reply, caller: Caller) -> Withdraw:
        """Answer."""
        try:
            reply.succeed(self._answer(request, caller))
        except SlotdError as refusal:
            reply.fail(refusal)
        return _done

    def _answer(self, request: Request[Any], caller: Caller) -> Any:
        match request:
            case TakeSnapshot():
                return self._services.newsroom.snapshot()
            case SubscribeEvents():
                return self._subscribe(request, caller)
            case UnsubscribeEvents():
                self.hung_up(caller)
                return EMPTY
            case GetMetrics():
                return self._metrics()
            case RevokeLeader():
                return self._revoke(request)
            case _:
                raise MethodNotFound(f"{request.METHOD} is not a method of this daemon")

    def _subscribe(self, request: SubscribeEvents, caller: Caller) -> Subscribed:
        types = check_types(request.types)
        newsroom = self._services.newsroom
        first = newsroom.seq + 1 if request.from_seq is None else request.from_seq
        after = max(0, min(first - 1, newsroom.seq))
        self.hung_up(caller)
        scope = self._readers[caller] = trio.CancelScope()

        async def read() -> None:
            with scope:
                await read_until_gone(newsroom, caller, types, after)

        self._nursery.start_soon(read)
        return Subscribed(after)

    def _metrics(self) -> dict[str, float]:
        newsroom = self._services.newsroom
        counts = {f"events_{name}": float(n) for name, n in sorted(newsroom.counters.items())}
        return {"seq": float(newsroom.seq), **self._gauges(), **counts}

    def _revoke(self, request: RevokeLeader) -> Any:
        if not self._services.election.revoke(request.component, "revoked by an operator"):
            raise NotLeader(f"nobody leads {request.component} now")
        return EMPTY

    def hung_up(self, caller: Caller) -> None:
        """End the caller's subscription."""
        scope = self._readers.pop(caller, None)
        if scope is not None:
            scope.cancel()


def _done() -> None:
    """It was answered at once."""
