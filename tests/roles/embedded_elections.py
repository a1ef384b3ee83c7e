"""An embedded election with countable leader ids, and a candidate that leads."""

import itertools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from daemon.high_availability.elections import Candidacy, LeaderElection
from daemon.high_availability.embedded import EmbeddedElection
from protocol.ids import RESOURCE_MANAGER, Fence, LeaderId

HERE = "127.0.0.1:6123"


def new_election() -> EmbeddedElection:
    """Leader ids are 1, 2, 3 and so on."""
    serial = itertools.count(1)
    return EmbeddedElection(lambda: LeaderId(str(next(serial))))


@asynccontextmanager
async def leading(
    election: LeaderElection, address: str = HERE
) -> AsyncGenerator[tuple[Candidacy, Fence], None]:
    """A candidate that is granted and confirmed."""
    async with election.campaign(RESOURCE_MANAGER, address) as candidacy:
        fence = await candidacy.granted()
        assert candidacy.confirm(fence)
        yield candidacy, fence
