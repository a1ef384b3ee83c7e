"""What every role of one daemon shares: settings, election, news, ids and the way to peers."""

import secrets
from collections.abc import Callable

import attrs

from daemon.high_availability.elections import LeaderElection
from daemon.roles.newsroom import Newsroom
from daemon.settings import Settings


def _random_id() -> str:
    return secrets.token_hex(16)


@attrs.define(eq=False)
class Services:
    """``address`` is what this daemon listens on, as ``host:port``, once it does."""

    settings: Settings
    election: LeaderElection
    newsroom: Newsroom
    token: str = attrs.field(repr=False)
    address: str = ""
    new_id: Callable[[], str] = _random_id
