"""What one executor serves over a connection that it dialled: its own methods, nothing else."""

from typing import Any

import attrs

from daemon.roles.mailbox import Mailbox
from daemon.wire.peers import Caller, Reply, Withdraw
from protocol.errors import MethodNotFound
from protocol.messages.calls import Notification, Request


@attrs.frozen(eq=False)
class ExecutorGateway:
    """The Gateway of the executor's outgoing connections to JobMasters."""

    mailbox: Mailbox

    def submit(self, request: Request[Any], reply: Reply, caller: Caller) -> Withdraw:
        """Start a request of the JobMaster at the other end."""
        if not request.METHOD.startswith("task_executor."):
            reply.fail(MethodNotFound(f"{request.METHOD} is not served by a TaskExecutor"))
            return _nothing
        return self.mailbox.submit(request, reply, caller)

    def notice(self, notification: Notification, caller: Caller) -> None:
        """A TaskExecutor is called, not notified."""

    def hung_up(self, caller: Caller) -> None:
        """Whoever holds the connection sees that it is gone."""


def _nothing() -> None:
    """It was refused."""
