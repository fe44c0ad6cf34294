"""One life of an agent: from its start to a stop, a kill, or the power going."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from milepost_agent import config as configuration
from milepost_agent.agent import Agent
from milepost_agent.errors import AgentError
from milepost_agent.platform import Platform
from milepost_agent.remote.kept import Kept
from milepost_agent.remote.remote import take_up
from milepost_simulator.world.car import CONSENT, PROFILE, ScriptedCar
from milepost_simulator.world.files import WorldFiles
from milepost_simulator.world.parked import ParkedCar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_agent.power.depth import Standing
    from milepost_agent.settings import Config
    from milepost_simulator.world.mount import End, Mount
    from milepost_simulator.world.world import World

BUFFER: Final = Path("/disk/buffer.db")
DEVICE: Final = "gw-world"
REAL_TASKS: Final = frozenset({"status", "entry"})
"""Tasks that serve other processes of a real machine; a world has none."""
ASKING: Final = {"kind": "elm327", "port": "world"}
LOOK_S: Final = 5.0
UNWIND_S_MAX: Final = 120.0
"""A process that is told to stop, or whose disk is gone, must be done by then."""


def agent_config(settings: Mapping[str, Mapping[str, Any]], bytes_max: int) -> Config:
    """The agent's configuration with the ``settings`` of a scenario."""
    return _parsed(json.dumps(settings, sort_keys=True), bytes_max)


@functools.lru_cache(64)
def _parsed(settings: str, bytes_max: int) -> Config:
    document = json.loads(settings)
    document["device"] = {"id": DEVICE}
    document["consent"] = dict(CONSENT)
    document["uplink"] = {"host": "broker", **document.get("uplink", {})}
    document["buffer"] = {"free_bytes_min": 0, **document.get("buffer", {}), "path": str(BUFFER)}
    if "power" in document:
        document["source"] = [ASKING]  # without one the agent would spare no battery
    config = configuration.parse(document)
    buffer = dataclasses.replace(config.buffer, bytes_max=bytes_max) if bytes_max else config.buffer
    return dataclasses.replace(config, buffer=buffer, profile=PROFILE)


class Life:
    """A process that runs an agent, and another one where the server desires another configuration.

    ``over`` is set when it has ended by force.
    """

    def __init__(self, world: World, mount: Mount, settings: Mapping[str, Mapping[str, Any]]) -> None:
        self._world = world
        self.mount = mount
        self.car = (ParkedCar if "power" in settings else ScriptedCar)(
            world.scenario.script, world.stream("car"), world.clocks, world.numbers, world.ledger.read
        )
        self._platform = Platform(
            clock=world.clocks,
            entropy=world.entropy,
            random=world.stream("jitter").random,
            connect=world.network.connect,
            files=WorldFiles(mount, world.witness.connections(mount)),
        )
        self._local = agent_config(settings, world.scenario.buffer_bytes_max)
        self.bytes_max = self._local.buffer.bytes_max
        self.agent = self._build(None)
        self.stop = asyncio.Event()
        self.over = asyncio.Event()
        self.end: End | None = None

    def _build(self, before: Standing | None) -> Agent:
        in_force = take_up(Kept(self._platform.files, BUFFER), self._local)
        self._event_s_max = in_force.config.power.event_s_max
        agent = Agent(in_force.config, [self.car], self._platform, in_force, before)
        agent.tasks = tuple(task for task in agent.tasks if task.name not in REAL_TASKS)
        return agent

    async def _live(self) -> None:
        """As ``milepost_agent.life.live``, with the one source that there is."""
        await self.agent.run(self.stop)
        while self.agent.remote.reconfigure.is_set() and not self.stop.is_set():
            self._world.trace("the agent begins anew on another configuration")
            self._check_tasks()
            self._world.take_stock(self)
            self.agent = self._build(self.agent.keeper.standing())
            await self.agent.run(self.stop)

    def _check_tasks(self) -> None:
        for task in self.agent.tasks:
            if task.failures and self.end is None:
                self._world.ledger.violate(f"task {task.name} failed: {task.last_error}")

    async def run(self) -> None:
        """Live until stopped or ended; what goes wrong on the way is a violation."""
        running = asyncio.ensure_future(self._live())
        over = asyncio.ensure_future(self.over.wait())
        watching = asyncio.ensure_future(self._watch_link())
        await asyncio.wait([running, over], return_when=asyncio.FIRST_COMPLETED)
        over.cancel()
        watching.cancel()
        if self.end is not None:
            await self._unwind(running)
        elif not self.stop.is_set():
            self._world.ledger.violate(f"the agent ended by itself: {_why(running)}")
        elif running.exception() is not None:
            self._world.ledger.violate(f"the agent did not stop cleanly: {_why(running)}")
        self._check_tasks()

    async def _watch_link(self) -> None:
        """While the battery is low a modem may not draw on it for longer than the event takes."""
        while True:
            await asyncio.sleep(LOOK_S)
            power, uplink = self.agent.keeper.status(), self.agent.uplink
            is_late = power["since_s"] > self._event_s_max + LOOK_S
            if self.agent.keeper.stance.is_closed and is_late and uplink.is_connected:
                self._world.ledger.violate(f"connected, {power['stance']} for {power['since_s']} s")
                return

    async def _unwind(self, running: asyncio.Future[None]) -> None:
        """Let the code of a dead process run out; its disk and its network take no notice any more."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + UNWIND_S_MAX
        while not running.done() and loop.time() < until_s:
            running.cancel()
            await asyncio.wait([running], timeout=1.0)
        if not running.done():
            self._world.ledger.violate("the agent hangs, cancelled and without a disk")
            return
        if not running.cancelled() and isinstance(error := running.exception(), Exception):
            errors = error.exceptions if isinstance(error, ExceptionGroup) else (error,)
            if not all(isinstance(one, AgentError) for one in errors):
                self._world.ledger.violate(f"the agent fell over its own end: {_why(running)}")


def _why(running: asyncio.Future[None]) -> str:
    if running.cancelled():
        return "cancelled"
    error = running.exception()
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}" if error else "without a word"
