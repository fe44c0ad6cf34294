"""Trouble codes on the bus, and how a control unit comes to store, confirm and forget them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from milepost_simulator.car.snapshot import TroubleCodes
from milepost_simulator.errors import UnknownFaultCodeError

CLEAN_CYCLES_TO_LAMP_OFF = 3
WARM_UPS_TO_FORGET = 40
SYSTEMS = "PCBU"


def encode_code(code: str) -> bytes:
    """Two bytes: system in bits 15-14, then one digit of two bits and three hex digits.

    Raises:
        UnknownFaultCodeError: the code does not have that form.
    """
    try:
        if len(code) != 5 or int(code[1]) > 3:
            raise ValueError
        number = SYSTEMS.index(code[0]) << 14 | int(code[1]) << 12 | int(code[2:], 16)
    except ValueError:
        raise UnknownFaultCodeError(code) from None
    return number.to_bytes(2, "big")


class Fault(NamedTuple):
    """A fault that the car will develop: hidden truth.

    From ``onset_m`` on the odometer, each driving cycle shows the fault with probability
    ``occurrence``, ``latency_s`` after the engine started.
    """

    code: str
    onset_m: float
    occurrence: float = 1.0
    latency_s: float = 20.0


@dataclass(slots=True)
class _Monitor:
    """What the control unit remembers of one fault."""

    seen_this_cycle: bool = False
    is_pending: bool = False
    is_stored: bool = False
    is_permanent: bool = False
    commands_lamp: bool = False
    clean_cycles: int = 0
    clean_warm_ups: int = 0


@dataclass(slots=True)
class TroubleMemory:
    """The two-trip logic of OBD: seen once is pending, seen in the next cycle too is confirmed.

    The lamp goes off after three clean cycles, the code is forgotten after forty warm-ups, and a
    permanent code outlives mode 04 until a clean cycle.
    """

    distance_with_mil_m: float = 0.0
    distance_since_cleared_m: float = 0.0
    warm_ups_since_cleared: int = 0
    _monitors: dict[str, _Monitor] = field(default_factory=dict)

    @property
    def codes(self) -> TroubleCodes:
        """The lists as modes 03, 07 and 0A would give them."""
        by_code = self._monitors.items()
        return TroubleCodes(
            stored=tuple(code for code, m in by_code if m.is_stored),
            pending=tuple(code for code, m in by_code if m.is_pending),
            permanent=tuple(code for code, m in by_code if m.is_permanent),
            is_mil_on=self.is_mil_on,
        )

    @property
    def is_mil_on(self) -> bool:
        """Whether any confirmed fault asks for the lamp."""
        return any(m.commands_lamp for m in self._monitors.values())

    def observe(self, code: str) -> None:
        """The fault shows itself now."""
        monitor = self._monitors.setdefault(code, _Monitor())
        if monitor.seen_this_cycle:
            return
        monitor.seen_this_cycle = True
        monitor.clean_cycles = monitor.clean_warm_ups = 0
        if monitor.is_pending or monitor.is_stored:
            monitor.is_stored = monitor.is_permanent = monitor.commands_lamp = True
        monitor.is_pending = True

    def travel(self, distance_m: float) -> None:
        """Count distance with the lamp on and since the last clearing."""
        self.distance_since_cleared_m += distance_m
        if self.is_mil_on:
            self.distance_with_mil_m += distance_m

    def end_cycle(self, *, was_warm_up: bool) -> None:
        """A driving cycle ends: what was not seen in it begins to be forgotten."""
        self.warm_ups_since_cleared += was_warm_up
        for monitor in self._monitors.values():
            if not monitor.seen_this_cycle:
                _forgive(monitor, was_warm_up=was_warm_up)
            monitor.seen_this_cycle = False

    def clear(self) -> None:
        """Mode 04: everything but permanent codes goes, and the counters start anew."""
        kept = {code: _Monitor(is_permanent=True) for code, m in self._monitors.items() if m.is_permanent}
        self._monitors = kept
        self.distance_with_mil_m = self.distance_since_cleared_m = 0.0
        self.warm_ups_since_cleared = 0


def _forgive(monitor: _Monitor, *, was_warm_up: bool) -> None:
    monitor.is_pending = False
    monitor.clean_cycles += 1
    monitor.clean_warm_ups += was_warm_up
    if not monitor.is_stored:
        monitor.is_permanent = False
    if monitor.clean_cycles >= CLEAN_CYCLES_TO_LAMP_OFF:
        monitor.commands_lamp = monitor.is_permanent = False
    if monitor.clean_warm_ups >= WARM_UPS_TO_FORGET:
        monitor.is_stored = False
