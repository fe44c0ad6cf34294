"""Looks at the machine: each gives facts, and judges nothing."""

from __future__ import annotations

import asyncio
import contextlib
import grp
import os
import pwd
import socket
import ssl
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from milepost_agent import paths
from milepost_agent.errors import LinkError, SourceError
from milepost_agent.uplink.link import Subscription, Terms
from milepost_agent.uplink.mqtt import trouble
from milepost_protocol import topics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_agent.readings import Source
    from milepost_agent.uplink.link import Broker, Connector
    from milepost_protocol.signals import Value

FSYNC_ROUNDS: Final = 5
FSYNC_BYTES: Final = 4096
NETWORK_S_MAX: Final = 10.0
OF_A_CAR_THAT_IS_OFF: Final = frozenset({paths.SYSTEM_STATE, paths.VOLTAGE})
NEWS_S: Final = 4.0
"""A car that is asked tells a signal more within that, as long as it has one more to tell."""
MOUNTS_FILE: Final = "/proc/self/mountinfo"


class DiskFacts(NamedTuple):
    """Where the buffer is: its folder, or the nearest one above that exists.

    ``fsync_s`` is the median of some small writes, None where none could be made, for the reason ``refusal``.
    """

    folder: Path
    file_system: str
    is_read_only: bool
    free_bytes: int
    free_inodes: int | None
    fsync_s: float | None
    refusal: str
    owner: str
    user: str


class SecretFacts(NamedTuple):
    """Whose the secret is, and whose the buffer's folder; "" for what does not exist."""

    owner: str
    folder_owner: str


class PortFacts(NamedTuple):
    """A serial port: ``group`` may use it; ``may_use``: this process may."""

    exists: bool
    is_terminal: bool
    may_use: bool
    group: str
    user: str


class SourceFacts(NamedTuple):
    """What a source told while it was listened to; ``error``: what ended it."""

    status: Mapping[str, Value]
    signals: frozenset[str]
    vin: str
    voltage_v: float | None
    error: str


class BrokerFacts(NamedTuple):
    """How far a connection to the broker came; what was not reached is None or ""."""

    addresses: tuple[str, ...] = ()
    connect_s: float | None = None
    certificate_days_left: float | None = None
    error: str = ""


def look_at_disk(path: Path) -> DiskFacts:
    """The file system of the buffer at ``path``.

    Raises:
        OSError: it does not even tell what is free.
    """
    folder = next(parent for parent in path.absolute().parents if parent.is_dir())
    facts = os.statvfs(folder)
    fsync_s, refusal = _fsync_s(folder)
    return DiskFacts(
        folder,
        _file_system(folder),
        bool(facts.f_flag & os.ST_RDONLY),
        facts.f_bavail * facts.f_frsize,
        facts.f_favail if facts.f_files else None,
        fsync_s,
        refusal,
        _user(folder.stat().st_uid),
        _user(os.geteuid()),
    )


def _fsync_s(folder: Path) -> tuple[float | None, str]:
    rounds_s = []
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".milepost-doctor-") as file:
            for _ in range(FSYNC_ROUNDS):
                start_s = time.perf_counter()
                file.write(os.urandom(FSYNC_BYTES))
                file.flush()
                os.fsync(file.fileno())
                rounds_s.append(time.perf_counter() - start_s)
    except OSError as error:
        return None, error.strerror or str(error)
    return sorted(rounds_s)[FSYNC_ROUNDS // 2], ""


def _file_system(folder: Path) -> str:
    """The type of the file system that is mounted nearest above ``folder``, "" where nobody tells."""
    try:
        lines = Path(MOUNTS_FILE).read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    found, kind = -1, ""
    for line in lines:
        left, _, right = line.partition(" - ")
        mount = Path(left.split()[4].replace("\\040", " "))
        if folder.resolve().is_relative_to(mount) and len(mount.parts) >= found:
            found, kind = len(mount.parts), right.split()[0]
    return kind


def look_at_secret(secret: Path, buffer: Path) -> SecretFacts:
    """Whose they are."""
    return SecretFacts(_owner(secret), _owner(buffer.parent))


def _owner(path: Path) -> str:
    try:
        return _user(path.stat().st_uid)
    except OSError:
        return ""


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def look_at_port(path: Path) -> PortFacts:
    """A serial port, without opening it."""
    user = _user(os.geteuid())
    try:
        facts = path.stat()
    except OSError:
        return PortFacts(False, False, False, "", user)
    try:
        group = grp.getgrgid(facts.st_gid).gr_name
    except KeyError:
        group = str(facts.st_gid)
    may_use = os.access(path, os.R_OK | os.W_OK)
    return PortFacts(True, stat.S_ISCHR(facts.st_mode), may_use, group, user)


async def listen(source: Source, for_s: float, news_s: float = NEWS_S) -> SourceFacts:
    """Read a car as the agent would, until it has told something, and nothing new for ``news_s``.

    It takes ``for_s`` at most, and all of it where the car is off: somebody may just turn the key.
    """
    told: dict[str, Value] = {}
    error = ""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + for_s
    try:
        async with asyncio.timeout(for_s) as limit, contextlib.aclosing(source.readings()) as readings:
            async for reading in readings:
                if reading.signal not in told and reading.signal not in OF_A_CAR_THAT_IS_OFF:
                    limit.reschedule(min(end_s, loop.time() + news_s))
                told[reading.signal] = reading.value
    except TimeoutError:
        pass
    except SourceError as failure:
        error = str(failure)
    voltage = told.get(paths.VOLTAGE)
    return SourceFacts(
        dict(source.status()),
        frozenset(told),
        str(told.get(paths.VIN, "")),
        None if voltage is None else float(voltage),
        error,
    )


def reach(broker: Broker) -> BrokerFacts:
    """Look the broker up, connect, and shake hands where there is TLS; nobody logs in."""
    addresses: tuple[str, ...] = ()
    try:
        found = socket.getaddrinfo(broker.host, broker.port, type=socket.SOCK_STREAM)
        addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
        start_s = time.perf_counter()
        with socket.create_connection((broker.host, broker.port), timeout=NETWORK_S_MAX) as channel:
            connect_s = time.perf_counter() - start_s
            if broker.tls is None:
                return BrokerFacts(addresses, connect_s)
            with broker.tls.wrap_socket(channel, server_hostname=broker.host) as secured:
                return BrokerFacts(addresses, connect_s, _days_left(secured.getpeercert() or {}))
    except OSError as error:
        return BrokerFacts(addresses, error=trouble.explain(error, broker.host))


def _days_left(certificate: Mapping[str, Any]) -> float | None:
    ends = certificate.get("notAfter")
    return (ssl.cert_time_to_seconds(ends) - time.time()) / 86_400 if ends else None


async def log_in(broker: Broker, connect: Connector) -> str:
    """Connect as the agent does, and leave at once; what the broker says against it, "" for nothing.

    Under the agent's own name: no agent may run meanwhile, or the broker ends its connection.
    """
    terms = Terms((Subscription(topics.ack(broker.device), topics.ACK_QOS),))
    try:
        async with asyncio.timeout(2 * NETWORK_S_MAX), connect(broker, terms):
            return ""
    except TimeoutError:
        return f"{broker.address}: no answer in time"
    except LinkError as error:
        return str(error)
