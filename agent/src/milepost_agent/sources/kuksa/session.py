"""The session with a databroker: connect, ask what it has, listen; begin again when it goes away."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from contextlib import aclosing
from typing import TYPE_CHECKING

from milepost_agent.errors import DatabrokerError, SourceConfigError
from milepost_agent.readings import Reading
from milepost_agent.sources.kuksa.mapping import make_plan
from milepost_protocol.errors import ProtocolError
from milepost_protocol.signals import SignalClass, catalogue

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
    from contextlib import AbstractAsyncContextManager

    from milepost_agent.backoff import Backoff
    from milepost_agent.sources.kuksa.broker import Databroker, Update
    from milepost_agent.sources.kuksa.mapping import Plan
    from milepost_protocol.signals import Value

_LOG = logging.getLogger(__name__)


class KuksaSource:
    """Reads a databroker until it is cancelled.

    Args:
        connect: a connection, made anew after each loss.
        wanted: the paths to subscribe to; ``None``: all that are of use.
        backoff: how long to wait between attempts.
        clock: the monotonic clock, in seconds.
        sleep: waits so many seconds of that clock.
    """

    name = "kuksa"

    def __init__(
        self,
        connect: Callable[[], AbstractAsyncContextManager[Databroker]],
        wanted: frozenset[str] | None,
        backoff: Backoff,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._connect = connect
        self._wanted = wanted
        self._backoff = backoff
        self._clock = clock
        self._sleep = sleep
        self._state = "connecting"
        self._api = ""
        self._plan: Plan | None = None
        self._last_error = ""
        self._counts: Counter[str] = Counter()

    async def readings(self) -> AsyncGenerator[Reading, None]:
        """All readings from now on. That a broker is gone says nothing of the car, so it is not told."""
        while True:
            self._state = "connecting"
            try:
                async with aclosing(self._connected()) as readings:
                    async for reading in readings:
                        yield reading
            except (DatabrokerError, SourceConfigError) as error:
                self._failed(error)
            await self._sleep(self._backoff.next_s())

    async def _connected(self) -> AsyncGenerator[Reading, None]:
        async with self._connect() as broker:
            plan = make_plan(await broker.describe(), self._wanted)
            self._plan, self._api = plan, broker.version
            if not plan.routes:
                why = next(iter(plan.refused.values()), "none of the catalogue is there")
                raise DatabrokerError("", f"has no signal to read: {why}")
            async with aclosing(broker.updates(sorted(plan.routes))) as stream:
                is_first = True
                async for updates in stream:
                    if is_first:
                        self._subscribed(plan)
                    for reading in self._judge(plan, updates, are_current=is_first):
                        yield reading
                    is_first = False

    def _subscribed(self, plan: Plan) -> None:
        self._state = "subscribed"
        self._counts["connects"] += 1
        self._backoff.reset()
        for path, why in plan.refused.items():
            _LOG.warning("%s is not read: %s", path, why)

    def _judge(self, plan: Plan, updates: Iterable[Update], *, are_current: bool) -> list[Reading]:
        """The readings in ``updates``; values that lay there before (``are_current``) may be of yesterday."""
        heard_s = self._clock()
        readings = []
        for update in updates:
            route = plan.routes.get(update.path)
            if route is None or update.value is None:
                self._counts["empty"] += 1
                continue
            if are_current and _is_fine(route.signal):
                self._counts["stale"] += 1
                continue
            try:
                readings.append(Reading(route.signal, route.value(update.value), heard_s))
            except ProtocolError as error:
                self._counts["refused"] += 1
                self._last_error = str(error)
        self._counts["readings"] += len(readings)
        return readings

    def _failed(self, error: DatabrokerError | SourceConfigError) -> None:
        self._state = "failed"
        self._counts["failures"] += 1
        self._last_error = str(error)
        _LOG.warning("%s", error)

    def status(self) -> Mapping[str, Value]:
        plan = self._plan
        counts = {
            name: self._counts[name]
            for name in ("connects", "failures", "readings", "refused", "empty", "stale")
        }
        return {
            "state": self._state,
            "api": self._api,
            "signals": len(plan.routes) if plan else 0,
            "not_read": ", ".join(sorted(plan.refused)) if plan else "",
            **counts,
            "last_error": self._last_error,
        }


def _is_fine(signal: str) -> bool:
    known = catalogue()
    return signal in known and known[signal].signal_class is SignalClass.SERIES
