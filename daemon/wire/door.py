"""Who may come in: the protocol version, then the token, compared in constant time."""

import hmac
from typing import Any

import attrs

from protocol.codec import decode_request
from protocol.errors import InvalidParams, Unauthenticated, UnsupportedProtocol
from protocol.frames import Fatal, RequestFrame
from protocol.messages.session import PROTOCOL_VERSION, Hello, Welcome


@attrs.frozen
class Door:
    """The secret of this daemon and what it tells those who know it."""

    token: str = attrs.field(repr=False)
    welcome: Welcome

    def knock(self, frame: object) -> Hello:
        """The hello in the first frame of a connection.

        Raises:
            Unauthenticated: it is something else, or its token is missing or wrong.
            UnsupportedProtocol: it asks for another version.
            InvalidParams: another of its values has the wrong form.
            LineTooLong: there was no end to its line.

        """
        if isinstance(frame, Fatal):
            raise frame.error
        if not isinstance(frame, RequestFrame) or frame.method != Hello.METHOD:
            raise Unauthenticated("the first line of a connection must be the request hello")
        self._check_protocol(frame.params)
        hello = _decode(frame)
        if hello.token is None:
            raise Unauthenticated("hello needs the token of the daemon's access file")
        if not hmac.compare_digest(hello.token.encode(), self.token.encode()):
            raise Unauthenticated("the token is not that of this daemon's access file")
        return hello

    def _check_protocol(self, params: dict[str, Any]) -> None:
        """Before everything else: a later version may have another form of hello."""
        version = params.get("protocol")
        if type(version) is int and version != PROTOCOL_VERSION:
            raise UnsupportedProtocol(
                f"protocol {version} is not spoken here, only {PROTOCOL_VERSION}",
                supported=[PROTOCOL_VERSION],
            )


def _decode(frame: RequestFrame) -> Hello:
    try:
        hello = decode_request(frame.method, frame.params)
    except InvalidParams as error:
        if error.data["path"] == "params.token":
            raise Unauthenticated(error.message) from None
        raise
    assert isinstance(hello, Hello)
    return hello
