"""The process: the nursery tree, the way up, and the way down. Nesting order is shutdown order."""

import gc
import signal
import sys
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial

import structlog
import trio

from daemon.executors import specifications
from daemon.high_availability.embedded import EmbeddedElection
from daemon.logs import hide
from daemon.notify import notify
from daemon.roles.host import Host
from daemon.roles.newsroom import Newsroom
from daemon.roles.services import Services, random_id
from daemon.settings import Settings
from daemon.state_dir import held
from daemon.version import version
from daemon.wire.access import Access, token_of, write_access
from daemon.wire.door import Door
from daemon.wire.limits import WireLimits
from daemon.wire.listener import Listener, address_of, open_listeners
from daemon.wire.peers import Gateway, Peer
from daemon.wire.wire_peer import dial
from protocol.errors import RequestCancelled
from protocol.ids import LeaderId
from protocol.messages.session import PROTOCOL_VERSION, Welcome

log = structlog.get_logger()

_OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""Python looks for garbage after so many more containers; its own default is 700."""

_GOODBYE_S = 2.0
"""What connections get to read the last lines; and what is added to the grace of commands."""


def run(settings: Settings) -> int:
    """Serve until a signal; the exit code.

    Raises:
        StateDirectoryError, AccessError, OSError: it cannot start.
        Exception: a role crashed too often.
    """
    _collect_seldom()
    with held(settings.state_dir):
        return trio.run(serve, settings)


def _collect_seldom() -> None:
    """Little of what a request leaves behind has cycles; looking for some is not free."""
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, 20, 50)


async def serve(settings: Settings, ready: Callable[[Access], None] | None = None) -> int:
    """One daemon, from its first to its last line; 0 after TERM or INT."""
    listeners = await open_listeners(settings.listen_host, settings.listen_port)
    access = Access(address_of(listeners[0]), token_of(settings.state_dir))
    hide(access.token)
    services = Services(
        settings,
        EmbeddedElection(lambda: LeaderId(random_id())),
        Newsroom(time.time),
        access.token,
        access.address,
    )
    executors = specifications(settings, services.election)
    host = Host(services, executors, partial(_dial, access.token))
    listener = Listener(
        Door(access.token, _welcome(settings)),
        host.switchboard,
        WireLimits(max_line_bytes=settings.max_line_bytes),
        services.wire,
    )
    async with trio.open_nursery() as roles:
        await roles.start(host.run)
        async with trio.open_nursery() as sessions:
            async with trio.open_nursery() as front:
                front.start_soon(listener.serve, listeners, sessions)
                write_access(settings.state_dir, access)
                _announce(access, ready)
                await _until_signal()
                front.cancel_scope.cancel()
            async with trio.open_nursery() as goodbye:
                goodbye.start_soon(_end_now, sessions, roles)
                with trio.move_on_after(settings.task_cancellation_grace_s + _GOODBYE_S):
                    await host.drain("slotd is shutting down")
                listener.say_goodbye(RequestCancelled("slotd is shutting down"))
                goodbye.cancel_scope.cancel()
            sessions.cancel_scope.deadline = trio.current_time() + _GOODBYE_S
        roles.cancel_scope.cancel()
    return 0


def _announce(access: Access, ready: Callable[[Access], None] | None) -> None:
    print(f"listening on {access.address}", file=sys.stderr, flush=True)  # noqa: T201  the contract
    log.info("listening", address=access.address)
    notify("READY=1")
    if ready is not None:
        ready(access)


async def _until_signal() -> None:
    """The first TERM or INT drains."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            log.info("draining", signal=signal.Signals(number).name)
            notify("STOPPING=1")
            return


async def _end_now(sessions: trio.Nursery, roles: trio.Nursery) -> None:
    """The second ends now: commands are killed."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            log.warning("ending_now", signal=signal.Signals(number).name)
            sessions.cancel_scope.cancel()
            roles.cancel_scope.cancel()


def _welcome(settings: Settings) -> Welcome:
    return Welcome(
        protocol=PROTOCOL_VERSION,
        server=f"slotd/{version()}",
        daemon_id=random_id(),
        cluster=settings.cluster,
        roles=list(settings.roles),
        max_line_bytes=settings.max_line_bytes,
        heartbeat_interval=settings.heartbeat_interval_s,
    )


def _dial(token: str, address: str, gateway: Gateway) -> AbstractAsyncContextManager[Peer]:
    return dial(address, token, gateway)
