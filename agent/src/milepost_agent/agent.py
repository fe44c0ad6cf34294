"""One agent, wired: sources -> edge -> recorder -> buffer -> uplink, and the status of all of them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

from milepost_agent import parts, paths
from milepost_agent.backoff import Backoff
from milepost_agent.buffer.checks import Patience
from milepost_agent.buffer.recorder import Recorder, Surroundings
from milepost_agent.edge import Edge
from milepost_agent.entry.desk import EntryDesk
from milepost_agent.entry.endpoint import EntryServer
from milepost_agent.errors import (
    EdgeStateError,
    StoreDamagedError,
    StoreError,
    StoreFullError,
    StoreIoError,
)
from milepost_agent.health.flash import FlashMeter
from milepost_agent.health.room import STATUS_TASK, Health
from milepost_agent.power.keeper import Hands
from milepost_agent.power.permit import AskingSource
from milepost_agent.pulse import Pulse
from milepost_agent.readings import PulsingSource
from milepost_agent.remote.kept import Kept
from milepost_agent.remote.remote import Around, InForce, Remote
from milepost_agent.tasks import OnFailure, Task, run_all
from milepost_agent.uplink.uplink import Uplink

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from milepost_agent.platform import Platform
    from milepost_agent.power.depth import Standing
    from milepost_agent.readings import Reading, Source
    from milepost_agent.settings import Config

TICK_S: Final = 1.0
OPEN_RETRY_S: Final = 10.0
TICK_S_MAX: Final = 60.0
"""A tick is work of milliseconds; a loop that takes longer than this for one hangs."""
START_S_MAX: Final = 1000.0
"""So long the service manager is asked to wait for the next word, while the disk refuses or is salvaged."""

_LOG = logging.getLogger(__name__)


class Agent:
    """All parts of one agent. ``run`` returns when told to stop, with everything committed.

    It also returns when the server desires another configuration, which lies on the disk then: ``life.live``
    builds the next agent with it. ``in_force`` says where ``config`` comes from; by default from the file.
    ``before`` is where the agent before this one stood towards the car's battery.
    """

    def __init__(
        self,
        config: Config,
        sources: Sequence[Source],
        platform: Platform,
        in_force: InForce | None = None,
        before: Standing | None = None,
    ) -> None:
        self._config = config
        self._before = before
        self.sources = _named(sources)
        self.clock = platform.clock
        self.edge = Edge(parts.edge_config(config))
        self.edge_state_error = ""
        self.flash = FlashMeter(
            platform.written_bytes,
            lambda: self.clock().mono_s,
            config.buffer.flash_bytes_per_day_max,
        )
        self.recorder = Recorder(
            functools.partial(parts.open_store, config, platform.entropy, platform.files, Patience()),
            Surroundings(
                self._counters,
                self.clock,
                functools.partial(parts.free_space, config, platform.files),
                self.flash.stretch,
            ),
            parts.recorder_limits(config),
        )
        self.desk = EntryDesk(lambda: self.edge, self.recorder, self.clock)
        self._kept = Kept(platform.files, Path(config.buffer.path))
        self.remote = Remote(
            in_force or InForce(config, config),
            Around(
                self.clock,
                platform.entropy,
                lambda: self.recorder.epoch,
                lambda: self.edge.signals(self.clock().mono_s),
                lambda: not self.keeper.link.is_open,
                self._keep,
            ),
        )
        self.uplink = Uplink(
            parts.broker(config),
            platform.connect,
            self.recorder,
            limits=parts.session_limits(config),
            backoff=Backoff(platform.random, config.uplink.reconnect_s_min, config.uplink.reconnect_s_max),
            clock=self.clock,
            channels=self.remote.channels(),
            budget=parts.budget(config),
        )
        self.recorder.on_stored = self._send
        self.keeper = parts.keeper(
            config,
            Hands(self.clock, self._sample, self.recorder.flush_soon, self._in_memory, self._unsent),
        )
        self._permitted = self._hand_out_permits()
        self._started_s = self.clock().mono_s
        self._edge_s = -float("inf")
        self._lags_s: dict[int, float] = {}
        self._pulse = Pulse(TICK_S_MAX)
        self._manager = platform.manager
        self._health = Health(config, self, platform.manager)
        self.tasks = self._table()

    def _hand_out_permits(self) -> frozenset[str]:
        asking = {name: source for name, source in self.sources.items() if isinstance(source, AskingSource)}
        for name, source in asking.items():
            source.obey(self.keeper.permit(name))
        return frozenset(asking)

    def _counters(self) -> dict[str, object]:
        return self.edge.state() | {"uplink": self.uplink.budget.state()}

    def _table(self) -> Sequence[Task]:
        return (
            Task("commit", self.recorder.run, OnFailure.STOP_AGENT, self.recorder.pulse),
            Task("edge", self._tick, OnFailure.STOP_AGENT, self._pulse),
            Task("power", self.keeper.run, OnFailure.RESTART, self.keeper.pulse),
            Task(
                "uplink",
                functools.partial(self.keeper.link.run, self.uplink.run),
                OnFailure.RESTART,
                self.uplink.pulse,
            ),
            Task("remote", self.remote.run, OnFailure.RESTART),
            *self._health.tasks(),
            *self._entry_task(),
            *(self._source_task(name, rank) for rank, name in enumerate(self.sources)),
        )

    def _entry_task(self) -> Sequence[Task]:
        if not self._config.entry.socket:
            return ()
        admitted = parts.entry_peers(self._config)
        entries = EntryServer(parts.entry_socket(self._config), admitted, self.desk)
        return (Task("entry", entries.run, OnFailure.RESTART),)

    def _source_task(self, name: str, rank: int) -> Task:
        source = self.sources[name]
        read = functools.partial(self._read, name, source, rank)
        pulse = source.pulse if isinstance(source, PulsingSource) else None
        return Task(f"source {name}", read, OnFailure.RESTART, pulse)

    @property
    def uptime_s(self) -> float:
        return self.clock().mono_s - self._started_s

    async def run(self, stop: asyncio.Event) -> None:
        """Run until ``stop`` is set.

        Raises:
            StoreLockedError, StoreDeviceError: the buffer is not this agent's.
            ExceptionGroup: a task failed without which nothing is stored.
        """
        try:
            await self._open(stop)
            if not stop.is_set():
                self._manager.ready()
                await run_all(self.tasks, stop, self.remote.reconfigure)
        finally:
            if not self.remote.reconfigure.is_set():
                self._manager.stopping()
            await self.recorder.finish()

    async def _open(self, stop: asyncio.Event) -> None:
        """Open the buffer, however long the disk refuses, and take up the counters of the last commit."""
        while not stop.is_set():
            self._manager.starting(START_S_MAX)
            try:
                state = await self.recorder.ask(lambda store: store.state())
            except (StoreFullError, StoreIoError, StoreDamagedError) as error:
                _LOG.error("%s; trying again in %g s", error, OPEN_RETRY_S)
                self._manager.status(f"NOT STORING: {error}")
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
        self.uplink.budget.restore((state or {}).get("uplink"))
        try:
            self.edge.restore(state or self.edge.state())
        except EdgeStateError as error:
            _LOG.error("%s", error)
            self.edge_state_error = str(error)
            self.edge = Edge(parts.edge_config(self._config))
        self._watch_consent()
        self.keeper.take_up(self.edge.last(paths.POWER_STATE), self._before)
        self.recorder.add(self.edge.begin(self.clock().mono_s))

    async def _read(self, name: str, source: Source, rank: int) -> None:
        async with contextlib.aclosing(source.readings()) as readings:
            async for reading in readings:
                if name not in self._permitted:
                    self.keeper.feed(name, reading)
                self._feed(reading, rank)

    def _feed(self, reading: Reading, rank: int) -> None:
        # An accelerated replay lives in the past; the edge's time must not overtake its readings.
        self._lags_s[rank] = max(0.0, self.clock().mono_s - reading.mono_s)
        self._gather(self.edge.feed(reading, rank))

    def _gather(self, samples: Sequence[Reading]) -> None:
        self.recorder.add(samples)
        if samples:
            self.keeper.gathered()

    def _sample(self, event: Reading) -> None:
        self.recorder.add(self.edge.feed(event))

    def _in_memory(self) -> int:
        return self.recorder.pending

    def _send(self) -> None:
        if self.keeper.stored():
            self.uplink.hasten()
        else:
            self.uplink.wake()

    async def _unsent(self) -> int | None:
        try:
            waiting = await self.recorder.ask(lambda store: store.facts().waiting)
        except StoreError:
            return None
        return self.recorder.pending + waiting + (not self.remote.is_reported)

    async def _tick(self) -> None:
        with self._pulse.turning():
            while True:
                await asyncio.sleep(TICK_S)
                self._watch_consent()
                lag_s = max(self._lags_s.values(), default=0.0)
                self._edge_s = max(self._edge_s, self.clock().mono_s - lag_s)
                self._gather(self.edge.tick(self._edge_s))
                self._pulse.beat()

    def _watch_consent(self) -> None:
        self.edge.allow_profile(self.remote.look())

    async def _keep(self, payload: bytes) -> None:
        # In the thread of the buffer: a slow flash must not hold up the loop.
        await self.recorder.ask(lambda _store: self._kept.save(payload))

    async def status(self) -> dict[str, Any]:
        """The document that the status socket gives."""
        return await self._health.status()


def _named(sources: Sequence[Source]) -> dict[str, Source]:
    """Sources by name; a second one of the same name gets a number."""
    named: dict[str, Source] = {}
    for source in sources:
        same = sum(other.name == source.name for other in named.values())
        named[f"{source.name} {same + 1}" if same else source.name] = source
    return named
