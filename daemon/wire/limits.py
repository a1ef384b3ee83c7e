"""Every bound of the wire, with its default; and what the wire counts."""

import attrs


@attrs.frozen
class WireLimits:
    """Bounds of one connection, and of how many may knock at once."""

    max_line_bytes: int = 1 << 20
    hello_timeout_s: float = 10.0
    write_timeout_s: float = 300.0
    """A peer that takes none of 64 KiB for so long does not read. It costs a bounded buffer until
    then, and somebody may have paused the pager that a command's output goes to."""
    linger_s: float = 1.0
    """How long a refused peer may take to read why, before the connection is cut."""
    unauthenticated: int = 64
    requests_in_flight: int = 16_384
    outbound_bytes: int = 4 << 20
    """While more waits to be sent, nothing new is read and notifications are refused."""


@attrs.define
class WireCounters:
    """What happened on all connections since the start."""

    accepted: int = 0
    turned_away: int = 0
    """Closed at once: too many connections had not said hello."""
    refused: int = 0
    """Closed for want of a good hello."""
    silent: int = 0
    """Closed because the peer did not read."""
    bad_lines: int = 0
    unknown_params: int = 0
    overloaded: int = 0
    bugs: int = 0
