"""The executors that are registered at one ResourceManager: by instance, by name, by connection."""

import attrs

from daemon.core.heartbeats import HeartbeatMonitor
from daemon.wire.peers import Caller, Peer
from protocol.errors import InvalidParams
from protocol.ids import InstanceId, ResourceId


@attrs.define(eq=False)
class RegisteredExecutor:
    """One registration of one executor.

    ``has_reported``: it knows of the registration; before, an answer to a beat is no report (E31).
    """

    instance_id: InstanceId
    resource_id: ResourceId
    caller: Caller
    peer: Peer
    has_reported: bool = False


def name_taken(resource_id: ResourceId) -> InvalidParams:
    """The refusal of a name that a living executor of another connection has."""
    return InvalidParams(
        f"params.resource_id: {resource_id!r} belongs to another living executor",
        path="params.resource_id",
        expected="a name that no other registered executor has",
    )


class RegisteredExecutors:
    """A second registration of a name replaces the first, with a new instance id (G11)."""

    def __init__(self, interval_s: float, timeout_s: float) -> None:
        self.beats: HeartbeatMonitor[InstanceId] = HeartbeatMonitor(interval_s, timeout_s)
        self._by_instance: dict[InstanceId, RegisteredExecutor] = {}
        self._by_name: dict[ResourceId, RegisteredExecutor] = {}

    def check_name(self, resource_id: ResourceId, caller: Caller) -> None:
        """An executor may register again, also over a new connection; not with another's name.

        Raises:
            InvalidParams: a living executor of another connection has this name, or this connection
                is that of another executor (a beat could not say which of them it is for).
        """
        known = self._by_name.get(resource_id)
        if known is not None and known.caller is not caller:
            raise name_taken(resource_id)
        for instance_id in self.of(caller):
            mine = self._by_instance[instance_id].resource_id
            if mine != resource_id:
                raise InvalidParams(
                    f"params.resource_id: {mine!r} registered over this connection",
                    path="params.resource_id",
                    expected=f"{mine!r}, or a connection of its own",
                )

    def add(self, executor: RegisteredExecutor, now: float) -> None:
        """Register."""
        known = self._by_name.get(executor.resource_id)
        if known is not None:
            self.discard(known.instance_id)
        self._by_instance[executor.instance_id] = executor
        self._by_name[executor.resource_id] = executor
        self.beats.monitor(executor.instance_id, now)

    def discard(self, instance_id: InstanceId) -> RegisteredExecutor | None:
        """Forget a registration; None if it was not there."""
        executor = self._by_instance.pop(instance_id, None)
        if executor is not None:
            del self._by_name[executor.resource_id]
            self.beats.unmonitor(instance_id)
        return executor

    def get(self, instance_id: InstanceId) -> RegisteredExecutor | None:
        """The executor of this registration."""
        return self._by_instance.get(instance_id)

    def of(self, caller: Caller) -> list[InstanceId]:
        """The registrations that came over this connection."""
        return [e.instance_id for e in self._by_instance.values() if e.caller is caller]
