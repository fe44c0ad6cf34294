"""A car whose state a test sets by hand, for the simulator's control units and adapters."""

from __future__ import annotations

from milepost_simulator.car.snapshot import Snapshot, TroubleCodes

START_S = 1_780_000_000.0
VIN = "XMPTESTCAR0000042"


class StandingCar:
    """A car with ignition on, two values and no codes, until a test says otherwise."""

    def __init__(self) -> None:
        self.state = Snapshot(is_ignition_on=True, voltage_v=12.6, vin=VIN, values={0x0C: 1726.0, 0x0D: 50.0})
        self.clearings = 0

    def snapshot(self, now_s: float) -> Snapshot:
        """The state, whatever the time."""
        return self.state

    def clear_codes(self) -> None:
        """Counts, and clears."""
        self.clearings += 1
        self.state = self.state._replace(codes=TroubleCodes())

    def set_values(self, values: dict[int, float]) -> None:
        """Other values of mode 01."""
        self.state = self.state._replace(values=values)

    def set_codes(self, codes: TroubleCodes) -> None:
        """Other trouble codes."""
        self.state = self.state._replace(codes=codes)

    def turn_off(self, voltage_v: float = 12.6) -> None:
        """Ignition off."""
        self.state = self.state._replace(is_ignition_on=False, voltage_v=voltage_v)

    def turn_on(self) -> None:
        """Ignition on."""
        self.state = self.state._replace(is_ignition_on=True)
