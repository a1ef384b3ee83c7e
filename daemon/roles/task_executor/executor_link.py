"""A TaskExecutor's link to the leading ResourceManager: register, report, and again when lost."""

import math
from collections.abc import Callable
from typing import Protocol

import structlog
import trio

from daemon.high_availability.elections import LeaderInformation
from daemon.roles.links import follow_leader, register
from daemon.roles.mailbox import Mailbox
from daemon.roles.services import Services
from daemon.roles.supervision import FatalError
from daemon.wire.peers import Peer
from protocol.errors import SlotdError
from protocol.ids import RESOURCE_MANAGER, InstanceId, LeaderId
from protocol.messages.resource_manager import (
    DisconnectTaskExecutor,
    RegisterTaskExecutor,
    ReportSlots,
)
from protocol.messages.values import SlotStatus

log = structlog.get_logger()


class ExecutorLinkOwner(Protocol):
    """Whose slots are reported."""

    def resource_manager_connected(self, leader_id: LeaderId) -> None:
        """Its slot requests are heard from now on."""
        ...

    def resource_manager_disconnected(self) -> None:
        """Nobody's slot requests are heard."""
        ...

    def report(self) -> list[SlotStatus]:
        """Every slot, as of now."""
        ...


class ExecutorLink:
    """E01, E02, E26, E29, E30, E31: two steps, the registration and the first report."""

    def __init__(
        self,
        services: Services,
        peer: Peer,
        make_request: Callable[[LeaderId], RegisterTaskExecutor],
        mailbox: Mailbox,
        owner: ExecutorLinkOwner,
    ) -> None:
        self._services = services
        self.peer = peer
        self._make_request = make_request
        self._mailbox = mailbox
        self._owner = owner
        self._lost = trio.Event()
        self._silence = math.inf
        self._budget = trio.current_time() + services.settings.registration_timeout_s
        self.registration: tuple[LeaderId, InstanceId] | None = None

    async def run(self) -> None:
        """Stay registered at whoever leads, for ever."""
        await follow_leader(self._services.election, RESOURCE_MANAGER, self._stay)

    async def _stay(self, leader: LeaderInformation) -> None:
        leader_id = leader.fence.leader_id
        request = self._make_request(leader_id)
        settings = self._services.settings
        while True:
            registered = await register(self.peer, request, settings.registration)
            self._connected(leader_id, registered.instance_id)
            try:
                if await self._report():
                    await self._lost.wait()
            finally:
                self._disconnected()
            await trio.sleep(settings.registration.initial_timeout_s)

    async def _report(self) -> bool:
        """The first report; when it fails, all starts over with a new instance (E31)."""
        if self.registration is None:
            return False
        leader_id, instance_id = self.registration
        report = ReportSlots(
            leader_id=leader_id, instance_id=instance_id, slot_report=self._owner.report()
        )
        try:
            with trio.fail_after(self._services.settings.rpc_timeout_s):
                return (await self.peer.call(report)).known
        except (SlotdError, trio.TooSlowError) as problem:
            log.warning("first_report_failed", problem=str(problem))
            return False

    def _connected(self, leader_id: LeaderId, instance_id: InstanceId) -> None:
        # Before the first report: the ResourceManager may ask for slots as soon as it has it (E32).
        self._lost = trio.Event()
        self.registration = (leader_id, instance_id)
        self._budget = math.inf
        self.beat(trio.current_time())
        self._owner.resource_manager_connected(leader_id)

    def _disconnected(self) -> None:
        self.registration = None
        self._silence = math.inf
        self._budget = trio.current_time() + self._services.settings.registration_timeout_s
        self._owner.resource_manager_disconnected()
        self._mailbox.put(_look_at_the_deadlines)

    @property
    def next_deadline(self) -> float:
        """When silence becomes a loss, or patience with registering ends."""
        return min(self._silence, self._budget)

    def beat(self, now: float) -> None:
        """The ResourceManager lives."""
        self._silence = now + self._services.settings.heartbeat_timeout_s

    def lose(self) -> None:
        """Register again (E26, E30)."""
        self._lost.set()

    def expire(self, now: float) -> None:
        """Lose who is silent.

        Raises:
            FatalError: nowhere registered for ``registration_timeout`` (E29).
        """
        if now >= self._silence:
            self._silence = math.inf
            self.lose()
        if now >= self._budget:
            timeout = self._services.settings.registration_timeout_s
            raise FatalError(f"no ResourceManager registered this executor within {timeout:g} s")

    async def leave(self, cause: str) -> None:
        """Say goodbye; best effort (G23)."""
        if self.registration is None:
            return
        leader_id, instance_id = self.registration
        goodbye = DisconnectTaskExecutor(leader_id=leader_id, instance_id=instance_id, cause=cause)
        with trio.move_on_after(self._services.settings.rpc_timeout_s):
            try:
                await self.peer.call(goodbye)
            except SlotdError as problem:
                log.debug("goodbye_failed", problem=str(problem))


def _look_at_the_deadlines(_: float) -> None:
    """Wakes the role, whose next deadline has changed."""
