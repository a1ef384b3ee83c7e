"""Where a session's bugs end: logged and counted, and an InternalError for whoever met them.

One of the two files that may catch every exception (the other supervises roles).
"""

from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import structlog

from daemon.wire.limits import WireCounters
from protocol.errors import InternalError, SlotdError

_log = structlog.get_logger("slotd.wire")


@attrs.define
class Bugs:
    """Contains those of one session, called ``session`` in the log."""

    counters: WireCounters
    session: str

    def contained(self, what: str, function: Callable[..., Any], *args: Any) -> SlotdError | None:
        """Call ``function``; what it raised, as an error that may be shown to a peer."""
        try:
            function(*args)
        except SlotdError as error:
            return error
        except Exception:
            return self._noted(what)
        return None

    async def contained_task(
        self, what: str, task: Callable[..., Awaitable[None]], *args: Any
    ) -> None:
        """Run ``task``; what it raises ends here, cancellation excepted."""
        try:
            await task(*args)
        except Exception:
            self._noted(what)

    def _noted(self, what: str) -> InternalError:
        self.counters.bugs += 1
        _log.exception("a bug", session=self.session, what=what[:128])
        return InternalError(f"a bug in slotd met {what[:128]}; its log says more")
