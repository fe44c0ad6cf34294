"""A real nats-server with MQTT on a free port of 127.0.0.1, open to everybody."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Self

from milepost_server.broker.embedded import default_binary
from support.ports import free_port

if TYPE_CHECKING:
    from pathlib import Path

START_S_MAX = 20.0


class Nats:
    """One broker with its own folder."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        document = {
            "server_name": "test",
            "host": "127.0.0.1",
            "port": free_port(),
            "jetstream": {"store_dir": str(folder / "store")},
            "mqtt": {"host": "127.0.0.1", "port": self.port},
        }
        (folder / "nats.conf").write_text(json.dumps(document))

    def __enter__(self) -> Self:
        log = (self._folder / "log").open("wb")
        with log:
            self._process = subprocess.Popen(
                [default_binary(), "-c", self._folder / "nats.conf"], stdout=log, stderr=log
            )
        deadline_s = time.monotonic() + START_S_MAX
        while True:
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self.port), timeout=1),
            ):
                return self
            assert self._process.poll() is None, (self._folder / "log").read_text()[-2000:]
            assert time.monotonic() < deadline_s, "nats-server does not listen"
            time.sleep(0.02)

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(timeout=START_S_MAX)
