"""The signals that derivations read, by their paths in the catalogue."""

from __future__ import annotations

from typing import Final

ODOMETER: Final = "Vehicle.TraveledDistance"
ODOMETER_UNCERTAINTY: Final = "Vehicle.Milepost.Odometer.Uncertainty"
DTC: Final = "Vehicle.Milepost.Diagnostics.Dtc"
EVENTS: Final = (DTC,)
"""Those whose values are texts."""
