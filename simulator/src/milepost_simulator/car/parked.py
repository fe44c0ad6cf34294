"""A car that stands for weeks with a gateway in it: what the gateway and its adapter draw, the battery pays.

The currents are round figures for a usual installation, at 12 V: an ELM327 with its transceivers, a small
Linux gateway with a modem. An installation of one's own has others; the shape of the result does not change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from milepost_simulator.car.battery import Battery
from milepost_simulator.car.climate import TEMPERATE, Climate
from milepost_simulator.car.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

ADAPTER_A: Final = 0.035
ADAPTER_LOW_POWER_A: Final = 0.003
GATEWAY_ONLINE_A: Final = 0.160
"""Awake, with its modem connected."""
GATEWAY_OFFLINE_A: Final = 0.080
"""Awake, with its modem idle."""
GATEWAY_ASLEEP_A: Final = 0.004
ADVANCE_S_MAX: Final = 3600.0
"""The weather is taken anew after so long."""
START_V_MIN: Final = 11.9
"""A battery that rests below this may fail to turn a cold engine: about a quarter of its charge is left."""


@dataclass(frozen=True, slots=True)
class Draw:
    """What an agent lets its surroundings draw now."""

    is_adapter_low: bool = False
    is_online: bool = True
    is_asleep: bool = False

    @property
    def current_a(self) -> float:
        """All of it together."""
        adapter_a = ADAPTER_LOW_POWER_A if self.is_adapter_low else ADAPTER_A
        if self.is_asleep:
            return adapter_a + GATEWAY_ASLEEP_A
        return adapter_a + (GATEWAY_ONLINE_A if self.is_online else GATEWAY_OFFLINE_A)


class ParkedCar:
    """Stands with its ignition off from ``now_s`` on, and is asked for its voltage only.

    Args:
        vin: what it would say of itself.
        now_s: seconds since 1970.
        draw: what gateway and adapter draw now; asked at each instant that somebody looks at.
    """

    def __init__(
        self,
        vin: str,
        now_s: float,
        draw: Callable[[], Draw],
        battery: Battery | None = None,
        climate: Climate = TEMPERATE,
    ) -> None:
        self.battery = battery or Battery()
        self._vin = vin
        self._now_s = now_s
        self._draw = draw
        self._climate = climate

    def advance(self, now_s: float) -> None:
        """Stand until ``now_s``, drawn from as ``draw`` says now."""
        while self._now_s < now_s:
            step_s = min(now_s - self._now_s, ADVANCE_S_MAX)
            ambient_c = self._climate.ambient_c(self._now_s)
            self.battery.rest(step_s, ambient_c, self._draw().current_a)
            self._now_s += step_s

    def snapshot(self, now_s: float) -> Snapshot:
        """The state at ``now_s``: ignition off, and the voltage at rest."""
        self.advance(now_s)
        return Snapshot(
            is_ignition_on=False, voltage_v=self.battery.rest_voltage_v(), vin=self._vin, values={}
        )

    def clear_codes(self) -> None:
        """There is nobody to ask."""
