"""The clients of one job: who waits for which slot, and who gave up."""

from collections.abc import Callable

import attrs

from daemon.core.job_master.slot_pool import PoolRequest
from daemon.roles.mailbox import Envelope
from protocol.errors import InvalidParams
from protocol.ids import RequestId
from protocol.messages.client import AllocateSlot


@attrs.define(eq=False)
class JobClients:
    """Askers by request: the same request id may be asked twice; its one outcome answers both."""

    _default_timeout_s: float
    _new_id: Callable[[], str]
    _waiting: dict[RequestId, list[Envelope]] = attrs.field(factory=dict[RequestId, list[Envelope]])
    _request_of: dict[Envelope, RequestId] = attrs.field(factory=dict[Envelope, RequestId])

    def enter(self, envelope: Envelope, request: AllocateSlot, now: float) -> PoolRequest:
        """Note who waits; the result is what the pool is asked.

        Raises:
            InvalidParams: it asks for what this daemon does not do.
        """
        _refuse_sharing(request)
        request_id = request.request_id or RequestId(self._new_id())
        self._waiting.setdefault(request_id, []).append(envelope)
        self._request_of[envelope] = request_id
        return PoolRequest(
            request_id,
            request.profile,
            request.queued,
            now + (request.timeout or self._default_timeout_s),
            tuple(request.preferred),
        )

    def leave(self, envelope: Envelope) -> RequestId | None:
        """An asker is gone; the request to release if nobody else waits for it."""
        request_id = self._request_of.pop(envelope, None)
        if request_id is None:
            return None
        others = self._waiting[request_id]
        others.remove(envelope)
        if others:
            return None
        del self._waiting[request_id]
        return request_id

    def settle(self, request_id: RequestId) -> list[Envelope]:
        """Who waited for this request; nobody does any more."""
        askers = self._waiting.pop(request_id, [])
        for asker in askers:
            del self._request_of[asker]
        return askers


def _refuse_sharing(request: AllocateSlot) -> None:
    for name in ("sharing_group", "co_location"):
        value = getattr(request, name)
        if value is not None:
            raise InvalidParams(
                f"params.{name}: this daemon does not share slots yet, got {value!r}",
                path=f"params.{name}",
                expected="null",
            )
