"""What a car is worth today: the curve of its kind by age, its model, its kilometres.

The curves are condensed from US listings of used cars (vehicletrends/vehicletrends, MIT licence): quartiles
of asking prices as a share of the list price by age, and the kilometres that are usual at that age. What a
dealer pays is a share of the asking price. Shares travel better between countries than prices do, but where a
dealer has curves of its own, they go before these.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from milepost_server.signals import gamma
from milepost_server.signals.errors import DataFileError
from milepost_server.signals.flat import METRES_PER_KM, Floats, Ints

SOURCE = "asking prices of used cars in the US: vehicletrends/vehicletrends, MIT licence"
RESIDUAL_COLUMNS = (
    "powertrain",
    "body",
    "age_months",
    "value_p25",
    "value_p50",
    "value_p75",
    "km_p25",
    "km_p50",
    "km_p75",
)
MODEL_COLUMNS = ("make", "model", "powertrain", "body", "loss_over_usual_per_year")
ANY_BODY = "all"
_QUARTILES_Z = 1.3489795  # from P25 to P75 of a normal variable, in standard deviations


@dataclass(frozen=True, slots=True)
class ValueRules:
    """The numbers behind values; part of the configuration version. A dealer may override each."""

    trade_in_share: float = 0.87  # an assumption: of the asking price, what a dealer pays
    loss_per_10000_km: float = 0.025  # an assumption: each 10,000 km above the usual take this share
    km_over_max: float = 150_000.0  # beyond, more kilometres say no more
    model_weight: float = 0.5  # an assumption: how far a model's own loss is believed, few listings each
    price_cv: float = 0.08  # an assumption: two like cars are offered this much apart
    share_min: float = 0.02  # scrap


@dataclass(frozen=True, slots=True)
class Curves:
    """Value and kilometres by age of K kinds of cars at A ages; the first age is 0, a new car."""

    kinds: tuple[tuple[str, str], ...]  # (K) powertrain, body
    age_months: Floats  # (A) rising from 0
    log_share: Floats  # (K, A) logarithm of the median of value over list price
    log_sd: Floats  # (K, A) standard deviation of that logarithm
    usual_m: Floats  # (K, A) median odometer
    models: dict[tuple[str, str, str], tuple[str, float]]
    """(make, model, powertrain) in small letters -> body, loss a year more than usual."""

    def kind_of(self, powertrain: str, body: str = ANY_BODY) -> int:
        """The place of the curve of a kind; that of any body, and of a plain hybrid, where there is none.

        Raises:
            KeyError: no curve for this powertrain at all.
        """
        for key in ((powertrain, body), (powertrain, ANY_BODY)):
            if key in self.kinds:
                return self.kinds.index(key)
        raise KeyError(powertrain)

    def of_model(self, make: str, model: str, powertrain: str) -> tuple[int, float]:
        """The curve of a model and its loss a year beyond that; of its powertrain and 0 where not listed."""
        body, over = self.models.get((make.casefold(), model.casefold(), powertrain), (ANY_BODY, 0.0))
        return self.kind_of(powertrain, body), over

    def at(self, table: Floats, kind: Ints, age_months: Floats) -> Floats:
        """``table`` (K, A) at ages (Q), linear between ages and on beyond the last; NaN where age is."""
        age = np.maximum(np.nan_to_num(age_months), 0.0)
        last = len(self.age_months) - 2
        place = np.clip(np.searchsorted(self.age_months, age, side="right") - 1, 0, last)
        left, right = self.age_months[place], self.age_months[place + 1]
        share = (age - left) / (right - left)
        low, high = table[kind, place], table[kind, place + 1]
        return np.where(np.isnan(age_months), np.nan, low + share * (high - low))


@dataclass(frozen=True, slots=True)
class Cars:
    """What is known of V vehicles; NaN where it is not."""

    kind: Ints  # (V) place of its curve
    loss_over_usual: Floats  # (V) a year, of the model; 0 where nothing is known of it
    age_months: Floats  # (V) since first registration
    price: Floats  # (V) a price once known, the list price when new for one; minor units
    price_age_months: Floats  # (V) the age at which that price held; 0 for a list price
    odometer_m: Floats  # (V)


@dataclass(frozen=True, slots=True)
class Values:
    """What V vehicles are worth to a dealer who takes them in; NaN where age or price is not known."""

    p10: Floats  # (V) minor units
    p50: Floats  # (V)
    p90: Floats  # (V)
    log_sd: Floats  # (V) of the logarithm
    over_usual_m: Floats  # (V) odometer above what is usual at this age; NaN where not known
    km_factor: Floats  # (V) what that does to the value; 1 where not known


def values(cars: Cars, curves: Curves, rules: ValueRules) -> Values:
    """Value V vehicles today; a price that is not above 0 is none."""
    age, then = cars.age_months, cars.price_age_months
    price = np.where(cars.price > 0, cars.price, np.nan)
    years = (age - then) / 12
    share = curves.at(curves.log_share, cars.kind, age) - curves.at(curves.log_share, cars.kind, then)
    share = share - rules.model_weight * cars.loss_over_usual * years
    sd_now, sd_then = (curves.at(curves.log_sd, cars.kind, at) for at in (age, then))
    # What set this car apart when its price was known is in the price; only what came since is open.
    log_sd = np.sqrt(np.abs(sd_now**2 - sd_then**2) + rules.price_cv**2)

    usual = curves.at(curves.usual_m, cars.kind, age)
    over_m = cars.odometer_m - usual
    over_km = np.clip(np.nan_to_num(over_m) / METRES_PER_KM, -rules.km_over_max, rules.km_over_max)
    km_factor = np.exp(-rules.loss_per_10000_km * over_km / 10_000.0)

    share_now = np.maximum(np.exp(share) * km_factor, rules.share_min)
    p50 = price * share_now * rules.trade_in_share
    p10, p90 = (p50 * np.exp(z * log_sd) for z in (gamma.Z10, gamma.Z90))
    return Values(p10, p50, p90, np.where(np.isnan(p50), np.nan, log_sd), over_m, km_factor)


def parse_curves(residuals: str, models: str, name: str) -> Curves:
    """Read the two tables; ``name`` is what errors call them.

    Raises:
        DataFileError: another header, a number that is none, quartiles that do not rise, values that rise
            with age or kilometres that fall, or a kind with other ages than the first; the place says where.
    """
    kinds: dict[tuple[str, str], list[list[float]]] = {}
    for place, row in _rows(residuals, RESIDUAL_COLUMNS, name):
        numbers = _numbers(row[2:], name, place)
        kind = kinds.setdefault((row[0], row[1]), [])
        _check_row(numbers, kind, name, place)
        kind.append(numbers)
    if not kinds:
        raise DataFileError(name, "", "has no rows")
    tables = {key: np.array(rows) for key, rows in kinds.items()}
    ages = next(iter(tables.values()))[:, 0]
    for key, table in tables.items():
        if len(table) != len(ages) or (table[:, 0] != ages).any():
            raise DataFileError(name, " ".join(key), "has other ages than the first kind of car")
    stacked = np.stack(list(tables.values()))
    known = {
        (row[0], row[1], row[2]): (row[3], _numbers(row[4:], name, place)[0])
        for place, row in _rows(models, MODEL_COLUMNS, name)
    }
    return Curves(
        kinds=tuple(tables),
        age_months=np.concatenate([[0.0], ages]),
        log_share=_from_new(np.log(stacked[:, :, 2])),
        log_sd=_from_new(np.log(stacked[:, :, 3] / stacked[:, :, 1]) / _QUARTILES_Z),
        usual_m=_from_new(stacked[:, :, 5] * METRES_PER_KM),
        models=known,
    )


def _from_new(table: Floats) -> Floats:
    """``table`` (K, A) with a column of zeros for a new car: worth its list price, not driven."""
    return np.concatenate([np.zeros((len(table), 1)), table], axis=1)


def _check_row(numbers: list[float], before: list[list[float]], name: str, place: str) -> None:
    age, *quartiles = numbers
    value, km = quartiles[:3], quartiles[3:]
    if age <= 0 or not 0 < value[0] <= value[1] <= value[2] or not 0 <= km[0] <= km[1] <= km[2]:
        raise DataFileError(name, place, "ages and values must be above 0, and quartiles must rise")
    if before and (age <= before[-1][0] or value[1] > before[-1][2] or km[1] < before[-1][5]):
        raise DataFileError(name, place, "with age, values must not rise and kilometres not fall")


def _rows(text: str, columns: tuple[str, ...], name: str) -> list[tuple[str, list[str]]]:
    reader = csv.reader(text.splitlines(), strict=True)
    try:
        rows = [(f"line {reader.line_num}", row) for row in reader]
    except csv.Error as error:
        raise DataFileError(name, f"line {reader.line_num}", f"is no CSV: {error}") from None
    if not rows or tuple(rows[0][1]) != columns:
        raise DataFileError(name, "line 1", f"the header must be {','.join(columns)}")
    for place, row in rows[1:]:
        if len(row) != len(columns):
            raise DataFileError(name, place, f"has {len(row)} fields, not {len(columns)}")
    return rows[1:]


def _numbers(row: list[str], name: str, place: str) -> list[float]:
    try:
        numbers = [float(value) for value in row]
    except ValueError as error:
        raise DataFileError(name, place, str(error)) from None
    if not np.isfinite(numbers).all():
        raise DataFileError(name, place, "has a number that is not finite")
    return numbers


@cache
def shipped_curves() -> Curves:
    """The curves that come with the product."""
    folder = resources.files(__package__)
    residuals, models = (
        (folder / name).read_text(encoding="utf-8") for name in ("residuals.csv", "models.csv")
    )
    return parse_curves(residuals, models, "residuals.csv and models.csv")
