"""The repair burden: what a car will need within six months, and what that is against its value.

Each item counts with the probability that it is due, each fault with that that it has to be mended.
The cost of a whole car is told by its mean and variance, with a gamma distribution between P10 and P90.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from milepost_server.signals import gamma
from milepost_server.signals.errors import DataFileError
from milepost_server.signals.faults.fleet import PENDING, FleetFaults
from milepost_server.signals.faults.systems import CodeTable
from milepost_server.signals.flat import Floats, Ints

WITHIN_D = 183.0
MINOR_PER_MAIN = 100.0
PRICES_MAX = 500
OTHER = "other"
_CENT_MIN = 1e-6
_SPREAD_Z = 1.6448536  # nine in ten lie within the spread

_Key = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
_Words = Annotated[str, Field(min_length=5, max_length=300)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Price(_Table):
    """What one repair costs a customer, in the main unit of the currency."""

    price: Annotated[float, Field(gt=0, le=10_000_000)]
    spread: Annotated[float, Field(ge=0, le=10)]
    source: _Words

    @property
    def minor(self) -> float:
        """The price in minor units."""
        return self.price * MINOR_PER_MAIN

    @property
    def cv(self) -> float:
        """The coefficient of variation that the spread amounts to."""
        return float(np.sqrt(np.expm1((np.log1p(self.spread) / _SPREAD_Z) ** 2)))


class ItemPrice(Price):
    key: _Key


class FaultPrice(Price):
    system: _Key


class PriceList(_Table):
    """Prices of service items by key and of faults by system; ``other`` stands for those not listed."""

    schema_version: Literal[1] = Field(alias="schema")
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    item: Annotated[list[ItemPrice], Field(max_length=PRICES_MAX)]
    fault: Annotated[list[FaultPrice], Field(max_length=PRICES_MAX)]

    def of_items(self, keys: list[str]) -> tuple[Floats, Floats]:
        """Mean in minor units and coefficient of variation of each item of ``keys``."""
        return _columns({entry.key: entry for entry in self.item}, keys)

    def of_systems(self, keys: list[str]) -> tuple[Floats, Floats]:
        """The same of each system of ``keys`` (see `faults.systems`)."""
        return _columns({entry.system: entry for entry in self.fault}, keys)


def _columns(prices: dict[str, ItemPrice] | dict[str, FaultPrice], keys: list[str]) -> tuple[Floats, Floats]:
    found = [prices.get(key, prices[OTHER]) for key in keys]
    return np.array([price.minor for price in found]), np.array([price.cv for price in found])


def parse_prices(text: str, name: str) -> PriceList:
    """Read a list of prices; ``name`` is what errors call it.

    Raises:
        DataFileError: no TOML, an unknown key, a price out of bounds, one that stands twice, or no ``other``.
    """
    try:
        prices = PriceList.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise DataFileError(name, "", f"is no TOML: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise DataFileError(name, ", ".join(str(part) for part in first["loc"]), first["msg"]) from None
    for place, keys in (("item", [i.key for i in prices.item]), ("fault", [f.system for f in prices.fault])):
        if len(set(keys)) < len(keys):
            raise DataFileError(name, place, "a price stands twice")
        if OTHER not in keys:
            raise DataFileError(name, place, f"needs a price for {OTHER!r}, for what is not listed")
    return prices


@cache
def shipped_prices() -> PriceList:
    """The prices that come with the product: assumptions, all of them."""
    name = "repairs.toml"
    return parse_prices((resources.files(__package__) / name).read_text(encoding="utf-8"), name)


@dataclass(frozen=True, slots=True)
class Needs:
    """N things that vehicles may need, in any order."""

    vehicle: Ints  # (N) 0 .. V - 1
    odds: Floats  # (N) probability that it is needed within ``WITHIN_D``; NaN counts as not
    price: Floats  # (N) mean, minor units
    price_cv: Floats  # (N)

    def and_(self, more: Needs) -> Needs:
        """These and more needs of the same vehicles."""
        return Needs(
            *(np.concatenate([getattr(self, name), getattr(more, name)]) for name in Needs.__slots__)
        )


@dataclass(frozen=True, slots=True)
class RepairRules:
    """How likely a fault is mended within ``WITHIN_D``; assumptions, part of the configuration version."""

    confirmed_odds: float = 0.8
    pending_odds: float = 0.3


def needs_of_faults(faults: FleetFaults, table: CodeTable, prices: PriceList, rules: RepairRules) -> Needs:
    """What the active faults of V vehicles need: one repair a system, as likely as its likeliest fault."""
    active = np.flatnonzero(faults.is_active)
    odds = np.where(faults.status[active] == PENDING, rules.pending_odds, rules.confirmed_odds)
    system, vehicle = table.system[faults.code[active]], faults.vehicle[active]
    order = np.lexsort((-odds, system, vehicle))
    key = (vehicle * len(table.systems) + system)[order]
    first = order[np.append(True, key[1:] != key[:-1])[: len(key)]]
    price, cv = prices.of_systems([entry.key for entry in table.systems])
    return Needs(vehicle[first], odds[first], price[system[first]], cv[system[first]])


@dataclass(frozen=True, slots=True)
class RepairBurden:
    """What V vehicles will need within ``WITHIN_D``."""

    expected: Floats  # (V) minor units; 0 where nothing is needed
    p10: Floats  # (V)
    p50: Floats  # (V)
    p90: Floats  # (V)
    share: Floats  # (V) expected over the car's value; NaN where that is not known


def repair_burden(needs: Needs, value: Floats) -> RepairBurden:
    """Add up what each of V vehicles needs, against its ``value`` (V, minor units)."""
    vehicles = len(value)
    odds = np.clip(np.nan_to_num(needs.odds), 0.0, 1.0)
    mean = odds * needs.price
    second = odds * needs.price**2 * (1 + needs.price_cv**2)
    expected, variance = (
        np.bincount(needs.vehicle, weights=of, minlength=vehicles).astype(np.float64)
        for of in (mean, second - mean**2)
    )
    some = np.where(expected > _CENT_MIN, expected, 1.0)  # less is nothing, and its square is 0
    relative = np.maximum(variance, 0.0) / some**2
    p10, p50, p90 = (expected * _quantile(relative, z) for z in (gamma.Z10, gamma.Z50, gamma.Z90))
    share = np.divide(expected, value, out=np.full(vehicles, np.nan), where=value > 0)
    return RepairBurden(expected, p10, p50, p90, share)


def _quantile(relative_variance: Floats, z: float) -> Floats:
    """Of a gamma variable of mean 1, also where it is mostly 0."""
    return np.where(relative_variance > 0, gamma.quantile(relative_variance, z), 1.0)


def odds_due(p10_d: Floats, p50_d: Floats, p90_d: Floats, by_d: Floats | float) -> Floats:
    """The probability (N) that something is due by ``by_d``, from the quantiles of its due date.

    Normal on either side of the median, each side with its own scale; 0 where the date is not known.
    """
    ahead = np.where(by_d < p50_d, p50_d - p10_d, p90_d - p50_d) / gamma.Z90
    z = (by_d - p50_d) / np.maximum(ahead, 1e-3)
    return np.where(np.isnan(p50_d), 0.0, gamma.normal_below(z))
