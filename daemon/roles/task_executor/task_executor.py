"""The TaskExecutor: it interprets the effects of one SlotTable and runs commands in its slots."""

from collections.abc import Callable
from typing import Any

import attrs
import trio

from daemon.core.task_executor.slot_table import SlotTable, SlotTableSettings
from daemon.roles.calls import Calls
from daemon.roles.mailbox import Envelope, Mailbox, NearPeer
from daemon.roles.peer_book import NearCaller, PeerBook
from daemon.roles.services import Services
from daemon.roles.task_executor.executor_gateway import ExecutorGateway
from daemon.roles.task_executor.executor_link import ExecutorLink
from daemon.roles.task_executor.executor_tasks import ExecutorTasks, Prepare
from daemon.roles.task_executor.job_connections import JobConnections
from daemon.roles.task_executor.job_finder import Dial, JobFinder
from daemon.roles.task_executor.table_shell import TableShell
from protocol.errors import (
    MethodNotFound,
    PeerGone,
)
from protocol.ids import RESOURCE_MANAGER, JobId, LeaderId, ResourceId, TaskId, job_of
from protocol.messages.calls import EMPTY
from protocol.messages.resource_manager import RegisterTaskExecutor
from protocol.messages.task_executor import (
    CancelTaskOfExecutor,
    DisconnectFromExecutor,
    FreeSlot,
    HeartbeatOfExecutor,
    RequestSlotOfExecutor,
    SlotReport,
    SubmitTask,
)
from protocol.messages.values import Hardware, SlotStatus
from protocol.resources import ResourceProfile


@attrs.frozen
class ExecutorSpecification:
    """One executor of this daemon."""

    resource_id: ResourceId
    host: str
    profiles: list[ResourceProfile]
    hardware: Hardware
    prepare: Prepare


