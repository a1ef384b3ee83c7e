"""Tells systemd how the daemon fares (sd_notify); without systemd it does nothing."""

import os
import socket


def notify(state: str) -> bool:
    """Sends ``READY=1``, ``STOPPING=1`` or the like to ``$NOTIFY_SOCKET``; whether it was sent.

    A lost notification is no reason to stop, so nothing is raised.
    """
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return False
    address = "\0" + path[1:] if path.startswith("@") else path
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagram:
            datagram.setblocking(False)
            datagram.sendto(state.encode(), address)
    except OSError:
        return False
    return True
