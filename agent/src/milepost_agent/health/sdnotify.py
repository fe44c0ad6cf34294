"""The service manager, by sd_notify(3): ready, alive, status, stopping; nothing where none asked for it."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

STATUS_CHARACTERS_MAX: Final = 200


class ServiceManager:
    """Whoever started this process and wants to hear of it.

    Args:
        address: of its datagram socket, "" where there is none; "@" begins an abstract one.
        watchdog_s: it ends a process that says ``alive`` less often than that; None: never.
    """

    def __init__(self, address: str = "", watchdog_s: float | None = None) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_s = watchdog_s
        self._status = ""

    def ready(self) -> None:
        """The agent can store."""
        self._send("READY=1")

    def alive(self) -> None:
        """All that must progress does; see ``health.watchdog``."""
        self._send("WATCHDOG=1")

    def starting(self, for_s: float) -> None:
        """The start goes on for up to ``for_s`` more seconds: not a reason to begin anew."""
        self._send(f"EXTEND_TIMEOUT_USEC={for_s * 1e6:.0f}")

    def stopping(self) -> None:
        """The agent ends by itself."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """One line for people, said when it changes."""
        line = " ".join(text[:STATUS_CHARACTERS_MAX].split())
        if line != self._status:
            self._status = line
            self._send(f"STATUS={line}")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.setblocking(False)
            try:
                channel.connect(self._address)
                channel.sendall(message.encode())
            except OSError:
                # A service manager that went away, or reads nothing, must not take the agent with it.
                return


NO_MANAGER: Final = ServiceManager()


def service_manager(environment: Mapping[str, str], pid: int | None = None) -> ServiceManager:
    """The service manager that ``environment`` names, as sd_watchdog_enabled(3) reads it."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return NO_MANAGER
    period_us = environment.get("WATCHDOG_USEC", "")
    is_meant = environment.get("WATCHDOG_PID") in (None, str(os.getpid() if pid is None else pid))
    watchdog_s = int(period_us) / 1e6 if period_us.isdecimal() and is_meant else 0.0
    return ServiceManager(address, watchdog_s or None)
