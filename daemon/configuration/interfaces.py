"""By which of its own addresses this host reaches another; asks the routes, sends nothing."""

import socket


def address_towards(host: str, port: int) -> str:
    """The local address of the interface that reaches ``host``.

    Connecting a datagram socket only looks up the route, so the peer need not be up.

    Raises:
        OSError: the name is unknown, or no interface reaches the address.

    """
    last_error = OSError(f"no interface of this host reaches {host}")
    for family, kind, protocol, _, address in socket.getaddrinfo(
        host, port, type=socket.SOCK_DGRAM
    ):
        with socket.socket(family, kind, protocol) as probe:
            try:
                probe.connect(address)
            except OSError as error:
                last_error = OSError(error.errno, f"no interface of this host reaches {host}")
                continue
            return str(probe.getsockname()[0])
    raise last_error
