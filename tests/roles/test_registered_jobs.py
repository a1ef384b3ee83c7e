"""The ResourceManager's registered JobMasters, while their elections go on."""

import math

import trio
import trio.testing

from daemon.core.heartbeats import HeartbeatMonitor
from daemon.roles.mailbox import Envelope, Mailbox, NearPeer
from daemon.roles.peer_book import NearCaller
from daemon.roles.resource_manager.registered_jobs import RegisteredJob, RegisteredJobs
from protocol.ids import Fence, JobId, job_master
from tests.roles.embedded_elections import HERE, new_election

JOB = JobId("job-1")


class Idle:
    """A role that only does what was left to do."""

    next_deadline = math.inf

    def handle(self, envelope: Envelope, now: float) -> None:
        raise NotImplementedError

    def withdraw(self, envelope: Envelope, now: float) -> None:
        raise NotImplementedError

    def expire(self, now: float) -> None:
        pass


async def test_old_news_in_the_mailbox_do_not_drop_the_leader_that_registered_since() -> None:
    """G10, G20, I05: the registration overtakes what the listener left in the mailbox."""
    election, mailbox, lost = new_election(), Mailbox(), list[JobId]()
    caller = NearCaller("a JobMaster")
    peer = NearPeer(mailbox.submit, caller)

    def registration(fence: Fence) -> RegisteredJob:
        return RegisteredJob(JOB, fence.leader_id, caller, peer)

    async with trio.open_nursery() as nursery, election.campaign(job_master(JOB), HERE) as me:
        jobs = RegisteredJobs(
            HeartbeatMonitor(10.0, 50.0),
            election,
            mailbox,
            nursery,
            lambda job_id, _: lost.append(job_id),
        )
        first = await me.granted()
        me.confirm(first)
        jobs.add(registration(first), 0.0)
        await trio.testing.wait_all_tasks_blocked()
        election.revoke(job_master(JOB), "a drill")
        await trio.testing.wait_all_tasks_blocked()
        second = await me.granted()
        me.confirm(second)
        jobs.add(registration(second), 0.0)
        assert lost == [JOB], "the first, when the second registered"
        nursery.start_soon(mailbox.serve, Idle())
        await trio.testing.wait_all_tasks_blocked()
        assert lost == [JOB]
        registered = jobs.get(JOB)
        assert registered is not None
        assert registered.job_master_id == second.leader_id
        nursery.cancel_scope.cancel()
