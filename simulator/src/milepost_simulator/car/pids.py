"""Mode 01 as a car answers it: each PID's physical value put into bytes.

Written from SAE J1979 / ISO 15031-5, on purpose without a look at the agent's table: this side encodes,
the agent decodes, and a mistake in either shows in the tests.
"""

from __future__ import annotations

from typing import NamedTuple

LOAD = 0x04
COOLANT = 0x05
SHORT_TRIM = 0x06
LONG_TRIM = 0x07
MANIFOLD = 0x0B
ENGINE_SPEED = 0x0C
SPEED = 0x0D
TIMING = 0x0E
INTAKE_AIR = 0x0F
THROTTLE = 0x11
OBD_STANDARD = 0x1C
RUN_TIME = 0x1F
DISTANCE_WITH_MIL = 0x21
PURGE = 0x2E
FUEL_LEVEL = 0x2F
WARM_UPS = 0x30
DISTANCE_SINCE_CLEARED = 0x31
BAROMETER = 0x33
CATALYST_1 = 0x3C
CATALYST_2 = 0x3E
VOLTAGE = 0x42
COMMANDED_RATIO = 0x44
RELATIVE_THROTTLE = 0x45
AMBIENT_AIR = 0x46
THROTTLE_B = 0x47
PEDAL_D = 0x49
PEDAL_E = 0x4A
THROTTLE_ACTUATOR = 0x4C
TIME_WITH_MIL = 0x4D
TIME_SINCE_CLEARED = 0x4E
PACK_LIFE = 0x5B
OIL = 0x5C
ODOMETER = 0xA6


class Pid(NamedTuple):
    """How one value goes onto the bus: ``raw = value * per_unit + offset``, big endian, clipped."""

    unit: str
    length: int
    per_unit: float
    offset: float = 0.0

    def encode(self, value: float) -> bytes:
        """The data bytes; a value beyond what the bytes can say is clipped, as control units do."""
        raw = int(value * self.per_unit + self.offset + 0.5)
        return max(0, min(raw, (1 << 8 * self.length) - 1)).to_bytes(self.length, "big")


_PERCENT = Pid("%", 1, 255 / 100)
_CELSIUS = Pid("Celsius", 1, 1, 40)
_TRIM = Pid("%", 1, 128 / 100, 128)
_KM = Pid("km", 2, 1)
_CATALYST = Pid("Celsius", 2, 10, 400)

PIDS: dict[int, Pid] = {
    LOAD: _PERCENT,
    COOLANT: _CELSIUS,
    SHORT_TRIM: _TRIM,
    LONG_TRIM: _TRIM,
    MANIFOLD: Pid("kPa", 1, 1),
    ENGINE_SPEED: Pid("rpm", 2, 4),
    SPEED: Pid("km/h", 1, 1),
    TIMING: Pid("degrees", 1, 2, 128),
    INTAKE_AIR: _CELSIUS,
    THROTTLE: _PERCENT,
    OBD_STANDARD: Pid("", 1, 1),
    RUN_TIME: Pid("s", 2, 1),
    DISTANCE_WITH_MIL: _KM,
    PURGE: _PERCENT,
    FUEL_LEVEL: _PERCENT,
    WARM_UPS: Pid("", 1, 1),
    DISTANCE_SINCE_CLEARED: _KM,
    BAROMETER: Pid("kPa", 1, 1),
    CATALYST_1: _CATALYST,
    CATALYST_2: _CATALYST,
    VOLTAGE: Pid("V", 2, 1000),
    COMMANDED_RATIO: Pid("", 2, 32768),
    RELATIVE_THROTTLE: _PERCENT,
    AMBIENT_AIR: _CELSIUS,
    THROTTLE_B: _PERCENT,
    PEDAL_D: _PERCENT,
    PEDAL_E: _PERCENT,
    THROTTLE_ACTUATOR: _PERCENT,
    TIME_WITH_MIL: Pid("min", 2, 1),
    TIME_SINCE_CLEARED: Pid("min", 2, 1),
    PACK_LIFE: _PERCENT,
    OIL: _CELSIUS,
    ODOMETER: Pid("km", 4, 10),
}
