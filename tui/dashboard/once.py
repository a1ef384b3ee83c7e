"""``slottop --once``: one picture as plain lines, for scripts, screen readers and bug reports."""

import asyncio
import sys
import time
from collections.abc import Sequence

from tui.dashboard.link.access import AccessPlace
from tui.dashboard.link.dialler import Dialler
from tui.dashboard.link.news import LinkNews, LinkState
from tui.dashboard.store.store import Store
from tui.dashboard.view.glyphs import Glyphs
from tui.dashboard.view.text import facts

UNREACHABLE, NOT_ALLOWED, FAILED = 69, 77, 125
PICTURE_TIMEOUT_S = 15.0
REASONS_TIMEOUT_S = 3.0
MOST_REASONS = 50


class _Glance:
    """Takes news until there is a picture, or it is clear that there will be none."""

    def __init__(self) -> None:
        self.store = Store()
        self.changed = asyncio.Event()

    def deliver(self, news: Sequence[LinkNews]) -> None:
        """Take news in."""
        for piece in news:
            self.store.apply(piece)
        self.changed.set()

    async def until_known(self) -> None:
        """Wait for a picture or a failure."""
        while not (self.store.known or self._hopeless()):
            await self._change()

    async def until_explained(self, wanted: int) -> None:
        """Wait for so many explanations."""
        while len(self.store.explanations) < wanted and self.store.status.is_current:
            await self._change()

    def _hopeless(self) -> bool:
        status = self.store.status
        refused = status.state in (LinkState.DENIED, LinkState.VERSION)
        return refused or status.retry_at is not None

    async def _change(self) -> None:
        self.changed.clear()
        await self.changed.wait()


async def print_once(place: AccessPlace, glyphs: Glyphs) -> int:
    """Print the facts; the exit code says why there were none (69 no daemon, 77 not allowed)."""
    glance = _Glance()
    dialler = Dialler(place, glance.deliver)
    following = asyncio.create_task(dialler.run())
    try:
        await asyncio.wait_for(glance.until_known(), PICTURE_TIMEOUT_S)
        await _explain(glance, dialler)
    except TimeoutError:
        pass
    finally:
        following.cancel()
    store = glance.store
    if store.known:
        print("\n".join(facts(store, time.monotonic(), glyphs)))  # noqa: T201 - what was asked for
        return 0
    print(f"slottop: {_why_not(store)}", file=sys.stderr)  # noqa: T201 - the same
    return _exit_code(store.status.state)


async def _explain(glance: _Glance, dialler: Dialler) -> None:
    """Have the daemon explain what waits, as far as it answers soon."""
    requests = list(glance.store.cluster.requests.values())[:MOST_REASONS]
    asked = sum(dialler.explain(request.job_id, request.allocation_id) for request in requests)
    await asyncio.wait_for(glance.until_explained(asked), REASONS_TIMEOUT_S)


def _why_not(store: Store) -> str:
    status = store.status
    return " ".join(filter(None, (status.state.value, status.address, status.detail)))


def _exit_code(state: LinkState) -> int:
    if state is LinkState.DENIED:
        return NOT_ALLOWED
    return FAILED if state is LinkState.VERSION else UNREACHABLE
