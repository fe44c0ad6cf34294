"""One agent, wired: sources -> edge -> recorder -> buffer -> uplink, and the status of all of them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import random
import signal
import ssl
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from milepost_agent.backoff import Backoff
from milepost_agent.buffer import disk
from milepost_agent.buffer.policy import BufferLimits
from milepost_agent.buffer.recorder import Recorder, RecorderLimits, Surroundings
from milepost_agent.buffer.store import BufferStore
from milepost_agent.clock import DAY_MS, SystemClock
from milepost_agent.config import read_secret
from milepost_agent.edge import Edge, EdgeConfig
from milepost_agent.errors import ConfigError, EdgeStateError, StoreDamagedError, StoreFullError, StoreIoError
from milepost_agent.health.document import status_document
from milepost_agent.health.endpoint import StatusServer
from milepost_agent.health.sdnotify import notify
from milepost_agent.sources import open_source
from milepost_agent.tasks import OnFailure, Task, run_all
from milepost_agent.uplink.mqtt import Broker, Uplink
from milepost_agent.uplink.session import SessionLimits
from milepost_protocol.identity import check_vin

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from milepost_agent.readings import Reading, Source
    from milepost_agent.settings import Config

TICK_S: Final = 1.0
OPEN_RETRY_S: Final = 10.0
STATUS_TASK: Final = "status"

_LOG = logging.getLogger(__name__)


class Agent:
    """All parts of one agent. ``run`` returns after SIGTERM or SIGINT, with everything committed."""

    def __init__(self, config: Config, sources: Sequence[Source]) -> None:
        self._config = config
        self.sources = _named(sources)
        self.clock = SystemClock()
        self.edge = Edge(edge_config(config))
        self.edge_state_error = ""
        self.recorder = Recorder(
            functools.partial(open_store, config),
            Surroundings(self._counters, self.clock, functools.partial(disk.look, _folder(config))),
            _recorder_limits(config),
        )
        self.uplink = Uplink(
            broker(config),
            self.recorder,
            _session_limits(config),
            Backoff(random.random, config.uplink.reconnect_s_min, config.uplink.reconnect_s_max),
            self.clock,
        )
        self.recorder.on_stored = self.uplink.wake
        self.started_s = time.monotonic()
        self._edge_s = -float("inf")
        self._lag_s = 0.0
        self.tasks = self._table()

    def _counters(self) -> dict[str, object]:
        return self.edge.state()

    def _table(self) -> Sequence[Task]:
        status = StatusServer(Path(self._config.health.socket), self.status)
        return (
            Task("commit", self.recorder.run, OnFailure.STOP_AGENT),
            Task("edge", self._tick, OnFailure.STOP_AGENT),
            Task("uplink", self.uplink.run, OnFailure.RESTART),
            Task(STATUS_TASK, status.run, OnFailure.RESTART),
            *(
                Task(f"source {name}", functools.partial(self._read, source), OnFailure.RESTART)
                for name, source in self.sources.items()
            ),
        )

    async def run(self) -> None:
        """Run until a signal says stop.

        Raises:
            StoreLockedError, StoreDeviceError: the buffer is not this agent's.
            ExceptionGroup: a task failed without which nothing is stored.
        """
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        try:
            await self._open(stop)
            if not stop.is_set():
                notify("READY=1")
                await run_all(self.tasks, stop)
        finally:
            notify("STOPPING=1")
            await self.recorder.finish()

    async def _open(self, stop: asyncio.Event) -> None:
        """Open the buffer, however long the disk refuses, and take up the counters of the last commit."""
        while not stop.is_set():
            try:
                state = await self.recorder.ask(lambda store: store.state())
            except (StoreFullError, StoreIoError, StoreDamagedError) as error:
                _LOG.error("%s; trying again in %g s", error, OPEN_RETRY_S)
                await self._answer_status(stop, OPEN_RETRY_S)
                continue
            self._take_up(state)
            return

    async def _answer_status(self, stop: asyncio.Event, for_s: float) -> None:
        """Nothing can be stored, so nothing is read; but whoever asks is told why."""
        alone = [task for task in self.tasks if task.name == STATUS_TASK]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(for_s):
                await run_all(alone, stop)

    def _take_up(self, state: dict[str, Any] | None) -> None:
        try:
            self.edge.restore(state or self.edge.state())
        except EdgeStateError as error:
            _LOG.error("%s", error)
            self.edge_state_error = str(error)
            self.edge = Edge(edge_config(self._config))
        self.recorder.add(self.edge.begin(time.monotonic()))

    async def _read(self, source: Source) -> None:
        async with contextlib.aclosing(source.readings()) as readings:
            async for reading in readings:
                self._feed(reading)

    def _feed(self, reading: Reading) -> None:
        # An accelerated replay lives in the past; the edge's time must not overtake its readings.
        self._lag_s = max(0.0, time.monotonic() - reading.mono_s)
        self.recorder.add(self.edge.feed(reading))

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._edge_s = max(self._edge_s, time.monotonic() - self._lag_s)
            self.recorder.add(self.edge.tick(self._edge_s))

    async def status(self) -> dict[str, Any]:
        """The document that the status socket gives."""
        return await status_document(self, self._config)


def open_store(config: Config) -> BufferStore:
    """The configured buffer.

    Raises:
        StoreError: see ``BufferStore.open``.
    """
    limits = BufferLimits(
        bytes_max=config.buffer.bytes_max,
        free_bytes_min=config.buffer.free_bytes_min,
        free_inodes_min=config.buffer.free_inodes_min,
        age_ms_max=round(config.buffer.age_days_max * DAY_MS),
    )
    path = Path(config.buffer.path)
    return BufferStore.open(path, config.device.id, limits, os.urandom, disk.look(_folder(config)))


def open_sources(config: Config) -> list[Source]:
    """The configured sources; none of them is connected yet.

    Raises:
        SourceConfigError: a table that cannot be used.
    """
    return [open_source(table) for table in config.source]


def edge_config(config: Config) -> EdgeConfig:
    """What the edge is told about the car."""
    vehicle = config.vehicle
    return EdgeConfig(
        anchor_odometer_m=vehicle.anchor_odometer_m,
        anchor_at=vehicle.anchor_at,
        anchor_sigma_m=vehicle.anchor_sigma_m,
        mass_kg=vehicle.mass_kg,
        vin=check_vin(vehicle.vin) if vehicle.vin else "",
        profile=config.profile,
    )


def broker(config: Config) -> Broker:
    """The configured broker, with the secret and the certificates read.

    Raises:
        ConfigError: the secret or a certificate cannot be used.
    """
    uplink = config.uplink
    secret_file = config.device.secret_file
    return Broker(
        host=uplink.host,
        port=uplink.port,
        device=config.device.id,
        secret=read_secret(Path(secret_file)) if secret_file else None,
        keepalive_s=uplink.keepalive_s,
        tls=_tls(config) if uplink.tls else None,
    )


def _tls(config: Config) -> ssl.SSLContext:
    uplink = config.uplink
    try:
        context = ssl.create_default_context(cafile=uplink.ca_file or None)
        if uplink.cert_file:
            context.load_cert_chain(uplink.cert_file, uplink.key_file)
    except OSError as error:
        raise ConfigError("uplink.tls", f"a certificate or key cannot be used: {error}") from error
    return context


def _named(sources: Sequence[Source]) -> dict[str, Source]:
    """Sources by name; a second one of the same name gets a number."""
    named: dict[str, Source] = {}
    for source in sources:
        same = sum(other.name == source.name for other in named.values())
        named[f"{source.name} {same + 1}" if same else source.name] = source
    return named


def _folder(config: Config) -> Path:
    """Where the buffer is, or the nearest folder above it that exists already."""
    folder = Path(config.buffer.path).absolute().parent
    return next(parent for parent in (folder, *folder.parents) if parent.is_dir())


def _recorder_limits(config: Config) -> RecorderLimits:
    buffer = config.buffer
    return RecorderLimits(buffer.commit_interval_s, buffer.commit_samples_max, buffer.memory_samples_max)


def _session_limits(config: Config) -> SessionLimits:
    uplink = config.uplink
    return SessionLimits(
        window_batches=uplink.window_batches,
        unreceipted_batches_max=uplink.unreceipted_batches_max,
        unreceipted_bytes_max=uplink.unreceipted_bytes_max,
        batch_samples_min=uplink.batch_samples_min,
        batch_wait_s=uplink.batch_wait_s,
        receipt_timeout_s=uplink.receipt_timeout_s,
        resend_s_max=uplink.resend_s_max,
    )
