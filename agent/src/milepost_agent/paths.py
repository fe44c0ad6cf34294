"""The signals that the agent reads and derives, by the names of the catalogue.

Names under ``Inner.`` pass between a source and an accumulator; they are not in the catalogue, so they cannot
be sent.
"""

from __future__ import annotations

from typing import Final

# Read from the car.
SPEED: Final = "Vehicle.Speed"
RPM: Final = "Vehicle.Powertrain.CombustionEngine.Speed"
COOLANT: Final = "Vehicle.Powertrain.CombustionEngine.EngineCoolant.Temperature"
OIL_TEMPERATURE: Final = "Vehicle.Powertrain.CombustionEngine.EngineOil.Temperature"
RUN_TIME: Final = "Vehicle.Milepost.Engine.RunTime"
VOLTAGE: Final = "Vehicle.LowVoltageBattery.CurrentVoltage"
TRACTION_BATTERY_HEALTH: Final = "Vehicle.Powertrain.TractionBattery.StateOfHealth"
SYSTEM_STATE: Final = "Vehicle.LowVoltageSystemState"
VIN: Final = "Vehicle.VehicleIdentification.VIN"
DISTANCE_SINCE_CLEARED: Final = "Vehicle.Milepost.Diagnostics.DistanceSinceCleared"

# Read from the car, or derived where the car does not say.
ODOMETER: Final = "Vehicle.TraveledDistance"

# Derived.
ODOMETER_SOURCE: Final = "Vehicle.Milepost.Odometer.Source"
ODOMETER_UNCERTAINTY: Final = "Vehicle.Milepost.Odometer.Uncertainty"
DISTANCE: Final = "Vehicle.Milepost.Distance.Integrated"
DISTANCE_UNCERTAINTY: Final = "Vehicle.Milepost.Distance.Uncertainty"
ENGINE_HOURS: Final = "Vehicle.Powertrain.CombustionEngine.EngineHours"
IDLE_HOURS: Final = "Vehicle.Powertrain.CombustionEngine.IdleHours"
REVOLUTIONS: Final = "Vehicle.Milepost.Engine.Revolutions"
OIL_WEIGHTED_REVOLUTIONS: Final = "Vehicle.Milepost.Engine.OilWeightedRevolutions"
STARTS: Final = "Vehicle.Milepost.Engine.Starts"
COLD_STARTS: Final = "Vehicle.Milepost.Engine.ColdStarts"
BRAKE_ENERGY: Final = "Vehicle.Milepost.Brake.Energy"
TRIP_COUNT: Final = "Vehicle.Milepost.Trip.Count"
TRIP_IS_ONGOING: Final = "Vehicle.Milepost.Trip.IsOngoing"
CRANKING_MINIMUM: Final = "Vehicle.Milepost.Battery.CrankingMinimum"
REST_VOLTAGE: Final = "Vehicle.Milepost.Battery.RestVoltage"
POWER_STATE: Final = "Vehicle.Milepost.Power.State"
SERVICE_ENTRY: Final = "Vehicle.Milepost.Service.Entry"
DTC: Final = "Vehicle.Milepost.Diagnostics.Dtc"
DTC_DETAIL: Final = "Vehicle.Milepost.Diagnostics.DtcDetail"
CODES_CLEARED: Final = "Vehicle.Milepost.Diagnostics.CodesCleared"

DERIVED: Final = frozenset(
    {
        ODOMETER_SOURCE,
        ODOMETER_UNCERTAINTY,
        DISTANCE,
        DISTANCE_UNCERTAINTY,
        ENGINE_HOURS,
        IDLE_HOURS,
        REVOLUTIONS,
        OIL_WEIGHTED_REVOLUTIONS,
        STARTS,
        COLD_STARTS,
        BRAKE_ENERGY,
        TRIP_COUNT,
        TRIP_IS_ONGOING,
        CRANKING_MINIMUM,
        REST_VOLTAGE,
        DTC,
        CODES_CLEARED,
        POWER_STATE,
        SERVICE_ENTRY,
    }
)
"""What only the agent itself says: a source that has one of these says something else by that name."""

# Whole sets of trouble codes as the car gave them: codes joined by blanks, "" for none.
DTC_CONFIRMED: Final = "Inner.Dtc.Confirmed"
DTC_PENDING: Final = "Inner.Dtc.Pending"
DTC_PERMANENT: Final = "Inner.Dtc.Permanent"
INNER: Final = frozenset({DTC_CONFIRMED, DTC_PENDING, DTC_PERMANENT})

STATE_OFF: Final = "OFF"
STATE_ON: Final = "ON"
STATE_START: Final = "START"
