"""The clients of one job: who waits for which slot, and who gave up."""

from collections.abc import Callable

import attrs

from daemon.core.effects import FailRequest, GrantRequest
from daemon.core.slot_pool import PoolRequest
from daemon.roles.mailbox import Envelope
from daemon.wire.peers import Reply
from protocol.errors import InvalidParams
from protocol.ids import RequestId
from protocol.messages.client import AllocateSlot


@attrs.define(eq=False)
class JobClients:
    """Replies by request: the same request id may be asked twice; its one outcome answers both."""

    default_timeout_s: float
    new_id: Callable[[], str]
    _waiting: dict[RequestId, list[Reply]] = attrs.field(factory=dict[RequestId, list[Reply]])
    _request_of: dict[Reply, RequestId] = attrs.field(factory=dict[Reply, RequestId])

    def enter(self, envelope: Envelope, request: AllocateSlot, now: float) -> PoolRequest:
        """Note who waits; the result is what the pool is asked.

        Raises:
            InvalidParams: it asks for what this daemon does not do.
        """
        _refuse_sharing(request)
        request_id = request.request_id or RequestId(self.new_id())
        self._waiting.setdefault(request_id, []).append(envelope.reply)
        self._request_of[envelope.reply] = request_id
        return PoolRequest(
            request_id,
            request.profile,
            request.queued,
            now + (request.timeout or self.default_timeout_s),
            tuple(request.preferred),
        )

    def leave(self, reply: Reply) -> RequestId | None:
        """An asker is gone; the request to release if nobody else waits for it or had it."""
        request_id = self._request_of.pop(reply, None)
        if request_id is None:
            return None
        others = self._waiting.get(request_id, [])
        others.remove(reply)
        if others:
            return None
        del self._waiting[request_id]
        return request_id

    def grant(self, effect: GrantRequest) -> None:
        """Answer all who wait for this request."""
        for reply in self._settle(effect.request_id):
            reply.succeed(effect.slot)

    def fail(self, effect: FailRequest) -> None:
        """Refuse all who wait for this request."""
        for reply in self._settle(effect.request_id):
            reply.fail(effect.error)

    def _settle(self, request_id: RequestId) -> list[Reply]:
        replies = self._waiting.pop(request_id, [])
        for reply in replies:
            del self._request_of[reply]
        return replies


def _refuse_sharing(request: AllocateSlot) -> None:
    for name in ("sharing_group", "co_location"):
        value = getattr(request, name)
        if value is not None:
            raise InvalidParams(
                f"params.{name}: this daemon does not share slots yet, got {value!r}",
                path=f"params.{name}",
                expected="null",
            )
