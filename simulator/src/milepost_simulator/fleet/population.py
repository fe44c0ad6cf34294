"""Who owns what: vehicles with their models, ages, contracts and hidden character, as columns."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from milepost_simulator.car.models import Powertrain
from milepost_simulator.fleet.blocks import BLOCK_OWNERS
from milepost_simulator.fleet.makes import FLEET_MODELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

SECOND_CAR = 0.18
LOYAL = 0.88
AGE_YEARS_MAX = 14.0
YEAR_DAYS = 365.25
MONTH_DAYS = YEAR_DAYS / 12
EXCESS_ALLOWANCE_CHOICES_KM = (10_000, 12_000, 15_000, 20_000, 25_000)

DAILY_KM_QUANTILES = (0.01, 0.05, 0.25, 0.50, 0.75, 0.95, 0.99)
DAILY_KM: dict[Powertrain, tuple[float, ...]] = {
    Powertrain.COMBUSTION: (4.2, 12.9, 29.6, 42.7, 58.1, 85.7, 111.1),
    Powertrain.HYBRID: (3.3, 12.1, 28.2, 41.1, 57.0, 86.6, 114.6),
    Powertrain.EV: (1.1, 5.8, 18.2, 28.8, 41.6, 70.2, 110.1),
}
"""Kilometres a day by car, condensed from the set vehicletrends (MIT): gasoline, hybrid, battery electric."""


class Contract(IntEnum):
    """How the car is paid for."""

    OWNED = 0
    FINANCE = 1
    LEASE = 2


class Style(IntEnum):
    """What the car is used for: decides weekdays, seasons and trips."""

    COMMUTER = 0
    FAMILY = 1
    WEEKENDER = 2
    RETIRED = 3
    TRADE = 4


STYLE_SHARES = (0.42, 0.26, 0.10, 0.14, 0.08)


@dataclass(frozen=True, slots=True)
class Population:
    """One row a vehicle, all arrays of the same length; days count from 1970.

    Seen by the dealer: owner, model, days, contract. Hidden: style, daily_km, vigour, durabilities,
    compliance, loyalty, propensity.
    """

    owner: NDArray[np.int64]
    """Index within the block."""
    model: NDArray[np.int64]
    registered_day: NDArray[np.int64]
    owned_since_day: NDArray[np.int64]
    odometer_m: NDArray[np.float64]
    """At the first day of the history."""
    contract: NDArray[np.int64]
    contract_end_day: NDArray[np.int64]
    """0 where there is none."""
    allowance_km_year: NDArray[np.int64]
    style: NDArray[np.int64]
    daily_km: NDArray[np.float64]
    pad_rate: NDArray[np.float64]
    tyre_rate: NDArray[np.float64]
    oil_rate: NDArray[np.float64]
    battery_rate: NDArray[np.float64]
    compliance: NDArray[np.float64]
    """At which share of an item's life the owner comes: 1 is when due."""
    loyalty: NDArray[np.float64]
    """Probability that a service is done, and recorded, at this dealer."""
    propensity: NDArray[np.float64]
    silent_from_day: NDArray[np.int64]
    """The day on which the device fell silent; 0 where it never did."""
    vin_number: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.owner)

    @property
    def powertrain(self) -> list[Powertrain]:
        """By vehicle, from its model."""
        return [FLEET_MODELS[model].powertrain for model in self.model]

    def of_powertrain(self, powertrain: Powertrain) -> NDArray[np.bool_]:
        """Which vehicles have it."""
        have = np.array([model.powertrain is powertrain for model in FLEET_MODELS])
        return have[self.model]

    def first(self, owners: int) -> Population:
        """The vehicles of the first ``owners`` owners."""
        wanted = self.owner < owners
        return Population(**{field.name: getattr(self, field.name)[wanted] for field in fields(self)})


