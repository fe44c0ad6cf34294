"""The watchdog of the service manager, fed by progress alone: of every loop, and of the buffer's thread."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from milepost_agent.errors import StoreError
from milepost_agent.pulse import BUFFER_S_MAX, Pulse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from milepost_agent.health.sdnotify import ServiceManager
    from milepost_agent.tasks import Task

LOOKS_A_PERIOD: Final = 4

_LOG = logging.getLogger(__name__)


class Stillness:
    """For how long each pulse has stood still. Pure.

    A process that was stopped, or a machine that slept, is not held against its loops: from one look to the
    next at most ``look_s_max`` seconds count.
    """

    def __init__(self, look_s_max: float) -> None:
        self._look_s_max = look_s_max
        self._looked_s: float | None = None
        self._beats: dict[str, int] = {}
        self._still_s: dict[str, float] = {}

    def look(self, pulses: dict[str, Pulse], now_s: float) -> dict[str, float]:
        """The pulses that have stood still for longer than they may, with their seconds."""
        step_s = 0.0 if self._looked_s is None else min(now_s - self._looked_s, self._look_s_max)
        self._looked_s = now_s
        for name, pulse in pulses.items():
            moved = not pulse.is_due or self._beats.get(name) != pulse.beats
            self._still_s[name] = 0.0 if moved else self._still_s.get(name, 0.0) + step_s
            self._beats[name] = pulse.beats
        for name in self._beats.keys() - pulses.keys():
            del self._beats[name], self._still_s[name]
        return {name: self._still_s[name] for name in pulses if self._still_s[name] > pulses[name].limit_s}


class Watchdog:
    """Feeds the service manager's watchdog while every pulse of the table moves.

    Args:
        manager: to be told; its ``watchdog_s`` says how often.
        tasks: the table; only tasks with a pulse are watched.
        ask_thread: returns when the buffer's thread has answered.
        clock_s: the monotonic clock, in seconds.
        status: one line for people.
    """

    def __init__(
        self,
        manager: ServiceManager,
        tasks: Callable[[], Sequence[Task]],
        ask_thread: Callable[[], Awaitable[object]],
        clock_s: Callable[[], float],
        status: Callable[[], str],
    ) -> None:
        self._manager = manager
        self._tasks = tasks
        self._ask_thread = ask_thread
        self._clock_s = clock_s
        self._status = status
        self._thread = Pulse(BUFFER_S_MAX)
        self._reported: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Feed until cancelled; at once where no watchdog is set."""
        if self._manager.watchdog_s is None:
            return
        look_s = self._manager.watchdog_s / LOOKS_A_PERIOD
        stillness = Stillness(2 * look_s)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._ask_in_turn(look_s))
            while True:
                self.look(stillness)
                await asyncio.sleep(look_s)

    def look(self, stillness: Stillness) -> None:
        """Feed, or say once what stands still."""
        still = stillness.look(self._pulses(), self._clock_s())
        if not still:
            self._manager.status(self._status())
            self._manager.alive()
        elif self._reported != still.keys():
            told = ", ".join(f"{name} for {still_s:.0f} s" for name, still_s in still.items())
            _LOG.error("no progress: %s; the service manager will start the agent anew", told)
            self._manager.status(f"no progress: {told}")
        self._reported = frozenset(still)

    def _pulses(self) -> dict[str, Pulse]:
        pulses = {task.name: task.pulse for task in self._tasks() if task.pulse}
        return pulses | {"the buffer's thread": self._thread}

    async def _ask_in_turn(self, pause_s: float) -> None:
        """One question at a time: a thread that hangs gathers none."""
        with self._thread.turning():
            while True:
                with contextlib.suppress(StoreError):
                    # A disk that refuses is an answer: the thread is alive.
                    await self._ask_thread()
                self._thread.beat()
                await asyncio.sleep(pause_s)
