"""How soon a person has to act on each fault, P0 to P3, and the reason in words.

The code says the most (`systems`); what the car says of it moves that: seen once only, a lamp, a code that
came back. Nothing but the code itself or a flashing lamp ever makes a fault a reason to stop.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from milepost_server.signals.faults.fleet import (
    CLEARED,
    CONFIRMED,
    PENDING,
    PERMANENT,
    FaultRules,
    FleetFaults,
)
from milepost_server.signals.faults.systems import CodeTable
from milepost_server.signals.flat import Bools, Ints

P0, P1, P2, P3 = range(4)
NO_FAULT = 4
"""The urgency of a vehicle without faults: after P3 in every order."""


class Lamp(enum.IntEnum):
    """The malfunction indicator lamp."""

    UNKNOWN = -1
    OFF = 0
    ON = 1
    FLASHING = 2


class StatusBit(enum.IntFlag):
    """The status byte of a code (ISO 14229-1, annex D)."""

    FAILING = 0x01
    FAILED_THIS_CYCLE = 0x02
    PENDING = 0x04
    CONFIRMED = 0x08
    NOT_TESTED_SINCE_CLEAR = 0x10
    FAILED_SINCE_CLEAR = 0x20
    NOT_TESTED_THIS_CYCLE = 0x40
    LAMP_REQUESTED = 0x80


NO_BITS = -1
"""Where no control unit told a status byte."""


class Why(enum.IntFlag):
    """What moved the urgency of a fault, or is worth saying beside it."""

    PENDING = 1
    CLEARED = 2
    RECURRING = 4
    LAMP_ON = 8
    FLASHING = 16
    FAILING_NOW = 32
    NOT_FAILING_NOW = 64
    PERMANENT = 128


_WORDS: dict[Why, str] = {
    Why.FLASHING: "the engine lamp flashes: the misfire is destroying the catalyst now",
    Why.PENDING: "seen in one drive, not yet confirmed",
    Why.PERMANENT: "stays until the car itself has seen it mended",
    Why.CLEARED: "cleared, and not seen since",
    Why.RECURRING: "it came back after it was cleared",
    Why.LAMP_ON: "a warning lamp is on",
    Why.FAILING_NOW: "it fails at this moment",
    Why.NOT_FAILING_NOW: "it does not fail at this moment",
}


def status_of_bits(bits: Ints) -> Ints:
    """The status (N) that status bytes (N) amount to: confirmed before pending before cleared."""
    pending = np.where(bits & StatusBit.PENDING, PENDING, CLEARED)
    return np.where(bits & StatusBit.CONFIRMED, CONFIRMED, pending)


@dataclass(frozen=True, slots=True)
class Urgencies:
    """How soon to act on each of F faults of V vehicles."""

    level: Ints  # (F) 0 for P0 .. 3 for P3
    why: Ints  # (F) bits of `Why`
    worst: Ints  # (V) the least level of each vehicle's active faults; NO_FAULT without any


def urgencies(faults: FleetFaults, table: CodeTable, lamp: Ints, bits: Ints, rules: FaultRules) -> Urgencies:
    """Judge F faults; ``lamp`` (V) is a `Lamp`, ``bits`` (F) a status byte or NO_BITS."""
    why = _why(faults, table, lamp[faults.vehicle], bits, rules)
    level = table.urgency[faults.code] + ((why & Why.PENDING) > 0)
    raised = ((why & Why.RECURRING) > 0) | (((why & Why.LAMP_ON) > 0) & (level == P3))
    level = np.where(raised, np.maximum(level - 1, np.minimum(level, P1)), level)
    level = np.where((why & Why.FLASHING) > 0, P0, np.minimum(level, P3))
    level = np.where((why & Why.CLEARED) > 0, P3, level)
    worst = np.full(len(faults.offsets) - 1, NO_FAULT, dtype=np.int64)
    active = faults.is_active
    np.minimum.at(worst, faults.vehicle[active], level[active])
    return Urgencies(level, why, worst)


def _why(faults: FleetFaults, table: CodeTable, lamp: Ints, bits: Ints, rules: FaultRules) -> Ints:
    active = faults.is_active
    engine = np.array([system.part == "powertrain" for system in table.systems])[table.system[faults.code]]
    misfire = np.array([system.key == "misfire" for system in table.systems])[table.system[faults.code]]
    told = bits != NO_BITS
    tested = told & (bits & StatusBit.NOT_TESTED_THIS_CYCLE == 0)
    failing = bits & StatusBit.FAILING > 0
    proven = active & (faults.status != PENDING)
    asked = told & (bits & StatusBit.LAMP_REQUESTED > 0)
    reasons: list[tuple[Why, Bools]] = [
        (Why.PENDING, faults.status == PENDING),
        (Why.PERMANENT, faults.status == PERMANENT),
        (Why.CLEARED, ~active),
        (Why.RECURRING, active & (faults.returns >= rules.recurring_returns_min)),
        # Where no unit says which code asks for the engine's lamp, those proven of the engine do.
        (Why.LAMP_ON, active & (asked | (~told & proven & engine & (lamp >= Lamp.ON)))),
        (Why.FLASHING, active & misfire & (lamp == Lamp.FLASHING)),
        (Why.FAILING_NOW, active & tested & failing),
        (Why.NOT_FAILING_NOW, active & tested & ~failing),
    ]
    why = np.zeros(len(active), dtype=np.int64)
    for reason, holds in reasons:
        why |= np.where(holds, int(reason), 0)
    return why


def reason_words(code: int, why: int, table: CodeTable) -> str:
    """Why a fault is as urgent as it is: ``unburnt fuel reaches the catalyst ...; a warning lamp is on``."""
    about = table.reasons[table.reason[code]]
    return "; ".join([about, *(words for reason, words in _WORDS.items() if why & reason)])
