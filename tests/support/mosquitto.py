"""A real Mosquitto on a free port of 127.0.0.1, to start, stop, kill and start again."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

from support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

BINARY = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
PASSWORDS = shutil.which("mosquitto_passwd")
START_S_MAX = 20.0


class Mosquitto:
    """One broker with its own folder; the port stays the same over restarts.

    Args:
        folder: for its files; made where it is missing.
        users: passwords by user name; without them everybody may connect.
        acl: lines of an ACL file, as ``mosquitto.conf(5)`` has them.
        extra: further lines of configuration.
        persistence: whether messages survive a stop (a kill loses what was not saved).
        is_logging: whether it writes a log, which ``log`` reads.
        host: where it listens.
        within: a command that runs the one after it, such as that of a network of its own.
    """

    def __init__(
        self,
        folder: Path,
        *,
        users: Mapping[str, str] | None = None,
        acl: str = "",
        extra: str = "",
        persistence: bool = False,
        is_logging: bool = True,
        host: str = "127.0.0.1",
        within: Sequence[str] = (),
    ) -> None:
        self.host = host
        self._within = within
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        log = [f"log_dest file {folder}/mosquitto.log", "log_type all"] if is_logging else ["log_dest none"]
        lines = [f"listener {self.port} {self.host}", *log]
        lines += [f"persistence {str(persistence).lower()}", f"persistence_location {folder}/"]
        if os.geteuid() == 0:
            lines.append("user root")
        lines.append(f"allow_anonymous {str(users is None).lower()}")
        if users is not None:
            lines.append(f"password_file {self._write_passwords(users)}")
        if acl:
            (folder / "acl").write_text(acl)
            (folder / "acl").chmod(0o600)
            lines.append(f"acl_file {folder}/acl")
        (folder / "mosquitto.conf").write_text("\n".join([*lines, extra, ""]))

    def _write_passwords(self, users: Mapping[str, str]) -> Path:
        assert PASSWORDS, "no mosquitto_passwd here; it comes with the Debian package mosquitto"
        file = self._folder / "passwords"
        file.touch(mode=0o600)
        for name, password in users.items():
            subprocess.run([PASSWORDS, "-b", file, name, password], check=True, capture_output=True)
        return file

    def start(self) -> Self:
        """Start it, and wait until it listens."""
        assert self._process is None, "it runs already"
        assert BINARY, "no mosquitto here; `make test` installs it (Debian package mosquitto)"
        self._process = subprocess.Popen(
            [*self._within, BINARY, "-c", self._folder / "mosquitto.conf"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline_s = time.monotonic() + START_S_MAX
        while True:
            with contextlib.suppress(OSError):
                self._knock()
                return self
            assert self._process.poll() is None, f"mosquitto ended: {self.log()[-2000:]}"
            assert time.monotonic() < deadline_s, "mosquitto does not listen"
            time.sleep(0.02)

    def _knock(self) -> None:
        socket.create_connection((self.host, self.port), timeout=1).close()

    @property
    def pid(self) -> int:
        """The process."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """Let it end by itself."""
        self._end(kill=False)

    def kill(self) -> None:
        """SIGKILL."""
        self._end(kill=True)

    def _end(self, *, kill: bool) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if kill:
            process.kill()
        else:
            process.terminate()
        process.wait(timeout=START_S_MAX)

    def log(self) -> str:
        """All that it wrote to its log."""
        file = self._folder / "mosquitto.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A running broker that lets everybody in."""
    with Mosquitto(tmp_path / "mosquitto") as broker:
        yield broker
