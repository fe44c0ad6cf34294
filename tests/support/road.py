"""The whole road for a test: a real server and broker, real agents, and the truth of what they stored.

What an agent has *stored* is read from its own buffer file while its process is dead; what the server has is
read from its database. Both are compared sample by sample.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

import httpx
from sqlalchemy import NullPool, create_engine, select

from milepost_agent.buffer.schema import split_key
from milepost_protocol.codec import unpack_batch
from milepost_server.store import schema
from support.agents import consent
from support.mosquitto import Mosquitto
from support.servers import ServerProcess, install

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milepost_protocol.signals import Value

AGENT = [str(Path(sys.executable).with_name("milepost-agent"))]
SIMULATOR = [str(Path(sys.executable).with_name("milepost-sim"))]
START_S_MAX = 60.0
STOP_S_MAX = 30.0
DRAIN_S_MAX = 120.0
LOOK_S = 0.1
VINS = ("1M8GDM9AXKP042788", "WAUZZZ8K9BA123456", "9BRB29BT8E2012345", "JTDKN3DU5A0123456")

Key = tuple[str, int]
"""(epoch, seq)"""
SampleKey = tuple[str, str, int]
"""(device, epoch, seq)"""


class Told(NamedTuple):
    """One sample as both ends must tell it."""

    signal: str
    value: Value


@dataclass
class AgentProcess:
    """A real ``milepost-agent run`` in a folder of its own, and all that it was ever seen to have stored."""

    device: str
    folder: Path
    source: str = ""
    extra: str = ""
    process: subprocess.Popen[bytes] | None = None
    stored: dict[Key, Told] = field(default_factory=dict)
    gaps: set[Key] = field(default_factory=set)

    @property
    def buffer(self) -> Path:
        return self.folder / "buffer.db"

    def configure(self, port: int, *, source: str | None = None) -> None:
        """Write the configuration; ``source`` replaces the agent's own, empty for none."""
        chosen = self.source if source is None else source
        (self.folder / "agent.toml").write_text(
            f"""
[device]
id = "{self.device}"
secret_file = "{self.folder / "device.secret"}"
[buffer]
path = "{self.buffer}"
commit_interval_s = 0.1
[uplink]
host = "127.0.0.1"
port = {port}
reconnect_s_min = 0.1
reconnect_s_max = 0.5
receipt_timeout_s = 1.0
resend_s_max = 2.0
batch_samples_min = 50
batch_wait_s = 0.3
[health]
socket = "{self.folder / "agent.sock"}"
{self.extra}
{chosen}
"""
        )

    def start(self) -> None:
        """Start the process; it is not waited for."""
        with (self.folder / "agent.log").open("ab") as log:
            command = [*AGENT, "run", "--config", str(self.folder / "agent.toml")]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def kill(self) -> None:
        """SIGKILL, then note what the file says was stored."""
        assert self.process, "started before"
        self.process.kill()
        self.process.wait()
        self.note()

    def stop(self) -> None:
        """SIGTERM once it runs, wait for the end, and note what was stored."""
        assert self.process, "started before"
        deadline_s = time.monotonic() + STOP_S_MAX
        while self.waiting() is None:
            assert time.monotonic() < deadline_s, f"does not start:\n{self.log[-3000:]}"
            time.sleep(LOOK_S)
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(STOP_S_MAX) == 0, self.log
        self.note()

    @property
    def log(self) -> str:
        return (self.folder / "agent.log").read_text(errors="replace")

    def note(self) -> None:
        """Read a copy of the buffer file: SQLite itself takes back what was not committed."""
        copy = self.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for name in (self.buffer.name, f"{self.buffer.name}-wal"):
            if (self.folder / name).exists():
                shutil.copy(self.folder / name, copy / name)
        if not (copy / self.buffer.name).exists():
            return
        with contextlib.closing(sqlite3.connect(copy / self.buffer.name)) as db:
            epochs = dict(db.execute("SELECT ordinal, epoch FROM stream").fetchall())
            rows = db.execute("SELECT key, last, reason, payload FROM span").fetchall()
        for key, last, reason, payload in rows:
            ordinal, first = split_key(key)
            if reason:
                self.gaps |= {(epochs[ordinal], seq) for seq in range(first, last + 1)}
                continue
            for seq, sample in enumerate(unpack_batch(payload).samples(), first):
                self._note_one((epochs[ordinal], seq), Told(sample.signal, sample.value))

    def _note_one(self, key: Key, told: Told) -> None:
        before = self.stored.setdefault(key, told)
        assert before == told, f"{self.device} {key}: was stored as {before}, is now {told}"

    def waiting(self) -> int | None:
        """Stored samples without a receipt; None while the agent does not answer."""
        return self._buffer_fact("waiting")

    def receipted(self) -> int | None:
        """Up to which seq the agent knows of a receipt; None while it does not answer."""
        return self._buffer_fact("receipted_seq")

    def _buffer_fact(self, name: str) -> int | None:
        command = [*AGENT, "status", "--json", "--config", str(self.folder / "agent.toml")]
        asked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=STOP_S_MAX)
        return int(json.loads(asked.stdout)["buffer"][name]) if asked.returncode == 0 else None


