"""One open bus and who listens to it: what is heard becomes readings, also while an answer is awaited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from milepost_agent.readings import Reading
    from milepost_agent.sources.can.bus import Bus, Heard
    from milepost_agent.sources.can.exchange import Exchange
    from milepost_agent.sources.can.listening import Listener
    from milepost_agent.sources.can.status import Status
    from milepost_agent.sources.can.watch import BusWatch

LISTEN_S_MAX: Final = 1.0
"""Longest wait for a frame before time is looked at again."""


class Line:
    """Speaks and listens on one bus. ``watch`` is told of each frame while there is one."""

    def __init__(self, bus: Bus, listener: Listener, status: Status, clock: Callable[[], float]) -> None:
        self.listener = listener
        self.watch: BusWatch | None = None
        self._bus = bus
        self._status = status
        self._clock = clock

    async def listen(self, wait_s: float) -> list[Reading]:
        """What is heard now, or within ``wait_s``.

        Raises:
            PortError: the bus is gone.
        """
        heard = await self._bus.frames(min(wait_s, LISTEN_S_MAX))
        return [reading for one in heard for reading in self._take(one)]

    async def ask(self, exchange: Exchange) -> AsyncGenerator[Reading, None]:
        """Run ``exchange`` until it is over; gives what the car says by itself meanwhile.

        Raises:
            PortError: the bus is gone.
        """
        await self._bus.send(exchange.frame)
        while not exchange.is_over(now_s := self._clock()):
            for heard in await self._bus.frames(min(exchange.wait_s(now_s), LISTEN_S_MAX)):
                flow_control = exchange.feed(heard.frame, heard.mono_s)
                if flow_control is not None:
                    await self._bus.send(flow_control)
                for reading in self._take(heard):
                    yield reading
        self._status.count(exchange)

    def _take(self, heard: Heard) -> list[Reading]:
        if self.watch is not None:
            self.watch.heard(heard.mono_s)
        return self.listener.readings(heard.frame, heard.mono_s)
