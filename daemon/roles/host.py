"""Every role of one process, in the nursery tree of ARCHITECTURE.md, without sockets or signals."""

from functools import partial

import attrs
import trio

from daemon.roles.cluster_desk import ClusterDesk
from daemon.roles.job_master.dispatcher import Dispatcher
from daemon.roles.peer_book import PeerBook
from daemon.roles.resource_manager.resource_manager_seat import ResourceManagerSeat
from daemon.roles.services import Services
from daemon.roles.supervision import supervise
from daemon.roles.switchboard import Switchboard
from daemon.roles.task_executor.job_finder import Dial
from daemon.roles.task_executor.task_executor import ExecutorSpecification, TaskExecutor
from protocol.ids import ResourceId


class Host:
    """``services.address`` must be known before ``run``."""

    def __init__(
        self, services: Services, executors: list[ExecutorSpecification], dial: Dial
    ) -> None:
        self._services = services
        self._specifications = executors
        self._dial = dial
        self.executors: dict[ResourceId, TaskExecutor] = {}
        self._seat = ResourceManagerSeat()
        self.switchboard = Switchboard(self._seat)
        self._book = PeerBook(
            services, self.switchboard.submit, self.switchboard.deliver, self.switchboard.hung_up
        )

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Host the roles that the settings name, until cancelled.

        Raises:
            Exception: a role crashed too often; the daemon cannot go on.
        """
        roles = self._services.settings.roles
        async with trio.open_nursery() as nursery:
            self.switchboard.desk = ClusterDesk(self._services, nursery, self._gauges)
            if "job-master" in roles:
                dispatcher = Dispatcher(self._services, self._book, nursery)
                self.switchboard.dispatcher = dispatcher
                nursery.start_soon(dispatcher.mailbox.serve, dispatcher)
            if "resource-manager" in roles:
                lead = partial(self._seat.run, self._services, self._book)
                nursery.start_soon(supervise, "resource manager", lead)
            if "task-executor" in roles:
                for specification in self._specifications:
                    execute = partial(self._execute, specification)
                    nursery.start_soon(supervise, specification.resource_id, execute)
            task_status.started()
            await trio.sleep_forever()

    async def _execute(self, specification: ExecutorSpecification) -> None:
        async with trio.open_nursery() as nursery:
            executor = TaskExecutor(specification, self._services, self._book, self._dial, nursery)
            self.executors[specification.resource_id] = executor
            await executor.run()

    async def drain(self, cause: str) -> None:
        """End all jobs and tasks; afterwards nothing runs here (TERM, grace, KILL)."""
        if self.switchboard.dispatcher is not None:
            self.switchboard.dispatcher.end_all(cause)
        async with trio.open_nursery() as nursery:
            for executor in self.executors.values():
                nursery.start_soon(executor.drain, cause)

    def _gauges(self) -> dict[str, float]:
        state = self._services.newsroom.state
        return {
            "executors": float(len(state.executors)),
            "slots": float(len(state.slots)),
            "slots_free": float(sum(executor.free for executor in state.executors.values())),
            "requests": float(len(state.requests)),
            "jobs": float(len(state.jobs)),
            "tasks": float(len(state.tasks)),
            **{f"wire_{name}": float(n) for name, n in attrs.asdict(self._services.wire).items()},
        }
