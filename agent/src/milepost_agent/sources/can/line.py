"""One open bus and who listens to it: what is heard becomes readings, also while an answer is awaited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable

    from milepost_agent.pulse import Pulse
    from milepost_agent.readings import Reading
    from milepost_agent.sources.can.bus import Bus, Heard
    from milepost_agent.sources.can.exchange import Exchange
    from milepost_agent.sources.can.gate import Gate
    from milepost_agent.sources.can.listening import Listener
    from milepost_agent.sources.can.status import Status
    from milepost_agent.sources.can.watch import BusWatch
    from milepost_agent.sources.obd.addresses import CanId

LISTEN_S_MAX: Final = 1.0
"""Longest wait for a frame before time is looked at again."""
LIFE_S_MAX: Final = 1.0
"""A bus that is awake says something within this time: units tell at least once a second that they live."""


class Line:
    """Speaks and listens on one bus. ``watch`` is told of each frame while there is one.

    ``pulse`` beats once in each wait for frames, which takes ``LISTEN_S_MAX`` at most.
    """

    def __init__(
        self, bus: Bus, listener: Listener, status: Status, clock: Callable[[], float], pulse: Pulse
    ) -> None:
        self.listener = listener
        self._pulse = pulse
        self.watch: BusWatch | None = None
        self._bus = bus
        self._status = status
        self._clock = clock
        self._wanted: tuple[CanId, ...] | None = None
        self._is_wide = True
        self._frames = 0

    def want(self, ids: Iterable[CanId] | None) -> None:
        """Hear these frames and answers of OBD only, so that a busy bus costs little; ``None``: all."""
        self._wanted = None if ids is None else tuple(ids)
        self._is_wide = False
        self._bus.hear_only(self._wanted)

    def admit(self, gate: Gate) -> None:
        """Let what is sent from now on pass this gate."""
        self._bus.gate = gate

    async def look(self) -> tuple[bool, list[Reading]]:
        """Whether anything at all is heard now, and the readings in it; from then on all is heard.

        Raises:
            PortError: the bus is gone.
        """
        if not self._is_wide:
            self._is_wide = True
            self._bus.hear_only(None)
        before = self._frames
        readings = await self.listen(LIFE_S_MAX)
        return self._frames > before, readings

    def narrow(self) -> None:
        """Hear no more than was wanted, after a look."""
        if self._is_wide:
            self._is_wide = False
            self._bus.hear_only(self._wanted)

    async def listen(self, wait_s: float) -> list[Reading]:
        """What is heard now, or within ``wait_s``.

        Raises:
            PortError: the bus is gone.
        """
        heard = await self._bus.frames(min(wait_s, LISTEN_S_MAX))
        self._pulse.beat()
        return [reading for one in heard for reading in self._take(one)]

    async def ask(self, exchange: Exchange) -> AsyncGenerator[Reading, None]:
        """Run ``exchange`` until it is over; gives what the car says by itself meanwhile.

        Raises:
            PortError: the bus is gone.
        """
        await self._bus.send(exchange.frame)
        while not exchange.is_over(now_s := self._clock()):
            self._pulse.beat()
            for heard in await self._bus.frames(min(exchange.wait_s(now_s), LISTEN_S_MAX)):
                flow_control = exchange.feed(heard.frame, heard.mono_s)
                if flow_control is not None:
                    await self._bus.send(flow_control)
                for reading in self._take(heard):
                    yield reading
        self._status.count(exchange)

    def _take(self, heard: Heard) -> list[Reading]:
        self._frames += 1
        if self.watch is not None:
            self.watch.heard(heard.mono_s)
        return self.listener.readings(heard.frame, heard.mono_s)
