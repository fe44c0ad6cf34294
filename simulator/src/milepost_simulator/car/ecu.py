"""A control unit: takes an OBD request as bytes, gives the answer as bytes, or stays silent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_simulator.car.pids import ODOMETER, PIDS
from milepost_simulator.car.trouble import encode_code

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from milepost_simulator.car.snapshot import Snapshot, Vehicle

PIDS_PER_REQUEST_MAX = 6
CODES_PER_REPLY_MAX = 126
MASK_PIDS = (0x00, 0x20, 0x40, 0x60, 0x80, 0xA0, 0xC0)
MONITOR_STATUS = 0x01

SERVICE_NOT_SUPPORTED = 0x11
SUBFUNCTION_NOT_SUPPORTED = 0x12
CONDITIONS_NOT_CORRECT = 0x22

NEGATIVE = 0x7F
POSITIVE = 0x40


@dataclass(frozen=True, slots=True)
class EcuModel:
    """How one control unit of a car behaves.

    ``pids`` limits what it answers (None: all that the car has). ``rejects_c0`` is an old unit that
    answers 7F 01 12 to a mask that it never heard of; ``clears_codes`` says whether mode 04 is obeyed;
    ``odometer_factor`` is 10 for a firmware that publishes A6 unscaled.
    """

    address: int = 0x7E8
    name: str = "ECM-EngineControl"
    pids: frozenset[int] | None = None
    gives_vin: bool = True
    gives_codes: bool = True
    rejects_c0: bool = False
    clears_codes: bool = False
    calibration: str = "MILEPOST-SIM-001"
    odometer_factor: float = 1.0


ENGINE_UNIT = EcuModel()
TRANSMISSION_UNIT = EcuModel(
    address=0x7E9,
    name="TCM-TransmissionCtrl",
    pids=frozenset({0x05, 0x0C, 0x0D, 0x1C, 0x42}),
    gives_vin=False,
    gives_codes=False,
)


class Ecu:
    """Answers modes 01, 03, 04, 07, 09 and 0A for one car."""

    def __init__(self, vehicle: Vehicle, model: EcuModel = ENGINE_UNIT) -> None:
        self.model = model
        self._vehicle = vehicle
        self._modes: dict[int, Callable[[bytes, Snapshot], bytes | None]] = {
            0x01: self._current_data,
            0x03: lambda _, now: self._codes(0x03, now.codes.stored),
            0x04: self._clear,
            0x07: lambda _, now: self._codes(0x07, now.codes.pending),
            0x09: self._vehicle_information,
            0x0A: lambda _, now: self._codes(0x0A, now.codes.permanent),
        }

    def respond(self, request: bytes, now: Snapshot, *, is_functional: bool = True) -> bytes | None:
        """The answer's payload, or None where this unit stays silent.

        To a request for all units, a unit that cannot serve it is silent; one that was asked by its own
        address refuses with 7F.
        """
        if not request or not now.is_ignition_on:
            return None
        handler = self._modes.get(request[0])
        answer = handler(request[1:], now) if handler else None
        if answer is None and not is_functional:
            code = SUBFUNCTION_NOT_SUPPORTED if handler else SERVICE_NOT_SUPPORTED
            return bytes((NEGATIVE, request[0], code))
        return answer

    def _supported(self, now: Snapshot) -> frozenset[int]:
        known = frozenset(now.values) & PIDS.keys()
        mine = known if self.model.pids is None else known & self.model.pids
        return mine | {MONITOR_STATUS}

    def _current_data(self, pids: bytes, now: Snapshot) -> bytes | None:
        if not 0 < len(pids) <= PIDS_PER_REQUEST_MAX:
            return None
        if self.model.rejects_c0 and 0xC0 in pids:
            return bytes((NEGATIVE, 0x01, SUBFUNCTION_NOT_SUPPORTED))
        supported = self._supported(now)
        parts = [self._one(pid, supported, now) for pid in pids]
        body = b"".join(part for part in parts if part is not None)
        return bytes((POSITIVE | 0x01,)) + body if body else None

    def _one(self, pid: int, supported: frozenset[int], now: Snapshot) -> bytes | None:
        if pid in MASK_PIDS:
            mask = support_mask(pid, supported)
            # A unit answers for a range only where it has something in it; 00 it always answers.
            return bytes((pid,)) + mask if any(mask) or pid == 0 else None
        if pid not in supported:
            return None
        if pid == MONITOR_STATUS:
            return bytes((pid,)) + self._monitor_status(now)
        value = now.values[pid]
        if pid == ODOMETER:
            value *= self.model.odometer_factor
        return bytes((pid,)) + PIDS[pid].encode(value)

    def _monitor_status(self, now: Snapshot) -> bytes:
        stored = now.codes.stored if self.model.gives_codes else ()
        lamp = now.codes.is_mil_on and self.model.gives_codes
        # Misfire, fuel and component monitors (B), catalyst and oxygen sensors (C): all there, all complete.
        return bytes((lamp << 7 | min(len(stored), 127), 0x07, 0x65, 0x00))

    def _codes(self, mode: int, codes: Sequence[str]) -> bytes:
        mine = codes[:CODES_PER_REPLY_MAX] if self.model.gives_codes else ()
        return bytes((POSITIVE | mode, len(mine))) + b"".join(encode_code(code) for code in mine)

    def _clear(self, _: bytes, __: Snapshot) -> bytes:
        if not self.model.clears_codes:
            return bytes((NEGATIVE, 0x04, CONDITIONS_NOT_CORRECT))
        self._vehicle.clear_codes()
        return bytes((POSITIVE | 0x04,))

    def _vehicle_information(self, types: bytes, now: Snapshot) -> bytes | None:
        if len(types) != 1:
            return None
        items = {0x04: self.model.calibration.encode().ljust(16, b"\0"), 0x0A: _unit_name(self.model.name)}
        if self.model.gives_vin:
            items[0x02] = now.vin.encode("ascii")
        if types[0] == 0x00:
            return bytes((POSITIVE | 0x09, 0x00)) + support_mask(0x00, frozenset(items))
        item = items.get(types[0])
        return None if item is None else bytes((POSITIVE | 0x09, types[0], 1)) + item


def support_mask(first: int, supported: frozenset[int]) -> bytes:
    """The 32 bits for ``first + 1`` .. ``first + 32``, first PID in the highest bit.

    The last bit says that the next mask has something to say.
    """
    bits = 0
    for offset in range(1, 33):
        is_next_mask = offset == 32 and any(pid > first + 32 for pid in supported)
        if first + offset in supported or is_next_mask:
            bits |= 1 << 32 - offset
    return bits.to_bytes(4, "big")


def _unit_name(name: str) -> bytes:
    return name.encode()[:20].ljust(20, b"\0")
