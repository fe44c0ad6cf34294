"""The cars that fleets are made of: invented makes and models with the figures of common ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from milepost_simulator.car.models import Powertrain

if TYPE_CHECKING:
    from numpy.typing import NDArray


class FleetModel(NamedTuple):
    """One model: its share of the market, list price, and whether it reports its odometer."""

    make: str
    name: str
    powertrain: Powertrain
    share: float
    price: float
    wear: float
    """How fast pads and tyres go, by weight: 1 is a compact car."""
    has_odometer: bool
    has_oil_monitor: bool
    """Whether the car counts down the life of its oil; in others only the schedule says when it is due."""


FLEET_MODELS: tuple[FleetModel, ...] = (
    FleetModel(
        "Aldermoor",
        "Vale",
        Powertrain.COMBUSTION,
        0.20,
        24_500,
        0.95,
        has_odometer=True,
        has_oil_monitor=True,
    ),
    FleetModel(
        "Aldermoor",
        "Ridge",
        Powertrain.COMBUSTION,
        0.15,
        33_900,
        1.15,
        has_odometer=True,
        has_oil_monitor=True,
    ),
    FleetModel(
        "Aldermoor",
        "Tern Hybrid",
        Powertrain.HYBRID,
        0.12,
        31_200,
        1.0,
        has_odometer=False,
        has_oil_monitor=True,
    ),
    FleetModel(
        "Corvane",
        "Dorset",
        Powertrain.COMBUSTION,
        0.12,
        28_700,
        1.05,
        has_odometer=False,
        has_oil_monitor=False,
    ),
    FleetModel(
        "Corvane",
        "Hauler",
        Powertrain.COMBUSTION,
        0.10,
        41_800,
        1.35,
        has_odometer=True,
        has_oil_monitor=True,
    ),
    FleetModel(
        "Corvane",
        "Marlow Hybrid",
        Powertrain.HYBRID,
        0.08,
        36_400,
        1.1,
        has_odometer=True,
        has_oil_monitor=False,
    ),
    FleetModel(
        "Kestrel", "Lumen E", Powertrain.EV, 0.13, 39_900, 1.15, has_odometer=True, has_oil_monitor=False
    ),
    FleetModel(
        "Kestrel", "Spark E", Powertrain.EV, 0.10, 29_600, 1.0, has_odometer=True, has_oil_monitor=False
    ),
)

RESIDUAL_FIRST_YEAR = 0.90
RESIDUAL_YEARLY = {Powertrain.COMBUSTION: 0.924, Powertrain.HYBRID: 0.925, Powertrain.EV: 0.868}
"""Share of value kept after the first year and in each later one: fitted to the medians of the set
vehicletrends (MIT), price over list price by age: 0.89 at 13 months for petrol cars, 0.40 at ten years."""


def residual(powertrain: Powertrain, age_years: float) -> float:
    """Value left as a share of the list price."""
    if age_years <= 1.0:
        return float(1.0 - (1.0 - RESIDUAL_FIRST_YEAR) * max(age_years, 0.0))
    return float(RESIDUAL_FIRST_YEAR * RESIDUAL_YEARLY[powertrain] ** (age_years - 1.0))


_YEARLY = np.array([RESIDUAL_YEARLY[model.powertrain] for model in FLEET_MODELS])


def residuals(model: NDArray[np.int64], age_years: NDArray[np.float64]) -> NDArray[np.float64]:
    """`residual` of many cars (vehicles) at many ages (vehicles, times)."""
    young = 1.0 - (1.0 - RESIDUAL_FIRST_YEAR) * np.clip(age_years, 0.0, 1.0)
    later: NDArray[np.float64] = RESIDUAL_FIRST_YEAR * _YEARLY[model][:, None] ** np.maximum(
        age_years - 1, 0.0
    )
    return np.where(age_years <= 1.0, young, later)
