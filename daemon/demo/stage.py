"""What every act of the demo shares."""

import attrs

from daemon.demo.chronicle import Chronicle
from daemon.demo.desk import Desk
from daemon.demo.voice import Voice
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
