"""Where the ResourceManager of this daemon is while it leads."""

from functools import partial

import attrs
import trio

from daemon.roles.calls import Calls
from daemon.roles.leadership import Term, lead
from daemon.roles.mailbox import Mailbox
from daemon.roles.peer_book import PeerBook
from daemon.roles.resource_manager.resource_manager import ResourceManager
from daemon.roles.services import Services
from daemon.wire.peers import Caller
from protocol.ids import RESOURCE_MANAGER


@attrs.define(eq=False)
class ResourceManagerSeat:
    """Empty between two terms: who calls then is told NotLeader."""

    mailbox: Mailbox | None = None
    manager: ResourceManager | None = None

    def hung_up(self, caller: Caller) -> None:
        """A connection is gone: tell who leads."""
        if self.mailbox is not None and self.manager is not None:
            self.mailbox.put(partial(self.manager.hung_up, caller))

    async def run(self, services: Services, book: PeerBook) -> None:
        """Campaign, and lead term after term, until cancelled."""

        async def run_term(term: Term) -> None:
            await self._run_term(term, services, book)

        await lead(
            services.election, services.newsroom, RESOURCE_MANAGER, services.address, run_term
        )

    async def _run_term(self, term: Term, services: Services, book: PeerBook) -> None:
        mailbox = Mailbox(term.fence)
        calls = Calls(mailbox, services.settings.rpc_timeout_s)
        try:
            async with trio.open_nursery() as nursery:
                manager = ResourceManager(term, services, book, calls, mailbox, nursery)
                self.mailbox = mailbox
                self.manager = manager
                term.confirm()
                await mailbox.serve(manager)
        finally:
            self.mailbox = None
            self.manager = None
            mailbox.close(term.over())
            calls.abandon()
