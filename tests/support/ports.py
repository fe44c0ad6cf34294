"""Free TCP ports of 127.0.0.1, each given to one test only, however many processes of tests run at once."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Below those that Linux, macOS and Windows give to whoever connects, or binds to port 0: between being chosen
# here and being listened on, a port cannot become the other end of a connection.
PORTS = range(10_000, 32_768)


class NoPortError(Exception):
    """Every port was given away or is taken."""

    def __init__(self) -> None:
        super().__init__(f"no port of {PORTS} is free; end what holds them, or run fewer tests at once")


def free_port() -> int:
    """A port that nobody listens on, and that no other test is given while this process lives.

    Raises:
        NoPortError: there is none left.
    """
    with _TURN:
        try:
            return next(_PORTS)
        except StopIteration:
            raise NoPortError from None


def unclaimed(start: int) -> Iterator[int]:
    """Ports from the one at ``start`` of ``PORTS`` on, that become those of this process as they are given.

    One at a time in a process: the end of it gives all of the process's claims back.
    """
    claims = Path(tempfile.gettempdir()) / f"milepost-test-ports-{os.getuid()}"
    with claims.open("ab") as file:
        for port in [*PORTS[start:], *PORTS[:start]]:
            # A lock on the byte at the port's number says whose it is; it goes with the process, at any end.
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
            except BlockingIOError:
                continue
            if _is_free(port):
                yield port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


_PORTS = unclaimed(random.SystemRandom().randrange(len(PORTS)))  # not by a seed that a test may have set
_TURN = Lock()
