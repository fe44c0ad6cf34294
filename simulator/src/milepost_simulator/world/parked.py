"""A car that may be parked: read only as the agent's power policy permits, else its battery alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milepost_agent import paths
from milepost_agent.readings import Reading
from milepost_simulator.world.car import ScriptedCar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from milepost_agent.power.permit import BusPermit

CHARGING_V: Final = 14.1
FULL_V: Final = 12.7
RUNNING_RPM: Final = 1_800.0


class ParkedCar(ScriptedCar):
    """Obeys the agent's permit, as an adapter does. ``rest_v`` is what its battery shows while it is off."""

    rest_v = FULL_V

    def obey(self, permit: BusPermit) -> None:
        """See ``milepost_agent.power.permit.AskingSource``."""
        self._permit = permit

    async def readings(self) -> AsyncGenerator[Reading, None]:
        """See ``milepost_agent.readings.Source``."""
        permit = self._permit
        while True:
            await permit.opened()
            if not permit.may_ask:
                permit.feed(Reading(paths.VOLTAGE, CHARGING_V if self.is_on else self.rest_v, self._now_s()))
                await permit.wait(permit.look_interval_s)
                continue
            await permit.wait(self._pause_s())
            if not permit.may_ask:
                continue
            if not self.is_on:
                permit.silent(self._now_s())
                continue
            permit.answered(self._now_s())
            permit.feed(Reading(paths.RPM, RUNNING_RPM, self._now_s()))
            for reading in self._burst():
                yield reading
