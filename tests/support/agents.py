"""The real agent as a process: start, ask, kill, stop."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from milepost_agent.errors import StatusError
from milepost_agent.health.endpoint import ask
from support import unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

START_S_MAX = 30.0
COUNTER = "Vehicle.Milepost.Trip.Count"
EVERY_ROW = {COUNTER: {"every": True}}


def consent(before_s: float = 86_400.0, after_s: float = 30 * 86_400.0) -> dict[str, str]:
    """The section ``[consent]`` of an owner who agreed ``before_s`` ago, for ``after_s`` from now."""
    now = dt.datetime.now(dt.UTC)
    return {
        "owner": "owner-42",
        "granted_at": (now - dt.timedelta(seconds=before_s)).isoformat(),
        "expires_at": (now + dt.timedelta(seconds=after_s)).isoformat(),
    }


class AgentProcess:
    """``milepost-agent run`` with its own folder.

    Args:
        folder: for configuration, buffer and socket; short, as names of Unix sockets must be.
        port: of the broker on 127.0.0.1.
        sections: settings over the quick ones that tests want, by section; ``source`` is a list of tables.
            To a ``profile`` the owner consents, unless there is a ``consent``.
        within: a command that runs the one after it, such as that of a sandbox.
        as_unit: start it as the service unit does, not by the command line.
    """

    def __init__(
        self,
        folder: Path,
        port: int,
        sections: Mapping[str, Any] | None = None,
        device: str = "gw-000017",
        within: Sequence[str] = (),
        as_unit: bool = False,
    ) -> None:
        self._within = within
        self.as_unit = as_unit
        self.folder = folder
        self.buffer = folder / "buffer.db"
        self.socket = folder / "s"
        self.config = folder / "agent.toml"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        given = dict(sections or {})
        whole: dict[str, Any] = {
            "device": {"id": device},
            "buffer": {"path": str(self.buffer), "commit_interval_s": 0.05, "free_bytes_min": 0},
            "uplink": {"host": "127.0.0.1", "port": port, "reconnect_s_min": 0.05, "reconnect_s_max": 0.5}
            | {"batch_wait_s": 0.05, "receipt_timeout_s": 1.0, "resend_s_max": 2.0},
            "health": {"socket": str(self.socket)},
        }
        if "profile" in given:
            whole["consent"] = consent()
        for section, table in given.items():
            whole[section] = table if section == "source" else whole.get(section, {}) | table
        self.config.write_text("\n".join(_toml(whole)))

    def start(self) -> None:
        """Start it; it may not be ready yet."""
        assert self._process is None, "it runs already"
        plain = [sys.executable, "-m", "milepost_agent", "run", "--config", str(self.config)]
        command = unit.command(self.config) if self.as_unit else plain
        log = (self.folder / "log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [*self._within, *command],
                env=os.environ | (unit.environment() if self.as_unit else {}),
                stdout=log,
                stderr=log,
            )

    @property
    def pid(self) -> int:
        """The process."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        process, self._process = self._process, None
        assert process is not None
        process.send_signal(signal.SIGTERM)
        return process.wait(timeout=START_S_MAX)

    def wait(self) -> int:
        """Wait until it has ended by itself; the exit status."""
        process, self._process = self._process, None
        assert process is not None
        return process.wait(timeout=START_S_MAX)

    def status(self) -> dict[str, Any]:
        """What it says of itself; waits until it answers."""
        deadline_s = time.monotonic() + START_S_MAX
        while True:
            with suppress(StatusError):
                return ask(self.socket)
            assert self._process is None or self._process.poll() is None, f"it ended: {self.log()[-2000:]}"
            assert time.monotonic() < deadline_s, f"no answer: {self.log()[-2000:]}"
            time.sleep(0.02)

    def log(self) -> str:
        """All that it wrote."""
        return (self.folder / "log").read_text(errors="replace")


def _toml(document: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for section, table in document.items():
        for one in table if section == "source" else [table]:
            lines.append("[[source]]" if section == "source" else f"[{section}]")
            for key, value in one.items():
                if isinstance(value, dict):
                    fields = ", ".join(f"{name} = {json.dumps(inner)}" for name, inner in value.items())
                    lines.append(f"{json.dumps(key)} = {{ {fields} }}")
                else:
                    lines.append(f"{key} = {json.dumps(value)}")
    return lines


def write_drive(file: Path, first: int, rows: int, step_s: float = 0.002) -> None:
    """A replay of a counter that goes up by one a row, from ``first`` on; ``EVERY_ROW`` stores all."""
    lines = [f"{row * step_s:.4f},{first + row}" for row in range(rows)]
    file.write_text("\n".join([f"time_s,{COUNTER}", *lines, ""]))