class Verdict(NamedTuple):
    """What became of all samples that any agent was ever seen to have stored."""

    stored: int
    committed: int
    lost: int
    doubled: int
    changed: int


class Road:
    """A server with its broker, and agents that are registered there."""

    def __init__(self, folder: Path, *, database_url: str = "", external_broker_port: int = 0) -> None:
        self.folder = folder
        # Restarts of a broker that fails by itself are bounded; here it is we who make it fail.
        settings: dict[str, object] = {"broker_restarts_max": 100_000}
        if external_broker_port:
            url = f"mqtt://127.0.0.1:{external_broker_port}"
            settings |= {"broker": "external", "broker_url": url}
        self.server: ServerProcess = install(folder / "server", database_url=database_url, settings=settings)
        self.database_url = database_url.replace("postgresql://", "postgresql+psycopg://") or (
            f"sqlite:///{self.server.data_dir / 'milepost.db'}"
        )
        self.mqtt_port = external_broker_port or self.server.mqtt_port
        self.agents: list[AgentProcess] = []

    @contextlib.contextmanager
    def client(self) -> Iterator[httpx.Client]:
        """The REST API as the dealer's manager."""
        login = {"email": self.server.email, "password": self.server.password}
        with httpx.Client(base_url=f"{self.server.url}/api/v1", timeout=30.0) as client:
            answer = client.post("/sessions", json=login).raise_for_status().json()
            client.headers["Authorization"] = f"Bearer {answer['token']}"
            yield client

    def register(self, count: int) -> None:
        """Owners, vehicles and agents, ``count`` of each; the server must run."""
        with self.client() as client:
            for index in range(count):
                device = f"car-{index}"
                owner = client.post("/owners", json={"name": f"Owner {index}"}).raise_for_status().json()
                vehicle = {"vin": VINS[index], "make": "Nord", "model": "One", "model_year": 2021}
                made = client.post("/vehicles", json=vehicle | {"powertrain": "combustion"})
                ownership = {
                    "owner_id": owner["id"],
                    "vehicle_id": made.raise_for_status().json()["id"],
                    "start_on": "2021-05-01",
                }
                client.post("/ownerships", json=ownership).raise_for_status()
                folder = self.folder / device
                self.server.command(
                    "device",
                    "add",
                    device,
                    "--vin",
                    VINS[index],
                    "--since",
                    "2021-05-01",
                    "--out",
                    str(folder),
                )
                self.agents.append(AgentProcess(device, folder))

    def configure(self) -> None:
        """Point all agents at the broker."""
        for agent in self.agents:
            agent.configure(self.mqtt_port)

    def kill_embedded_broker(self) -> None:
        """SIGKILL the server's child nats-server; the server starts it again."""
        assert self.server.process, "started before"
        task = Path(f"/proc/{self.server.process.pid}/task/{self.server.process.pid}/children")
        for child in task.read_text().split():
            with contextlib.suppress(OSError):
                if "nats-server" in Path(f"/proc/{child}/cmdline").read_text():
                    os.kill(int(child), signal.SIGKILL)

    def drain(self) -> None:
        """Let agents without a source send what they have, until the server has receipted all of it."""
        for agent in self.agents:
            agent.stop()
            agent.configure(self.mqtt_port, source="")
            agent.start()
        deadline_s = time.monotonic() + DRAIN_S_MAX
        while any(agent.waiting() != 0 for agent in self.agents):
            assert time.monotonic() < deadline_s, f"does not drain:\n{self.agents[0].log[-3000:]}"
            time.sleep(LOOK_S)
        for agent in self.agents:
            agent.stop()

    def __enter__(self) -> Self:
        self.server.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Kill whatever still runs."""
        for agent in self.agents:
            if agent.process and agent.process.poll() is None:
                agent.process.kill()
                agent.process.wait()
        self.server.kill()

    def verdict(self) -> Verdict:
        """Compare what the agents stored with what the database has."""
        archived, readings = self._database()
        stored = {(agent.device, *key): told for agent in self.agents for key, told in agent.stored.items()}
        return Verdict(
            stored=len(stored),
            committed=len(archived),
            lost=sum(key not in archived for key in stored),
            doubled=sum(count - 1 for count in readings.values()),
            changed=sum(key in archived and archived[key] != {told} for key, told in stored.items()),
        )

    def _database(self) -> tuple[dict[SampleKey, set[Told]], Counter[SampleKey]]:
        """(what the archive tells of each sample; how many readings each has)."""
        streams, batches, readings = schema.streams, schema.batches, schema.readings
        joined = select(streams.c.device_id, streams.c.epoch)
        archived: dict[SampleKey, set[Told]] = {}
        engine = create_engine(self.database_url, poolclass=NullPool)
        with engine.connect() as connection:
            query = joined.add_columns(batches.c.payload).join(batches, batches.c.stream_id == streams.c.id)
            for device, epoch, payload in connection.execute(query):
                for sample in unpack_batch(payload).samples():
                    told = archived.setdefault((device, epoch, sample.seq), set())
                    told.add(Told(sample.signal, sample.value))
            query = joined.add_columns(readings.c.seq).join(readings, readings.c.stream_id == streams.c.id)
            counted = Counter((device, epoch, seq) for device, epoch, seq in connection.execute(query))
        return archived, counted


@contextlib.contextmanager
def simulated_car(link: Path, *choices: str) -> Iterator[Path]:
    """A ``milepost-sim car`` behind a pseudo-terminal that ``link`` leads to."""
    process = subprocess.Popen([*SIMULATOR, "car", "--pty", str(link), *choices], stdout=subprocess.DEVNULL)
    try:
        deadline_s = time.monotonic() + START_S_MAX
        while not link.exists():
            assert process.poll() is None, "the simulated car ended"
            assert time.monotonic() < deadline_s, "the simulated car does not start"
            time.sleep(LOOK_S)
        yield link
    finally:
        process.terminate()
        process.wait(STOP_S_MAX)


class RuledMosquitto(Mosquitto):
    """A Mosquitto with the rules and the configuration that the server writes for it."""

    def __init__(self, server: ServerProcess, folder: Path, port: int) -> None:
        super().__init__(folder)
        self.port = port
        self._server = server
        self.write_rules()

    def write_rules(self) -> None:
        """Let the server write its files."""
        port = str(self.port)
        self._server.command("broker", "mosquitto", "--out", str(self._folder), "--port", port)
        if os.geteuid() == 0:
            with (self._folder / "mosquitto.conf").open("a") as conf:
                conf.write("user root\n")

    def kill_and_start(self) -> None:
        """SIGKILL, and start it again."""
        self.kill()
        self.start()

    def reload(self) -> None:
        """Write the rules again and have them read, without a restart."""
        self.write_rules()
        assert self._process, "started before"
        self._process.send_signal(signal.SIGHUP)


def write_busy_drive(path: Path, seconds: int, seed: int) -> None:
    """A replay file in which much happens: ten rows a second, odometer and engine always moving."""
    rng = random.Random(seed)
    speed_kmh, odometer_m = 50.0, 48_000_000.0
    columns = ("Vehicle.TraveledDistance", "Vehicle.Speed", "Vehicle.Powertrain.CombustionEngine.Speed")
    with path.open("w") as file:
        print("time_s", *columns, sep=",", file=file)
        for step in range(seconds * 10):
            speed_kmh = min(130.0, max(5.0, speed_kmh + rng.gauss(0, 3)))
            odometer_m += 40 + rng.random() * 20
            print(step / 10, round(odometer_m), round(speed_kmh), round(speed_kmh * 40), sep=",", file=file)


CONSENT = "\n".join(["[consent]", *(f'{name} = "{text}"' for name, text in consent().items())])
BUSY_PROFILE = f"""
{CONSENT}
[profile."Vehicle.TraveledDistance"]
[profile."Vehicle.Speed"]
[profile."Vehicle.Powertrain.CombustionEngine.Speed"]
"""


def chosen_forever(rng: random.Random, names: list[str]) -> Iterator[str]:
    """Every name in each round, in an order that the seed decides."""
    while True:
        yield from rng.sample(names, len(names))