def draw_population(rng: np.random.Generator, first_day: int, as_of_day: int) -> Population:
    """A whole block of owners and their vehicles, all in use from ``first_day`` to ``as_of_day``."""
    owner = np.repeat(np.arange(BLOCK_OWNERS), 1 + (rng.random(BLOCK_OWNERS) < SECOND_CAR))
    count = len(owner)
    shares = np.array([model.share for model in FLEET_MODELS])
    model = rng.choice(len(FLEET_MODELS), size=count, p=shares / shares.sum())
    age_years = np.minimum(rng.gamma(2.2, 2.1, count), AGE_YEARS_MAX)
    registered_day = first_day - (age_years * YEAR_DAYS).astype(np.int64)
    bought_new = rng.random(count) < np.where(age_years < 4, 0.75, 0.4)
    owned_years = np.where(bought_new, age_years, age_years * rng.uniform(0.1, 0.9, count))
    daily_km = _daily_km(rng, model)
    contract, contract_end_day = _contracts(rng, first_day, as_of_day, owned_years)
    # People contract for less than they drive about as often as for more.
    wished = daily_km * YEAR_DAYS * rng.lognormal(0.0, 0.2, count)
    nearest = np.abs(np.subtract.outer(wished, EXCESS_ALLOWANCE_CHOICES_KM)).argmin(axis=1)
    allowance = np.where(contract == Contract.LEASE, np.array(EXCESS_ALLOWANCE_CHOICES_KM)[nearest], 0)
    silent = rng.random(count) < 0.05
    return Population(
        owner=owner,
        model=model,
        registered_day=registered_day,
        owned_since_day=first_day - (owned_years * YEAR_DAYS).astype(np.int64),
        odometer_m=1000 * daily_km * rng.lognormal(0.0, 0.15, count) * (age_years * YEAR_DAYS + 15),
        contract=contract,
        contract_end_day=contract_end_day,
        allowance_km_year=allowance,
        style=rng.choice(len(Style), size=count, p=STYLE_SHARES),
        daily_km=daily_km,
        # Between careful and careless drivers lies a factor of about five in pads.
        pad_rate=rng.lognormal(0.0, 0.42, count),
        tyre_rate=rng.lognormal(0.0, 0.22, count),
        oil_rate=rng.lognormal(0.0, 0.15, count),
        battery_rate=rng.lognormal(0.0, 0.25, count),
        compliance=np.clip(rng.normal(1.0, 0.12, count), 0.75, 1.5),
        loyalty=np.where(rng.random(count) < LOYAL, rng.beta(60.0, 1.0, count), rng.beta(2.0, 3.0, count)),
        propensity=rng.normal(0.0, 0.7, count),
        silent_from_day=np.where(silent, rng.integers(as_of_day - 150, as_of_day - 40, count), 0),
        vin_number=rng.integers(0, 33**9, count),
    )


def _daily_km(rng: np.random.Generator, model: NDArray[np.int64]) -> NDArray[np.float64]:
    drawn = rng.uniform(0.02, 0.985, len(model))
    by_powertrain = {p: np.interp(drawn, DAILY_KM_QUANTILES, km) for p, km in DAILY_KM.items()}
    daily_km = np.zeros(len(model))
    for powertrain, km in by_powertrain.items():
        have = np.array([m.powertrain is powertrain for m in FLEET_MODELS])[model]
        daily_km = np.where(have, km, daily_km)
    return daily_km


def _contracts(
    rng: np.random.Generator, first_day: int, as_of_day: int, owned_years: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Kinds and ends; a contract that ended before ``as_of_day`` leaves an owned car."""
    count = len(owned_years)
    kind = rng.choice(3, size=count, p=(0.35, 0.37, 0.28)).astype(np.int64)
    term_years = np.where(
        kind == Contract.LEASE, rng.choice((3.0, 4.0), count), rng.choice((4.0, 5.0, 6.0), count)
    )
    end = (first_day + (term_years - owned_years) * YEAR_DAYS).astype(np.int64)
    is_over = (kind != Contract.OWNED) & (end < as_of_day)
    kind = np.where(is_over, int(Contract.OWNED), kind)
    return kind, np.where(kind == Contract.OWNED, 0, end)
