"""A real PostgreSQL of its own for the tests: a new cluster on a free port of 127.0.0.1."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg

from support.ports import free_port
from support.waiting import poll

if TYPE_CHECKING:
    from collections.abc import Iterator

START_S_MAX = 60.0
USER = "postgres"


class PostgresMissingError(Exception):
    """No PostgreSQL binaries on this machine."""

    def __init__(self) -> None:
        super().__init__("PostgreSQL is not installed; `make test` installs it, or says what to install")


class _Process:
    """``command`` in a session of its own."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self._command = command
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, server: Postgres) -> None:
        """Start it, and wait until it answers."""
        log = self._folder / "log"
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                self._command, stdout=file, stderr=file, cwd=self._folder, start_new_session=True
            )
        _wait(server, self._process, log)

    def kill(self) -> None:
        """SIGKILL of it and of all that it has started, and wait until nothing of them is left.

        Each backend leads a session of its own, and PostgreSQL does not start while one is left.
        """
        assert self._process, "started before"
        server = psutil.Process(self._process.pid)
        server.suspend()  # it starts no other meanwhile
        family = [*server.children(), server]
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        self._process.wait()
        poll(lambda: not any(map(_is_there, family)), "the end of PostgreSQL")

    def stop(self) -> None:
        """SIGTERM; SIGKILL where that does not help."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(START_S_MAX)
        except subprocess.TimeoutExpired:
            self.kill()


def _is_there(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE  # an orphan whom nobody looks after
    except psutil.NoSuchProcess:
        return False


@dataclass(frozen=True)
class Postgres:
    """A running cluster."""

    port: int
    process: _Process

    def kill_and_start(self) -> None:
        """SIGKILL of all its processes at once, then it recovers from its log."""
        self.process.kill()
        self.process.start(self)

    def url(self, database: str = "postgres") -> str:
        """Where ``database`` is, for the server's ``database_url`` and for psycopg alike."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def create(self, database: str, template: str = "template1") -> str:
        """Make a database, a copy of ``template``, by default an empty one; return its URL."""
        command = f'CREATE DATABASE "{database}" TEMPLATE "{template}"'
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(command)  # type: ignore[call-overload]
        return self.url(database)

    def drop(self, database: str) -> None:
        """Remove a database, whoever is still connected to it."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{database}" WITH (FORCE)')  # type: ignore[call-overload]


def binaries() -> Path:
    """The folder of the newest PostgreSQL that is installed.

    Raises:
        PostgresMissingError: there is none.
    """
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]), reverse=True
    )
    if found:
        return found[0].parent
    on_path = shutil.which("initdb")
    if on_path is None:
        raise PostgresMissingError
    return Path(on_path).resolve().parent


@contextlib.contextmanager
def running(*, is_durable: bool) -> Iterator[Postgres]:
    """Run a new cluster in a folder of its own for the block.

    Args:
        is_durable: whether a commit outlives the machine too. One that need not outlives the end of every
            process all the same, and costs no wait for the disk.
    """
    # Not below pytest's folders: those are closed to the user that PostgreSQL runs as.
    with tempfile.TemporaryDirectory(prefix="milepost-postgres-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield from _running(folder, is_durable=is_durable)


def _running(folder: Path, *, is_durable: bool) -> Iterator[Postgres]:
    bin_dir = binaries()
    data = folder / "data"
    data.mkdir(mode=0o700)
    prefix = ["setpriv", "--pdeathsig=TERM"]  # it goes when the tests are killed
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        account = pwd.getpwnam(USER)
        for path in (folder, data):
            os.chown(path, account.pw_uid, account.pw_gid)
        prefix += [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    _run([*prefix, str(bin_dir / "initdb"), "-D", str(data), "-U", USER, "-A", "trust", "-E", "UTF8"])
    port = free_port()
    settings = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "fsync": "on" if is_durable else "off",
        "max_connections": 60,
        "shared_buffers": "32MB",
    }
    options = [f"--{key}={value}" for key, value in settings.items()]
    process = _Process([*prefix, str(bin_dir / "postgres"), "-D", str(data), *options], folder)
    server = Postgres(port, process)
    try:
        process.start(server)
        yield server
    finally:
        process.stop()


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def _wait(server: Postgres, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S_MAX
    while True:
        try:
            psycopg.connect(server.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}") from None
            time.sleep(0.05)
        else:
            return
