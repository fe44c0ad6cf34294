"""Notifications to systemd (sd_notify(3)): ready when the buffer is open, stopping, and a line of status."""

from __future__ import annotations

import os
import socket


def notify(message: str) -> bool:
    """Send ``message`` (such as ``READY=1``) to the service manager; False if none asked for it."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        try:
            channel.connect(address)
            channel.sendall(message.encode())
        except OSError:
            # A service manager that went away must not take the agent with it.
            return False
    return True
