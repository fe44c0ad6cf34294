"""Real ``milepost-server run`` processes: installed in a folder of the test, started, killed, stopped."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from contextlib import closing
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

from support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Mapping

START_S_MAX = 60.0
ANSWER_S_MAX = 5.0
STOP_S_MAX = 30.0
COMMAND_S_MAX = 60.0
PORT = re.compile(r"^(\w+_port) = \d+$", re.MULTILINE)
PROGRAM = [sys.executable, "-m", "milepost_server"]


@dataclass
class ServerProcess:
    """One installation and, while it runs, its process."""

    data_dir: Path
    http_port: int
    mqtt_port: int
    email: str
    password: str
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where the pages are."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def log(self) -> str:
        """What the process has said on standard error, over all its lives."""
        return (self.data_dir / "server.log").read_text(errors="replace")

    def command(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run another command on the same installation."""
        done = subprocess.run(
            [*PROGRAM, *arguments, "--data-dir", str(self.data_dir)],
            capture_output=True,
            text=True,
            timeout=COMMAND_S_MAX,
            check=False,
            env={**os.environ, **self.environment},
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return done

    def start(self) -> None:
        """Start the process and wait until it is well."""
        with (self.data_dir / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*PROGRAM, "run", "--data-dir", str(self.data_dir)],
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
            )
        deadline_s = time.monotonic() + START_S_MAX
        while not self.is_well():
            if self.process.poll() is not None or time.monotonic() > deadline_s:
                self.kill()
                raise AssertionError(f"the server did not start:\n{self.log}")
            time.sleep(0.05)

    def is_well(self) -> bool:
        """Whether ``/health`` says so."""
        # Asked every few milliseconds: an httpx.Client of its own would cost more than the answer.
        with closing(HTTPConnection("127.0.0.1", self.http_port, timeout=ANSWER_S_MAX)) as connection:
            try:
                connection.request("GET", "/health")
                return connection.getresponse().status == HTTPStatus.OK
            except (OSError, HTTPException):
                return False

    def kill(self) -> None:
        """SIGKILL: no last word."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> int:
        """SIGTERM; return the exit code."""
        assert self.process is not None, "started before"
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the server did not stop:\n{self.log}") from None


def install(
    data_dir: Path, *, database_url: str = "", settings: Mapping[str, object] | None = None
) -> ServerProcess:
    """Make an installation with free ports, and a dealer with its manager; it does not run yet."""
    ports = {"http_port": free_port(), "broker_port": free_port(), "broker_control_port": free_port()}
    values: dict[str, object] = {
        **ports,
        "derivation_interval_s": 0.2,
        "log_level": "debug",
        **(settings or {}),
    }
    if database_url:
        values["database_url"] = database_url
    credentials = data_dir / "credentials.json"
    pairs = [part for name, value in values.items() for part in ("--set", f"{name}={_plain(value)}")]
    server = ServerProcess(data_dir, int(str(values["http_port"])), int(str(values["broker_port"])), "", "")
    server.command(
        "init",
        "--dealer",
        "Nord Motors",
        "--email",
        "ada@nord.example",
        "--credentials",
        str(credentials),
        *pairs,
    )
    said = json.loads(credentials.read_text())
    server.email, server.password = said["email"], said["password"]
    return server


def copied(server: ServerProcess, data_dir: Path, *, database_url: str = "") -> ServerProcess:
    """A copy of an installation that does not run, on other ports; cheaper than making one."""
    shutil.copytree(server.data_dir, data_dir)
    file = data_dir / "server.toml"
    text = PORT.sub(lambda found: f"{found[1]} = {free_port()}", file.read_text())
    if database_url:
        text += f'database_url = "{database_url}"\n'
    file.write_text(text)
    values = tomllib.loads(text)
    return replace(server, data_dir=data_dir, http_port=values["http_port"], mqtt_port=values["broker_port"])


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
