"""The clean odometer: which readings count, at what value, and why the others do not.

All readings of a vehicle are judged together, those after as well as those before: the story that explains
them at the least price wins. A wrong value that one simple slip explains is kept corrected; three consistent
readings that contradict all before them begin a new segment (a swapped instrument cluster).
"""

from __future__ import annotations

from milepost_server.signals.odometer.clean import clean_odometer
from milepost_server.signals.odometer.identity import Identity, identity
from milepost_server.signals.odometer.keyed import keyed_readings
from milepost_server.signals.odometer.readings import (
    CleanOdometer,
    OdometerReadings,
    OdometerRules,
    Overrule,
)
from milepost_server.signals.odometer.verdict import Verdict

__all__ = [
    "CleanOdometer",
    "Identity",
    "OdometerReadings",
    "OdometerRules",
    "Overrule",
    "Verdict",
    "clean_odometer",
    "identity",
    "keyed_readings",
]
