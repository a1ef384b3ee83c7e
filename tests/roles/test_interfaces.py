"""Seed 004: a host's address is that of the interface by which it reaches the leader."""

import socket

import pytest

from daemon.configuration.interfaces import address_towards


def test_loopback_is_reached_from_loopback() -> None:
    assert address_towards("127.0.0.1", 6123) == "127.0.0.1"
    assert address_towards("127.5.5.5", 6123) == "127.0.0.1"


def test_the_peer_need_not_listen() -> None:
    """Only the route is looked up: nothing is sent."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    assert address_towards("localhost", port) in {"127.0.0.1", "::1"}


def test_a_host_that_cannot_be_reached_is_an_error_that_names_it() -> None:
    with pytest.raises(OSError, match="no interface of this host reaches 255"):
        address_towards("255.255.255.255", 6123)
