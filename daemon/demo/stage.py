"""What every act of the demo shares."""

import attrs

from daemon.demo.chronicle import Chronicle
from daemon.demo.desk import Desk
from daemon.demo.voice import Voice
from daemon.demo.work import Work
from protocol.ids import JobId


@attrs.frozen
class Stage:
    """The client, the events, the voice and the two jobs; ``wrong`` gathers what should not be."""

    desk: Desk
    chronicle: Chronicle
    voice: Voice
    checksums: JobId
    archives: JobId
    wrong: list[str] = attrs.field(factory=list[str])

    def job_of(self, work: Work) -> JobId:
        """The job that a command belongs to."""
        return self.archives if work.compresses else self.checksums
