"""Which role a message is for: by its method's name and by the job or task that it names."""

from collections.abc import Callable
from typing import Any, Protocol

import attrs

from daemon.roles.job_master.dispatcher import Dispatcher
from daemon.roles.job_master.job import Job
from daemon.roles.mailbox import Mailbox
from daemon.roles.resource_manager.resource_manager_seat import ResourceManagerSeat
from daemon.wire.peers import Caller, Reply, Withdraw
from protocol.errors import LeaderIdMismatch, MethodNotFound, NotLeader, SlotdError, UnknownTask
from protocol.ids import JobId
from protocol.messages.calls import Notification, Request
from protocol.messages.client import CancelTask
from protocol.messages.job_master import TaskFinishedAtExecutor, TaskOutputOfExecutor


class Desk(Protocol):
    """Answers what concerns the daemon as a whole."""

    def submit(self, request: Request[Any], reply: Reply, caller: Caller) -> Withdraw:
        """Start a request without blocking."""
        ...

    def hung_up(self, caller: Caller) -> None:
        """A connection is gone."""
        ...


@attrs.define(eq=False)
class Switchboard:
    """The Gateway of every session, and the way from role to role within the process."""

    seat: ResourceManagerSeat = attrs.field(factory=ResourceManagerSeat)
    dispatcher: Dispatcher | None = None
    desk: Desk | None = None

    def submit(self, request: Request[Any], reply: Reply, caller: Caller) -> Withdraw:
        """Pass the request on, or refuse it at once."""
        try:
            return self._target(request)(request, reply, caller)
        except SlotdError as refusal:
            reply.fail(refusal)
            return _nothing_to_withdraw

    def _target(self, request: Request[Any]) -> Callable[[Request[Any], Reply, Caller], Withdraw]:
        match request.METHOD.partition(".")[0]:
            case "resource_manager" | "executor":
                return self._resource_manager().submit
            case "job_master" | "slot":
                return self._job_master(request).submit
            case "task":
                return self._job_master_of_task(request).submit
            case "job":
                return self._jobs().mailbox.submit
            case "task_executor":
                raise MethodNotFound(
                    f"{request.METHOD} is served over the connection that the executor opened"
                )
            case _:
                if self.desk is None:
                    raise NotLeader("the daemon is starting")
                return self.desk.submit

    def _resource_manager(self) -> Mailbox:
        if self.seat.mailbox is None:
            raise NotLeader("no ResourceManager leads here now")
        return self.seat.mailbox

    def _jobs(self) -> Dispatcher:
        if self.dispatcher is None:
            raise NotLeader("this daemon has no JobMasters")
        return self.dispatcher

    def _job_master(self, request: Any) -> Mailbox:
        return _mailbox_of(self._jobs().job(request.job_id))

    def _job_master_of_task(self, request: Request[Any]) -> Mailbox:
        if not isinstance(request, CancelTask):
            return self._job_master(request)
        job = self._jobs().job_of_task(request.task_id)
        if job is None:
            raise UnknownTask(f"no task {request.task_id} runs here")
        return _mailbox_of(job)

    def notice(self, notification: Notification, caller: Caller) -> None:
        """What executors at the end of a wire tell; a stale or unknown sender changes nothing."""
        try:
            match notification:
                case TaskOutputOfExecutor():
                    self._relaying(notification).relay.try_output(notification)
                case TaskFinishedAtExecutor():
                    self._relaying(notification).relay.finished(notification)
                case _:
                    return
        except SlotdError:
            return

    async def deliver(self, notification: Notification) -> None:
        """What executors of this process tell: they wait for slow readers, and hear of refusals."""
        match notification:
            case TaskOutputOfExecutor():
                await self._relaying(notification).relay.output(notification)
            case TaskFinishedAtExecutor():
                self._relaying(notification).relay.finished(notification)
            case _:
                raise MethodNotFound(f"{notification.METHOD} is not for a role")

    def _relaying(self, notification: TaskOutputOfExecutor | TaskFinishedAtExecutor) -> Job:
        job = self._jobs().job(JobId(notification.job_id))
        if job.fence is None:
            raise NotLeader(f"nobody leads job {job.job_id} now")
        if job.fence.leader_id != notification.leader_id:
            raise LeaderIdMismatch(f"{notification.leader_id} does not lead job {job.job_id}")
        return job

    def hung_up(self, caller: Caller) -> None:
        """Tell every role that may know the caller."""
        self.seat.hung_up(caller)
        if self.dispatcher is not None:
            dispatcher = self.dispatcher
            dispatcher.mailbox.put(lambda now: dispatcher.hung_up(caller, now))
        if self.desk is not None:
            self.desk.hung_up(caller)


def _mailbox_of(job: Job) -> Mailbox:
    if job.mailbox is None:
        raise NotLeader(f"nobody leads job {job.job_id} now: try again")
    return job.mailbox


def _nothing_to_withdraw() -> None:
    """It was refused."""
