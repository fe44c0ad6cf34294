"""How far each item of a block's vehicles is used up: the state that visits to a workshop change."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from milepost_simulator.fleet.curves import Curves
from milepost_simulator.fleet.items import (
    BATTERY,
    ITEMS,
    OIL_USED_PER_DAY,
    USED_PER_KM,
    YOUNG_MONTHS,
    Channel,
)
from milepost_simulator.fleet.makes import FLEET_MODELS
from milepost_simulator.fleet.population import MONTH_DAYS, Population
from milepost_simulator.fleet.usage import MONTH_SPREAD, REGIME_CHANGES_PER_YEAR, REGIME_SPREAD

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

BATTERY_HALF_LIFE_MONTHS = 66.0
NEW_DAYS = 30
USED_MAX = 1.3
"""Wear is not counted beyond this share."""
SPENT = (0.02, 0.9)
PAST_DRIFT = REGIME_SPREAD * float(np.sqrt(REGIME_CHANGES_PER_YEAR / 12))
"""Of the logarithm of the level of usage, from month to month before the history: what changes of life do."""

HAS = np.array([[model.powertrain in item.powertrains for item in ITEMS] for model in FLEET_MODELS])
CHANNEL = np.array([-1 if item.channel is None else int(item.channel) for item in ITEMS])
WEAR_LIMIT = np.array([item.wear_limit for item in ITEMS])
DISTANCE_KM = np.array([item.distance_km for item in ITEMS])
MONTHS = np.array([item.months for item in ITEMS])
MONTHS_YOUNG = np.array([item.months if item.months_young is None else item.months_young for item in ITEMS])
RATES = np.array([USED_PER_KM[model.powertrain] for model in FLEET_MODELS])
RATES[[not model.has_oil_monitor for model in FLEET_MODELS], Channel.OIL] = 0.0
WEIGHT = np.array([model.wear for model in FLEET_MODELS])
ITEM_OF_CHANNEL = np.array([int(np.flatnonzero(channel == CHANNEL)[0]) for channel in Channel])


class Start(NamedTuple):
    """How the items of V vehicles are when the rows of a population begin; days count from 1970."""

    done_day: Ints
    """(V, items) when each was renewed last."""
    done_km: Floats
    """(V, items) the odometer then."""
    worn: Floats
    """(V, channels) used share."""
    battery_health: Floats
    """(V)"""


def rates_per_km(people: Population) -> Floats:
    """Used share of each channel (vehicles, channels) in one kilometre."""
    weight = WEIGHT[people.model]
    pads, tyres = people.pad_rate * weight, people.tyre_rate * weight
    per_km: Floats = RATES[people.model] * np.stack((people.oil_rate, pads, pads, tyres), axis=1)
    return per_km


def draw_start(rng: np.random.Generator, people: Population) -> Start:
    """Cars somewhere in the lives of their items; a new car is at their beginning."""
    spent = rng.uniform(*SPENT, (len(people), len(ITEMS)))
    spent[people.registered_day >= people.from_day] = 0.0
    worn = spent[:, ITEM_OF_CHANNEL] * WEAR_LIMIT[ITEM_OF_CHANNEL]
    worn[rates_per_km(people) == 0.0] = 0.0
    done_day, done_km = _last_renewed(rng, spent, people)
    health = np.clip(1 - 0.5 * spent[:, BATTERY] * people.battery_rate, 0.5, 1.0)
    return Start(done_day, done_km, worn, health)


def _last_renewed(rng: np.random.Generator, spent: Floats, people: Population) -> tuple[Ints, Floats]:
    """When each item was renewed before its row begins: never before the car was registered."""
    per_km = rates_per_km(people)
    wear_days = np.full(spent.shape, np.inf)
    measured = np.flatnonzero(CHANNEL >= 0)
    per_day = np.maximum(per_km[:, CHANNEL[measured]] * people.daily_km[:, None], 1e-6)
    wear_days[:, measured] = WEAR_LIMIT[measured] / per_day
    age_days = (people.from_day - people.registered_day)[:, None]
    lasts_days = np.where(age_days < YOUNG_MONTHS * MONTH_DAYS, MONTHS_YOUNG, MONTHS) * MONTH_DAYS
    life_days = np.minimum(np.minimum(lasts_days, DISTANCE_KM / people.daily_km[:, None]), wear_days)
    ago_days = np.minimum(spent * life_days, age_days).astype(np.int64)
    gone = _share_gone(rng, np.maximum(age_days, 1), ago_days)
    return people.from_day[:, None] - ago_days, people.odometer_m[:, None] / 1000 * (1 - gone)


def _share_gone(rng: np.random.Generator, age_days: Ints, ago_days: Ints) -> Floats:
    """Of a car's kilometres, the share (vehicles, items) that it went in its last ``ago_days``.

    Its past was no steadier than its future is: months differ, and so does one year from another.
    """
    months = int(np.max(age_days, initial=0) / MONTH_DAYS) + 2
    level = np.cumsum(rng.normal(0.0, PAST_DRIFT, (len(age_days), months)), axis=1)
    month = np.exp(level + rng.normal(0.0, MONTH_SPREAD, level.shape))
    gone = np.concatenate([np.zeros((len(age_days), 1)), np.cumsum(month, axis=1)], axis=1)
    row = np.arange(len(age_days))[:, None]

    def by(days: Ints) -> Floats:
        at = days / MONTH_DAYS
        whole = at.astype(np.int64)
        return gone[row, whole] + (at - whole) * month[row, whole]

    share: Floats = by(ago_days) / by(age_days)
    return share


class State:
    """The items of V vehicles; days are indices into the days of the curves.

    An item's life has a beginning by calendar and odometer (``start_day``, ``start_km``), and a day by whose
    end its wear is known (``seen_day``, ``seen_worn``): the same one once it was renewed here.
    """

    def __init__(self, people: Population, curves: Curves, first_day: int, start: Start) -> None:
        self.curves, self.first_day = curves, first_day
        self.odometer_km = people.odometer_m / 1000
        self.registered = people.registered_day[:, None] - first_day
        self.has = HAS[people.model]
        self.per_km = rates_per_km(people)
        self.oil_per_day = OIL_USED_PER_DAY * (self.per_km[:, Channel.OIL] > 0)
        by_day = self.oil_per_day[:, None] * np.arange(curves.days)
        self.oil = Curves.of(self.per_km[:, [Channel.OIL]] * curves.value + by_day)
        self.start_day = start.done_day - first_day
        self.start_km = start.done_km.copy()
        self.seen_day = np.repeat((people.from_day - first_day - 1)[:, None], len(ITEMS), axis=1)
        self.seen_worn = np.where(CHANNEL >= 0, start.worn[:, CHANNEL], 0.0)
        self.battery = start.battery_health.copy()
        self.battery_per_day = 0.5 / (BATTERY_HALF_LIFE_MONTHS * MONTH_DAYS) * people.battery_rate

    def _lasts_days(self, row: Ints, item: Ints) -> Floats:
        is_young = self.start_day[row, item] - self.registered[row, 0] < YOUNG_MONTHS * MONTH_DAYS
        lasts: Floats = np.where(is_young, MONTHS_YOUNG[item], MONTHS[item]) * MONTH_DAYS
        return lasts

    def worn(self, row: Ints, item: Ints, day: Ints) -> Floats:
        """The used share (Q) of measured items at the end of ``day`` (Q); 0 for others."""
        seen, channel = self.seen_day[row, item], CHANNEL[item]
        driven_km = self.curves.at(row, day) - self.curves.at(row, seen)
        by_day = np.where(channel == Channel.OIL, self.oil_per_day[row] * (day - seen), 0.0)
        worn = self.seen_worn[row, item] + self.per_km[row, channel] * driven_km + by_day
        return np.where(channel >= 0, worn, 0.0)

    def share_used(self, row: Ints, day: Ints) -> Floats:
        """Of each item's life (Q, items), the largest of its shares by distance, time and wear."""
        rows, items = np.repeat(row, len(ITEMS)), np.tile(np.arange(len(ITEMS)), len(row))
        at = np.repeat(day, len(ITEMS))
        odometer_km = self.odometer_km[rows] + self.curves.at(rows, at)
        by_km = (odometer_km - self.start_km[rows, items]) / DISTANCE_KM[items]
        by_time = (at - self.start_day[rows, items]) / self._lasts_days(rows, items)
        by_wear = self.worn(rows, items, at) / WEAR_LIMIT[items]
        share: Floats = np.maximum(np.maximum(by_km, by_time), by_wear)
        return share.reshape(len(row), len(ITEMS))

    def reaches_all(self, share: Floats) -> Ints:
        """`reaches` for all items (vehicles, items); the number of days where a vehicle has no such item."""
        result = np.full(self.has.shape, self.curves.days)
        row, item = np.nonzero(self.has)
        result[row, item] = self.reaches(row, item, share[row])
        return result

    def reaches(self, row: Ints, item: Ints, share: Floats) -> Ints:
        """The first day (Q) at whose end ``item`` of ``row`` has reached ``share`` of its life.

        Not before its life is seen; the number of days where that lies beyond them.
        """
        lasts = share * self._lasts_days(row, item)
        by_time = np.ceil(self.start_day[row, item] + np.minimum(lasts, 1e6)).astype(np.int64)
        first = np.minimum(by_time, self.curves.days)
        far = np.flatnonzero(np.isfinite(DISTANCE_KM[item]))
        target_km = self.start_km[row[far], item[far]] + share[far] * DISTANCE_KM[item[far]]
        by_km = self.curves.first_at(row[far], target_km - self.odometer_km[row[far]])
        first[far] = np.minimum(first[far], by_km)
        worn = np.flatnonzero(CHANNEL[item] >= 0)
        by_wear = self._wears_to(row[worn], item[worn], share[worn])
        first[worn] = np.minimum(first[worn], by_wear)
        return np.maximum(first, np.maximum(self.seen_day[row, item], 0))

    def _wears_to(self, row: Ints, item: Ints, share: Floats) -> Ints:
        seen, channel = self.seen_day[row, item], CHANNEL[item]
        left = share * WEAR_LIMIT[item] - self.seen_worn[row, item]
        is_oil = channel == Channel.OIL
        per_km = self.per_km[row, channel]
        target_km = self.curves.at(row, seen) + left / np.maximum(per_km, 1e-12)
        first = self.curves.first_at(row, target_km)
        oil = np.flatnonzero(is_oil)
        # Before the first day there is no sum; one day of it is what the oil ages by until then.
        begun = self.oil.at(row[oil], seen[oil]) - np.where(seen[oil] < 0, self.oil_per_day[row[oil]], 0.0)
        first[oil] = self.oil.first_at(row[oil], begun + left[oil])
        return first

    def battery_health(self, row: Ints, day: Ints) -> Floats:
        """The 12 V battery's health (Q) at the end of ``day``."""
        faded = self.battery_per_day[row] * (day - self.seen_day[row, BATTERY])
        health: Floats = self.battery[row] - faded
        return health

    def battery_below(self, health: float) -> Ints:
        """The first day (vehicles) on which the battery is weaker than that."""
        lasts = np.maximum(self.battery - health, 0.0) / self.battery_per_day
        day: Ints = np.ceil(self.seen_day[:, BATTERY] + np.minimum(lasts, 1e6)).astype(np.int64)
        return np.minimum(day, self.curves.days)

    def renew(self, row: Ints, item: Ints, day: Ints) -> None:
        """Put in new ones at the end of ``day``."""
        self.start_day[row, item] = self.seen_day[row, item] = day
        self.start_km[row, item] = self.odometer_km[row] + self.curves.at(row, day)
        self.seen_worn[row, item] = 0.0
        self.battery[row[item == BATTERY]] = 1.0
