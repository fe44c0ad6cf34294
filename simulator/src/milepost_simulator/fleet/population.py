"""Who drives what: vehicles with their models, ages, contracts and hidden character, as columns."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import TYPE_CHECKING, Any

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
SILENT = 0.05
SILENT_DAYS = (40, 150)
FRAILTY_SHAPE = 3.0
"""Of the gamma distribution of how restless owners are; its mean is 1."""

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
    SUBSCRIPTION = 3


CONTRACT_SHARES = (0.33, 0.36, 0.28, 0.03)
TERM_YEARS = {
    Contract.FINANCE: (4.0, 5.0, 6.0),
    Contract.LEASE: (3.0, 4.0),
    Contract.SUBSCRIPTION: (1.0, 2.0),
}


class Style(IntEnum):
    """What the car is used for: decides weekdays, seasons and trips."""

    COMMUTER = 0
    FAMILY = 1
    WEEKENDER = 2
    RETIRED = 3
    TRADE = 4


STYLE_SHARES = (0.42, 0.26, 0.10, 0.14, 0.08)

Columns = dict[str, "NDArray[Any]"]


@dataclass(frozen=True, slots=True)
class Population:
    """One row a vehicle in the hands of one owner, all arrays of the same length; days count from 1970.

    Seen by the dealer: owner, model, days, contract. Hidden: style, daily_km, the rates, compliance,
    loyalty, frailty.
    """

    owner: NDArray[np.int64]
    """Index within the block; of a buyer, the index of the owner who sold the car."""
    is_buyer: NDArray[np.bool_]
    car: NDArray[np.int64]
    """Index within the block: the same car in other hands keeps it."""
    from_day: NDArray[np.int64]
    """When the row begins: the first day of the history, or the day on which the owner got the car."""
    model: NDArray[np.int64]
    registered_day: NDArray[np.int64]
    owned_since_day: NDArray[np.int64]
    bought_new: NDArray[np.bool_]
    odometer_m: NDArray[np.float64]
    """At the end of the day before `from_day`."""
    contract: NDArray[np.int64]
    contract_start_day: NDArray[np.int64]
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
    frailty: NDArray[np.float64]
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

    def rows(self, which: NDArray[np.int64] | NDArray[np.bool_]) -> Population:
        """Some of the rows."""
        return Population(**{field.name: getattr(self, field.name)[which] for field in fields(self)})


def draw_population(
    rng: np.random.Generator, first_day: int, as_of_day: int, *, contracts_last_to_day: int
) -> Population:
    """A whole block of owners and the vehicles that they have on ``first_day``.

    A contract that ends before ``contracts_last_to_day`` is over: the car is owned.
    """
    owner = np.repeat(np.arange(BLOCK_OWNERS), 1 + (rng.random(BLOCK_OWNERS) < SECOND_CAR))
    count = len(owner)
    model = draw_models(rng, count)
    age_years = np.minimum(rng.gamma(2.2, 2.1, count), AGE_YEARS_MAX)
    bought_new = rng.random(count) < np.where(age_years < 4, 0.75, 0.4)
    owned_years = np.where(bought_new, age_years, age_years * rng.uniform(0.1, 0.9, count))
    owned_since_day = first_day - (owned_years * YEAR_DAYS).astype(np.int64)
    drivers = draw_drivers(rng, model)
    daily_km = drivers["daily_km"]
    contract = draw_contracts(rng, owned_since_day, daily_km, contracts_last_to_day)
    silent = rng.random(count) < SILENT
    silent_day = as_of_day - rng.integers(*SILENT_DAYS, count)
    return Population(
        owner=owner,
        is_buyer=np.zeros(count, dtype=bool),
        car=np.arange(count),
        from_day=np.full(count, first_day),
        model=model,
        registered_day=first_day - (age_years * YEAR_DAYS).astype(np.int64),
        owned_since_day=owned_since_day,
        bought_new=bought_new,
        odometer_m=1000 * daily_km * rng.lognormal(0.0, 0.15, count) * (age_years * YEAR_DAYS + 15),
        silent_from_day=np.where(silent, silent_day, 0),
        vin_number=draw_vin_numbers(rng, count),
        **drivers,
        **contract,
    )


def draw_models(rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    """Which of `FLEET_MODELS` each of ``count`` cars is."""
    shares = np.array([model.share for model in FLEET_MODELS])
    return rng.choice(len(FLEET_MODELS), size=count, p=shares / shares.sum())


def draw_vin_numbers(rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    """What makes VINs that nobody can guess from one another."""
    return rng.integers(0, 33**9, count)


def draw_drivers(rng: np.random.Generator, model: NDArray[np.int64]) -> Columns:
    """The hidden character of drivers, one for each car of ``model``: the columns of `Population`."""
    count = len(model)
    return {
        "style": rng.choice(len(Style), size=count, p=STYLE_SHARES),
        "daily_km": _daily_km(rng, model),
        # Between careful and careless drivers lies a factor of about five in pads.
        "pad_rate": rng.lognormal(0.0, 0.42, count),
        "tyre_rate": rng.lognormal(0.0, 0.22, count),
        "oil_rate": rng.lognormal(0.0, 0.15, count),
        "battery_rate": rng.lognormal(0.0, 0.25, count),
        "compliance": np.clip(rng.normal(1.0, 0.12, count), 0.75, 1.5),
        "loyalty": np.where(rng.random(count) < LOYAL, rng.beta(60.0, 1.0, count), rng.beta(2.0, 3.0, count)),
        "frailty": rng.gamma(FRAILTY_SHAPE, 1 / FRAILTY_SHAPE, count),
    }


def _daily_km(rng: np.random.Generator, model: NDArray[np.int64]) -> NDArray[np.float64]:
    drawn = rng.uniform(0.02, 0.985, len(model))
    daily_km = np.zeros(len(model))
    for powertrain, km in DAILY_KM.items():
        have = np.array([m.powertrain is powertrain for m in FLEET_MODELS])[model]
        daily_km = np.where(have, np.interp(drawn, DAILY_KM_QUANTILES, km), daily_km)
    return daily_km


def draw_contracts(
    rng: np.random.Generator,
    start_day: NDArray[np.int64],
    daily_km: NDArray[np.float64],
    last_to_day: int,
) -> Columns:
    """Kinds, ends and allowances of contracts that begin on ``start_day``: the columns of `Population`."""
    count = len(start_day)
    kind = rng.choice(len(Contract), size=count, p=CONTRACT_SHARES).astype(np.int64)
    term_years = np.zeros(count)
    for contract, terms in TERM_YEARS.items():
        term_years = np.where(kind == contract, rng.choice(terms, count), term_years)
    end_day = start_day + (term_years * YEAR_DAYS).astype(np.int64)
    kind = np.where((kind != Contract.OWNED) & (end_day < last_to_day), int(Contract.OWNED), kind)
    # People contract for less than they drive about as often as for more.
    wished = daily_km * YEAR_DAYS * rng.lognormal(0.0, 0.2, count)
    nearest = np.abs(np.subtract.outer(wished, EXCESS_ALLOWANCE_CHOICES_KM)).argmin(axis=1)
    is_limited = (kind == Contract.LEASE) | (kind == Contract.SUBSCRIPTION)
    return {
        "contract": kind,
        "contract_start_day": np.where(kind == Contract.OWNED, 0, start_day),
        "contract_end_day": np.where(kind == Contract.OWNED, 0, end_day),
        "allowance_km_year": np.where(is_limited, np.array(EXCESS_ALLOWANCE_CHOICES_KM)[nearest], 0),
    }
