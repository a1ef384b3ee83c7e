"""What every role of one daemon shares: settings, election, news, ids and the way to peers."""

import secrets
from collections.abc import Callable

import attrs

from daemon.high_availability.elections import LeaderElection
from daemon.roles.newsroom import Newsroom
from daemon.settings import Settings
from daemon.wire.limits import WireCounters


def random_id() -> str:
    """A fresh id: 32 hexadecimal digits."""
    return secrets.token_hex(16)


@attrs.define(eq=False)
class Services:
    """``address`` is what this daemon listens on, as ``host:port``, once it does."""

    settings: Settings
    election: LeaderElection
    newsroom: Newsroom
    token: str = attrs.field(repr=False)
    address: str = ""
    wire: WireCounters = attrs.field(factory=WireCounters)
    new_id: Callable[[], str] = random_id
