"""A job as the daemon knows it between two terms of its JobMaster."""

import attrs

from daemon.core.job_master.slot_pool import Holding
from daemon.roles.job_master.task_relay import TaskRelay
from daemon.roles.mailbox import Mailbox
from daemon.wire.peers import Caller
from protocol.ids import Fence, JobId, RequestId


@attrs.define(eq=False)
class Job:
    """From ``job.open`` to its end. ``owners`` are the connections that keep it open.

    ``holdings`` is what its JobMasters granted: the next term takes it over. ``holders`` are the
    connections that asked for it. ``mailbox`` and ``fence`` belong to the current term, None
    between two.
    """

    job_id: JobId
    name: str
    detached: bool
    relay: TaskRelay
    owners: list[Caller] = attrs.field(factory=list[Caller])
    holdings: dict[RequestId, Holding] = attrs.field(factory=dict[RequestId, Holding])
    holders: dict[RequestId, Caller] = attrs.field(factory=dict[RequestId, Caller])
    fence: Fence | None = None
    mailbox: Mailbox | None = None
