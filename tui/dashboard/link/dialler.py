"""Keeps a session going over asyncio streams: dials, reads, sends, waits and dials again."""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Sequence
from typing import NoReturn

import attrs

from protocol.ids import AllocationId, JobId
from tui.dashboard.link.access import Access, AccessPlace, NoAccess
from tui.dashboard.link.ending import Ended, lost
from tui.dashboard.link.news import LinkChanged, LinkNews, LinkState, LinkStatus
from tui.dashboard.link.session import Session

CHUNK = 1 << 16
BATCH_S = 0.02
"""Small pieces are gathered for so long."""
DIAL_TIMEOUT_S = 5.0
SEND_TIMEOUT_S = 10.0
BACK_OFF_MIN_S = 0.25
BACK_OFF_MAX_S = 10.0
GOOD_AFTER_S = 10.0
"""A picture that was complete and lived so long ends the back-off."""
WATCH_S = 2.0
"""How often the access file is looked at after a refusal."""


def back_off(attempt: int, jitter: float) -> float:
    """Seconds to wait after failure number ``attempt`` (from 1); ``jitter`` in [0, 1)."""
    full = min(BACK_OFF_MAX_S, BACK_OFF_MIN_S * 2.0 ** min(attempt - 1, 10))
    return full * (0.5 + 0.5 * jitter)


class Dialler:
    """Delivers news of a daemon for as long as ``run`` runs."""

    def __init__(
        self,
        place: AccessPlace,
        deliver: Callable[[Sequence[LinkNews]], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._place = place
        self._deliver = deliver
        self._clock = clock
        self._jitter = jitter
        self._status = LinkStatus(LinkState.CONNECTING)
        self._session: Session | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._wake = asyncio.Event()
        self._attempt = 1
        self._had_picture = False

    async def run(self) -> None:
        """Connect, follow, and connect again, until cancelled."""
        while True:
            access: Access | None = None
            try:
                access = self._place.read()
                await self._follow(access)
            except NoAccess as error:
                ended = lost(str(error))
            except Ended as error:
                ended = error
            if ended.state is LinkState.RECONNECTING:
                await self._wait(ended)
            else:
                await self._wait_for_a_change(ended, access)

    def explain(self, job_id: JobId, allocation_id: AllocationId) -> bool:
        """Ask why a request waits; False when nothing can be asked now."""
        if self._session is None or not self._session.explain(job_id, allocation_id):
            return False
        self._send()
        return True

    def resync(self, why: str) -> None:
        """Ask for everything again, if there is somebody to ask."""
        if self._session is not None and self._session.is_synced:
            self._session.resync(why)
            self._report(self._session, [])
            self._send()

    def retry_now(self) -> None:
        """Do not wait any longer."""
        self._wake.set()

    async def _follow(self, access: Access) -> NoReturn:
        """One connection, until Ended is raised."""
        self._announce(self._out_of_touch(), "dialling", address=access.address, retry_at=None)
        try:
            async with asyncio.timeout(DIAL_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(access.host, access.port)
        except TimeoutError:
            raise lost("no answer") from None
        except OSError as error:
            raise lost(_in_words(error)) from None
        session = Session(access.token, self._clock())
        self._session, self._writer = session, writer
        try:
            self._report(session, [])
            await self._converse(session, reader, writer)
        except OSError as error:
            raise lost(_in_words(error)) from None
        finally:
            self._session = self._writer = None
            if session.had_picture:
                self._status = attrs.evolve(self._status, heard_at=session.heard_at)
            writer.close()

    async def _converse(
        self, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> NoReturn:
        live_since: float | None = None
        self._send()
        while True:
            data = await self._read(reader, max(0.0, session.wakes_at - self._clock()))
            now = self._clock()
            news = [] if data is None else session.receive_data(data, now)
            if now >= session.wakes_at:
                session.tick(now)
            self._report(session, news)
            live_since = now if live_since is None and session.is_synced else live_since
            if live_since is not None and now - live_since >= GOOD_AFTER_S:
                self._attempt = 1
            self._send()
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await writer.drain()
            # A stream that is always full must not starve the screen; a thin one comes in batches.
            full = data is None or len(data) >= CHUNK // 2
            await asyncio.sleep(0 if full else BATCH_S)

    async def _read(self, reader: asyncio.StreamReader, wait: float) -> bytes | None:
        try:
            async with asyncio.timeout(wait):
                return await reader.read(CHUNK)
        except TimeoutError:
            return None

    def _send(self) -> None:
        if self._session is not None and self._writer is not None:
            data = self._session.data_to_send()
            if data:
                self._writer.write(data)

    def _report(self, session: Session, news: list[LinkNews]) -> None:
        """Deliver the news and, after them, the state that they led to."""
        self._had_picture = self._had_picture or session.had_picture
        status = attrs.evolve(
            self._status,
            state=session.state,
            detail=session.detail,
            cluster=session.cluster or self._status.cluster,
            attempt=self._attempt,
            retry_at=None,
        )
        if status != self._status:
            heard_at = session.heard_at if session.had_picture else status.heard_at
            self._status = attrs.evolve(status, heard_at=heard_at)
            news = [*news, LinkChanged(self._status)]
        if news:
            self._deliver(news)

    def _announce(
        self, state: LinkState, detail: str, *, retry_at: float | None, address: str | None = None
    ) -> None:
        self._status = attrs.evolve(
            self._status,
            state=state,
            detail=detail,
            attempt=self._attempt,
            retry_at=retry_at,
            address=self._status.address if address is None else address,
        )
        self._deliver([LinkChanged(self._status)])

    def _out_of_touch(self) -> LinkState:
        return LinkState.RECONNECTING if self._had_picture else LinkState.CONNECTING

    async def _wait(self, ended: Ended) -> None:
        delay = back_off(self._attempt, self._jitter())
        self._announce(self._out_of_touch(), str(ended), retry_at=self._clock() + delay)
        self._attempt += 1
        await self._sleep(delay)

    async def _wait_for_a_change(self, ended: Ended, access: Access | None) -> None:
        """After a refusal: no hammering; a new access file or the person ends the wait."""
        self._announce(ended.state, str(ended), retry_at=None)
        while not await self._sleep(WATCH_S):
            with contextlib.suppress(NoAccess):
                if self._place.read() != access:
                    return

    async def _sleep(self, seconds: float) -> bool:
        """Wait; True when the person wants it now."""
        self._wake.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return False
        return True


def _in_words(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "the daemon does not read"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    return (error.strerror or str(error) or type(error).__name__).lower()
