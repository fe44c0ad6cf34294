"""The uplink of a contender: a proxy that counts bytes, can be cut, and may be as slow as a bad radio."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Self

CHUNK_BYTES = 65_536
SLOW_CHUNK_BYTES = 512
SLOW_BUFFER_BYTES = 4_096
"""A slow link holds little of what is on its way: the sender has to wait, as on a modem."""


class CountedLink:
    """Listens on a free port of 127.0.0.1 and carries bytes to ``to_port``.

    ``up_bytes_per_s`` bounds what goes up, 0 for no bound. ``carried`` are the bytes of both ways.
    """

    def __init__(self, to_port: int, up_bytes_per_s: float = 0.0) -> None:
        self._to_port = to_port
        self._up_bytes_per_s = up_bytes_per_s
        self._server = socket.create_server(("127.0.0.1", 0))
        if up_bytes_per_s:
            self._server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BUFFER_BYTES)
        self._lock = threading.Lock()
        self._ends: set[socket.socket] = set()
        self._is_cut = False
        self.carried = 0
        self.port: int = self._server.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()
        self.cut()

    def cut(self) -> None:
        """End all connections; new ones are refused until ``mend``."""
        with self._lock:
            self._is_cut = True
            ends, self._ends = self._ends, set()
        for end in ends:
            _end(end)

    def mend(self) -> None:
        """Carry again."""
        with self._lock:
            self._is_cut = False

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._server.accept()
                self._join(near)

    def _join(self, near: socket.socket) -> None:
        with self._lock:
            is_cut = self._is_cut
        if is_cut:
            _end(near)
            return
        try:
            far = socket.create_connection(("127.0.0.1", self._to_port))
        except OSError:
            _end(near)
            return
        with self._lock:
            self._ends |= {near, far}
        for ways in ((near, far, self._up_bytes_per_s), (far, near, 0.0)):
            threading.Thread(target=self._carry, args=ways, daemon=True).start()

    def _carry(self, source: socket.socket, to: socket.socket, bytes_per_s: float) -> None:
        free_s = time.monotonic()
        with contextlib.suppress(OSError):
            while data := source.recv(SLOW_CHUNK_BYTES if bytes_per_s else CHUNK_BYTES):
                if bytes_per_s:
                    free_s = max(free_s, time.monotonic()) + len(data) / bytes_per_s
                    time.sleep(max(0.0, free_s - time.monotonic()))
                to.sendall(data)
                with self._lock:
                    self.carried += len(data)
        _end(source)
        _end(to)


def _end(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
