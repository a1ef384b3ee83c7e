"""The executors that are registered at one JobMaster: how to reach them, and whether they live."""

import attrs

from daemon.core.heartbeats import HeartbeatMonitor
from daemon.roles.resource_manager.registered_executors import name_taken
from daemon.wire.peers import Caller, Peer
from protocol.errors import UnknownTaskExecutor
from protocol.ids import ResourceId


@attrs.frozen(eq=False)
class JobExecutor:
    """An executor with slots of this job."""

    resource_id: ResourceId
    host: str
    caller: Caller
    peer: Peer


class JobExecutors:
    """By name; the newest registration of a name counts (H03)."""

    def __init__(self, interval_s: float, timeout_s: float) -> None:
        self.beats: HeartbeatMonitor[ResourceId] = HeartbeatMonitor(interval_s, timeout_s)
        self._executors: dict[ResourceId, JobExecutor] = {}

    def add(self, executor: JobExecutor, now: float) -> None:
        """Register; unmonitor first, or the old deadline would stay (K07).

        Raises:
            InvalidParams: a living executor of another connection has this name.
        """
        known = self._executors.get(executor.resource_id)
        if known is not None and known.caller is not executor.caller:
            raise name_taken(executor.resource_id)
        self.beats.unmonitor(executor.resource_id)
        self.beats.monitor(executor.resource_id, now)
        self._executors[executor.resource_id] = executor

    def discard(self, resource_id: ResourceId) -> None:
        """Forget; it may be unknown."""
        self.beats.unmonitor(resource_id)
        self._executors.pop(resource_id, None)

    def get(self, resource_id: ResourceId) -> JobExecutor | None:
        """The executor of this name."""
        return self._executors.get(resource_id)

    def require(self, resource_id: ResourceId, caller: Caller) -> None:
        """Nobody speaks for an executor but over the connection that it registered over.

        Raises:
            UnknownTaskExecutor: none of this name is registered over this connection (C46).
        """
        known = self._executors.get(resource_id)
        if known is None or known.caller is not caller:
            raise UnknownTaskExecutor(
                f"no executor {resource_id} is registered at this job over this connection",
                resource_id=resource_id,
            )

    def of(self, caller: Caller) -> list[ResourceId]:
        """The executors that registered over this connection."""
        return [e.resource_id for e in self._executors.values() if e.caller is caller]
