"""The signals that derivations read, by their paths in the catalogue."""

from __future__ import annotations

from typing import Final

ODOMETER: Final = "Vehicle.TraveledDistance"
ODOMETER_UNCERTAINTY: Final = "Vehicle.Milepost.Odometer.Uncertainty"
DTC: Final = "Vehicle.Milepost.Diagnostics.Dtc"
DTC_DETAIL: Final = "Vehicle.Milepost.Diagnostics.DtcDetail"
EVENTS: Final = (DTC, DTC_DETAIL)
"""Those whose values are texts."""
LAMP: Final = "Vehicle.Milepost.Diagnostics.IsMilOn"
SINCE_CLEARED: Final = "Vehicle.Milepost.Diagnostics.DistanceSinceCleared"
CODES_CLEARED: Final = "Vehicle.Milepost.Diagnostics.CodesCleared"
BATTERY: Final = (
    "Vehicle.Milepost.Battery.CrankingMinimum",
    "Vehicle.Milepost.Battery.RestVoltage",
    "Vehicle.Milepost.Battery.StateOfHealth",
)
"""In the order of `signals.health.battery.Measure`."""
PACK: Final = "Vehicle.Powertrain.TractionBattery.StateOfHealth"
HEALTH: Final = (LAMP, SINCE_CLEARED, CODES_CLEARED, *BATTERY, PACK)
"""What faults and batteries are judged by, beside the codes themselves."""
