"""The beats that a ResourceManager sends: executors answer with their slots, jobs with life."""

import attrs
import structlog

from daemon.core.resource_manager.slot_manager import SlotManager
from daemon.roles.calls import Calls
from daemon.roles.newsroom import Newsroom
from daemon.roles.resource_manager.manager_shell import ManagerShell
from daemon.roles.resource_manager.registered_executors import RegisteredExecutors
from daemon.roles.resource_manager.registered_jobs import RegisteredJobs
from protocol.errors import SlotdError
from protocol.ids import RESOURCE_MANAGER, InstanceId, JobId
from protocol.messages.calls import Empty
from protocol.messages.job_master import HeartbeatOfJobMaster
from protocol.messages.task_executor import HeartbeatOfExecutor, SlotReport

log = structlog.get_logger()


@attrs.frozen(eq=False)
class ManagerBeats:
    """For one term (K11)."""

    manager: SlotManager
    shell: ManagerShell
    executors: RegisteredExecutors
    jobs: RegisteredJobs
    newsroom: Newsroom
    calls: Calls

    def send(self, now: float) -> None:
        """Beat whoever is due."""
        for instance_id in self.executors.beats.due_to_send(now):
            self._beat_executor(instance_id, now)
        for job_id in self.jobs.beats.due_to_send(now):
            self._beat_job(job_id)

    def _beat_executor(self, instance_id: InstanceId, asked_at: float) -> None:
        executor = self.executors.get(instance_id)
        if executor is None:
            return

        def alive(answer: SlotReport, now: float) -> None:
            if executor.has_reported:
                report = answer.slot_report
                try:
                    _, effects = self.manager.report_slots(instance_id, report, now, asked_at)
                except SlotdError as impossible:  # as an answer of the wrong form: no beat
                    log.warning("bad_report", executor=executor.resource_id, why=impossible.message)
                    return
                self.shell.interpret(effects)
            if self.executors.beats.beat(instance_id, now):
                self.newsroom.heard(executor.resource_id)

        beat = HeartbeatOfExecutor(sender=RESOURCE_MANAGER)
        self.calls.start(executor.peer, beat, alive, _wait_for_the_timeout)

    def _beat_job(self, job_id: JobId) -> None:
        job = self.jobs.get(job_id)
        if job is None:
            return

        def alive(_: Empty, now: float) -> None:
            self.jobs.beats.beat(job_id, now)

        beat = HeartbeatOfJobMaster(job_id=job_id, sender=RESOURCE_MANAGER)
        self.calls.start(job.peer, beat, alive, _wait_for_the_timeout)


def _wait_for_the_timeout(_: SlotdError, __: float) -> None:
    """A beat that failed is no beat: the deadline stands."""
