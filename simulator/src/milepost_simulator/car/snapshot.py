"""What a control unit can know of its car at one instant, whether the car is simulated or recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class TroubleCodes(NamedTuple):
    """The three lists of trouble codes that OBD knows, and the lamp."""

    stored: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    permanent: tuple[str, ...] = ()
    is_mil_on: bool = False


class Snapshot(NamedTuple):
    """One instant of a car.

    ``values`` maps a PID of mode 01 to its physical value, in the unit of `pids.PIDS`; a PID that the
    car does not have is absent. ``voltage_v`` is what an adapter measures at pin 16, ignition on or off.
    """

    is_ignition_on: bool
    voltage_v: float
    vin: str
    values: Mapping[int, float]
    codes: TroubleCodes = TroubleCodes()


class Vehicle(Protocol):
    """A car that can be asked, at any instant that does not lie before the last one asked for."""

    def snapshot(self, now_s: float) -> Snapshot:
        """The state at ``now_s`` seconds since 1970."""
        ...

    def clear_codes(self) -> None:
        """Erase stored and pending codes, as a workshop's tester does (mode 04)."""
        ...