class TaskExecutor:
    """Owns its slots as long as it runs; leaders come and go."""

    def __init__(
        self,
        specification: ExecutorSpecification,
        services: Services,
        book: PeerBook,
        dial: Dial,
        nursery: trio.Nursery,
    ) -> None:
        self._specification = specification
        self._services = services
        self._book = book
        settings = services.settings
        self.mailbox = Mailbox()
        nobody = NearCaller("resource_manager")
        me = specification.resource_id
        self.caller = NearCaller(me, NearPeer(self.mailbox.submit, nobody))
        self._calls = Calls(self.mailbox, settings.rpc_timeout_s)
        self._table = SlotTable(
            me, specification.profiles, SlotTableSettings(settings.slot_timeout_s)
        )
        finder = JobFinder(services, book, self.caller, dial, ExecutorGateway(self.mailbox))
        self._jobs = JobConnections(
            me, specification.host, services, finder, self._calls, self.mailbox, nursery, self
        )
        self._link = ExecutorLink(
            services, book.near(self.caller), self._registration, self.mailbox, self
        )
        self._tasks = ExecutorTasks(
            specification.resource_id,
            services,
            self._jobs,
            specification.prepare,
            nursery,
            self._task_ended,
        )
        self._shell = TableShell(me, self._table, self._jobs, self._link, self._tasks, self._calls)
        self._is_stopping = False
        self._empty = trio.Event()
        self._handlers: dict[type[Any], Callable[[Envelope, Any, float], None]] = {
            RequestSlotOfExecutor: self._request_slot,
            FreeSlot: self._free_slot,
            SubmitTask: self._submit_task,
            CancelTaskOfExecutor: self._cancel_task,
            HeartbeatOfExecutor: self._beat,
            DisconnectFromExecutor: self._dropped,
        }

    async def run(self) -> None:
        """Serve for ever."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.mailbox.serve, self)
                nursery.start_soon(self._link.run)
        finally:
            self.mailbox.close(PeerGone(f"{self._specification.resource_id} is gone"))
            self._calls.abandon()
            self._book.hung_up(self.caller)

    async def drain(self, cause: str) -> None:
        """Free every slot, wait until all tasks have ended, say goodbye (E38, E43)."""
        self._is_stopping = True
        self.mailbox.put(lambda now: self._shell.interpret(self._table.stop(cause, now)))
        await self._empty.wait()
        await self._link.leave(cause)

    def _registration(self, leader_id: LeaderId) -> RegisterTaskExecutor:
        return RegisterTaskExecutor(
            leader_id=leader_id,
            resource_id=self._specification.resource_id,
            host=self._specification.host,
            address=self._services.address,
            hardware=self._specification.hardware,
        )

    # what the mailbox asks

    @property
    def next_deadline(self) -> float:
        """The earliest of the slots', the jobs' and the ResourceManager's."""
        return min(
            self._table.next_deadline,
            self._jobs.beats.next_loss,
            self._link.next_deadline,
            self._calls.next_deadline,
        )

    def handle(self, envelope: Envelope, now: float) -> None:
        """One request, by its type."""
        handler = self._handlers.get(type(envelope.request))
        if handler is None:
            raise MethodNotFound(f"{envelope.request.METHOD} is not served by a TaskExecutor")
        handler(envelope, envelope.request, now)

    def withdraw(self, envelope: Envelope, now: float) -> None:
        """Whatever was handled is done; a slot that nobody wants is freed by its timer (X214)."""

    def expire(self, now: float) -> None:
        """Slots that nobody accepted, leaders that are silent."""
        self._shell.interpret(self._table.expire(now))
        self._jobs.expire(now)
        self._calls.expire(now)
        self._link.expire(now)
        if self._is_stopping and self._table.is_empty:
            self._empty.set()

    # requests

    def _request_slot(self, envelope: Envelope, request: RequestSlotOfExecutor, now: float) -> None:
        effects = self._table.request_slot(
            request.leader_id,
            request.slot_id,
            request.job_id,
            request.allocation_id,
            request.target_address,
            now,
        )
        envelope.reply.succeed(EMPTY)
        self._shell.interpret(effects)

    def _free_slot(self, envelope: Envelope, request: FreeSlot, now: float) -> None:
        envelope.reply.succeed(EMPTY)
        self._shell.interpret(
            self._table.free_slot(
                request.allocation_id,
                request.cause,
                now,
                even_if_accepted=request.even_if_accepted,
            )
        )

    def _submit_task(self, envelope: Envelope, request: SubmitTask, now: float) -> None:
        added, effects = self._table.add_task(
            request.job_id, request.leader_id, request.allocation_id, request.task_id, now
        )
        slot = self._table.slot_of(request.allocation_id)
        if added and slot is not None:
            self._tasks.start(request, slot)
        envelope.reply.succeed(EMPTY)
        self._shell.interpret(effects)

    def _cancel_task(self, envelope: Envelope, request: CancelTaskOfExecutor, _: float) -> None:
        self._tasks.stop(request.task_id, "cancelled", request.grace)
        envelope.reply.succeed(EMPTY)

    def _beat(self, envelope: Envelope, request: HeartbeatOfExecutor, now: float) -> None:
        if request.sender == RESOURCE_MANAGER:
            self._link.beat(now)
        elif (job_id := job_of(request.sender)) is not None and self._jobs.beats.beat(job_id, now):
            self._shell.interpret(self._table.reconcile(job_id, request.allocated or [], now))
        envelope.reply.succeed(SlotReport(self._table.report()))

    def _dropped(self, envelope: Envelope, request: DisconnectFromExecutor, _: float) -> None:
        envelope.reply.succeed(EMPTY)
        if request.sender == RESOURCE_MANAGER:
            self._link.lose()
        elif (job_id := job_of(request.sender)) is not None:
            leader = self._jobs.leader_of(job_id)
            if leader is not None:
                self._jobs.lost(job_id, leader[1], request.cause)

    def _task_ended(self, task_id: TaskId) -> None:
        self.mailbox.put(lambda now: self._shell.interpret(self._table.task_finished(task_id, now)))

    # leaders

    def resource_manager_connected(self, leader_id: LeaderId) -> None:
        """Its slot requests are heard."""
        self._table.connect_resource_manager(leader_id)

    def resource_manager_disconnected(self) -> None:
        """Nobody's are."""
        self._table.disconnect_resource_manager()

    def report(self) -> list[SlotStatus]:
        """Every slot, as of now (E25)."""
        return self._table.report()

    def job_connected(self, job_id: JobId, leader_id: LeaderId, now: float) -> None:
        """Offer the job its slots (E10)."""
        self._shell.interpret(self._table.connect_job_master(job_id, leader_id, now))

    def job_disconnected(self, job_id: JobId, leader_id: LeaderId, cause: str, now: float) -> None:
        """Its slots wait for the next leader (E18)."""
        self._shell.interpret(self._table.disconnect_job_master(job_id, leader_id, cause, now))
