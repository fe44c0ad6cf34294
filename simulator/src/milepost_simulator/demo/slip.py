"""One misread odometer in the demo, so that there is a reading that was not believed and may be overruled."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from milepost_simulator.fleet.fleet import FleetVehicle
    from milepost_simulator.fleet.history import Row

ODOMETER = "Vehicle.TraveledDistance"
FACTOR = 10
"""A digit too many, as where a unit is taken for its tenth."""


def slipping(vehicles: Sequence[FleetVehicle], live: Collection[str]) -> str | None:
    """The VIN of the car that slips: the first that tells its odometer and is not driven now, if any."""
    found = (v.vin for v in vehicles if v.model.has_odometer and v.vin not in live and not v.silent_from_day)
    return next(found, None)


def with_slip(rows: Sequence[Row]) -> list[Row]:
    """``rows`` with one reading of the odometer ten times too high, two thirds on the way to the end."""
    places = [place for place, row in enumerate(rows) if row.signal == ODOMETER]
    slipped = list(rows)
    if places:
        place = places[len(places) * 2 // 3]
        value = rows[place].value
        assert isinstance(value, int)
        slipped[place] = rows[place]._replace(value=value * FACTOR)
    return slipped
