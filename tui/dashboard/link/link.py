"""What the app asks of the link; nothing of how it is done."""

from typing import Protocol

from protocol.ids import AllocationId, JobId


class Link(Protocol):
    """What the app asks of the link; Dialler is one."""

    async def run(self) -> None:
        """Deliver news until cancelled."""

    def explain(self, job_id: JobId, allocation_id: AllocationId) -> bool:
        """Ask why a request waits; False when nothing can be asked now."""
        ...

    def resync(self, why: str) -> None:
        """Ask for everything again."""

    def retry_now(self) -> None:
        """Do not wait any longer."""
