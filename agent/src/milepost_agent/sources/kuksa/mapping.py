"""Which signal of a databroker is which of ours, and how its values become ours. Pure.

The broker says in which unit each of its signals is, and only that is believed: ``Vehicle.TraveledDistance``
is metres since VSS 6 and was kilometres before, under the same name. A signal whose unit is not said, or is
of another kind, is not read.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from milepost_agent import paths
from milepost_agent.errors import SourceConfigError
from milepost_agent.sources.kuksa.settings import ALL_PATHS
from milepost_agent.sources.kuksa.units import Conversion, conversion
from milepost_protocol.errors import ValueRefusedError
from milepost_protocol.identity import check_vin
from milepost_protocol.signals import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from milepost_protocol.signals import Signal, Value

PATHS_MAX: Final = 256
ALIASES: Final = {
    "Vehicle.Powertrain.CombustionEngine.ECT": paths.COOLANT,
    "Vehicle.Powertrain.CombustionEngine.EOT": paths.OIL_TEMPERATURE,
    "Vehicle.Diagnostics.DTCList": paths.DTC_CONFIRMED,
    "Vehicle.OBD.DTCList": paths.DTC_CONFIRMED,
}
"""Names of earlier VSS versions, and the list of codes, which goes into the edge as a whole."""
SYSTEM_STATES: Final = {
    "LOCK": paths.STATE_OFF,
    "OFF": paths.STATE_OFF,
    "ACC": paths.STATE_OFF,
    "ON": paths.STATE_ON,
    "START": paths.STATE_START,
}
CODE: Final = re.compile(r"[PCBU][0-9A-F]{4}")


class Described(NamedTuple):
    """A signal as the broker describes it; ``unit`` is "" where it says none."""

    path: str
    unit: str


class Route(NamedTuple):
    """From a path of the broker to a signal of ours."""

    path: str
    signal: str
    convert: Conversion

    def value(self, given: object) -> Value:
        """``given`` by the broker, as our signal's own type and in its unit.

        Raises:
            ValueRefusedError, VinError: it cannot be one.
        """
        if self.signal in paths.INNER:
            return _codes(self.signal, given)
        signal = catalogue()[self.signal]
        if signal.is_text:
            return _text(signal, given)
        if signal.datatype == "boolean":
            if not isinstance(given, bool):
                raise ValueRefusedError(self.signal, given, "is neither true nor false")
            return given
        return self._number(signal, given)

    def _number(self, signal: Signal, given: object) -> Value:
        is_number = isinstance(given, int | float) and not isinstance(given, bool)
        if not is_number or not math.isfinite(float(str(given))):
            raise ValueRefusedError(self.signal, given, "is no number")
        value = self.convert(float(str(given)))
        return signal.check(value if signal.datatype == "float" else round(value))


class Plan(NamedTuple):
    """What is subscribed to, by path, and why the rest of what was wanted is not."""

    routes: dict[str, Route]
    refused: dict[str, str]


def wanted_paths(setting: str) -> frozenset[str] | None:
    """The paths that the setting names; ``None``: all.

    Raises:
        SourceConfigError: too many, or one that nothing is made of.
    """
    if setting.strip() == ALL_PATHS:
        return None
    wanted = frozenset(setting.split())
    if not 0 < len(wanted) <= PATHS_MAX:
        raise SourceConfigError("paths", f"has {len(wanted)} signals, should have 1 to {PATHS_MAX}, or be *")
    for path in sorted(wanted):
        if _ours(path) is None:
            raise SourceConfigError(
                "paths", f"{path[:128]!r} is none that the agent reads; see docs/protocol"
            )
    return wanted


def make_plan(described: Iterable[Described], wanted: frozenset[str] | None) -> Plan:
    """What to subscribe to at a broker that has the signals ``described``."""
    found = {entry.path: entry for entry in described if wanted is None or entry.path in wanted}
    missing = sorted((wanted or set()) - found.keys())
    plan = Plan({}, dict.fromkeys(missing, "the broker does not have it"))
    # Where the broker has a signal by its present name and by an earlier one, the present one counts.
    taken: set[str] = set()
    for path in sorted(found, key=lambda path: (path in ALIASES, path)):
        signal = _ours(path)
        if signal is None or signal in taken:
            continue
        unit = "" if signal in paths.INNER else catalogue()[signal].unit
        convert = conversion(found[path].unit, unit)
        if convert is None:
            said = repr(found[path].unit) if found[path].unit else "not said"
            plan.refused[path] = f"its unit is {said}, {unit or 'none'} is wanted"
            continue
        taken.add(signal)
        plan.routes[path] = Route(path, signal, convert)
    return plan


def _ours(path: str) -> str | None:
    """Our signal at the broker's ``path``, if it is one that is read from a car."""
    signal = ALIASES.get(path, path)
    if signal in paths.INNER or (signal in catalogue() and signal not in paths.DERIVED):
        return signal
    return None


def _text(signal: Signal, given: object) -> str:
    if not isinstance(given, str):
        raise ValueRefusedError(signal.path, given, "is no text")
    if signal.path == paths.SYSTEM_STATE:
        if given not in SYSTEM_STATES:
            raise ValueRefusedError(signal.path, given, f"is none of {', '.join(SYSTEM_STATES)}")
        return SYSTEM_STATES[given]
    return str(signal.check(check_vin(given) if signal.path == paths.VIN else given))


def _codes(signal: str, given: object) -> str:
    """Trouble codes with blanks between; what follows a code (a failure type) goes."""
    if not isinstance(given, list):
        raise ValueRefusedError(signal, given, "is no list of trouble codes")
    found = [CODE.match(str(text).strip().upper()) for text in given]
    return " ".join(sorted({match.group() for match in found if match}))
