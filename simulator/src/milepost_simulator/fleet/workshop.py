"""Wear day by day, and what workshops do about it: the life of the items of each vehicle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

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

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOGETHER = 0.85
"""Whoever is in the workshop anyway has renewed what is used up to this share."""
BATTERY_HALF_LIFE_MONTHS = 66.0
NEW_DAYS = 30
NEVER = np.iinfo(np.int64).max


class Service(NamedTuple):
    """One item renewed: ``vehicle`` is the population's row, ``is_recorded`` whether the dealer knows."""

    vehicle: int
    item: str
    day: int
    odometer_m: int
    is_recorded: bool


@dataclass(frozen=True, slots=True)
class WorkshopLife:
    """What happened to all items.

    Attributes:
        used: float32 of shape (vehicles, days, channels): share of life used at the end of each day.
        battery_health: float32 of shape (vehicles, days).
        due_day: int64 of shape (vehicles, items): the first day on or after the last visit on which the
            item is due, NEVER where that lies beyond the days or the vehicle has no such item.
        services: everything done, oldest first.
        visited: bool of shape (vehicles, days).
    """

    used: NDArray[np.float32]
    battery_health: NDArray[np.float32]
    due_day: NDArray[np.int64]
    services: list[Service]
    visited: NDArray[np.bool_]


class _State:
    """The workshop's view of a block at one day."""

    def __init__(self, rng: np.random.Generator, people: Population, first_day: int) -> None:
        count = len(people)
        self.people = people
        self.rng = rng
        self.has = np.array([[p in item.powertrains for item in ITEMS] for p in people.powertrain])
        rates = np.array([USED_PER_KM[model.powertrain] for model in FLEET_MODELS])[people.model]
        weight = np.array([model.wear for model in FLEET_MODELS])[people.model]
        self.per_km = rates * np.stack(
            (people.oil_rate, people.pad_rate * weight, people.pad_rate * weight, people.tyre_rate * weight),
            axis=1,
        )
        self.distance_km = np.array([item.distance_km for item in ITEMS])
        self.months = np.array([item.months for item in ITEMS])
        self.months_young = np.array([item.months_young or item.months for item in ITEMS])
        self.channel = np.array([-1 if item.channel is None else item.channel for item in ITEMS])
        self.wear_limit = np.array([item.wear_limit for item in ITEMS])
        spent = rng.uniform(0.02, 0.9, (count, len(ITEMS)))
        self.used = self._first_wear(spent)
        self.done_day, self.done_km = self._first_services(spent, first_day)
        self.battery_health = np.clip(1 - 0.5 * spent[:, BATTERY] * people.battery_rate, 0.5, 1.0)

    def _first_wear(self, spent: NDArray[np.float64]) -> NDArray[np.float64]:
        by_channel = [spent[:, np.flatnonzero(self.channel == channel)[0]] for channel in Channel]
        limits = [item.wear_limit for channel in Channel for item in ITEMS if item.channel == channel]
        used: NDArray[np.float64] = np.stack(by_channel, axis=1) * np.array(limits)
        return used

    def _first_services(
        self, spent: NDArray[np.float64], first_day: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """When each item was last renewed before the history: never before the car was registered."""
        people = self.people
        wear_days = np.full(spent.shape, np.inf)
        for index, channel in enumerate(self.channel):
            if channel >= 0:
                per_day = np.maximum(self.per_km[:, channel] * people.daily_km, 1e-6)
                wear_days[:, index] = self.wear_limit[index] / per_day
        by_km = self.distance_km / people.daily_km[:, None]
        age_days = (first_day - people.registered_day)[:, None]
        is_young = age_days < YOUNG_MONTHS * MONTH_DAYS
        lasts_days = np.where(is_young, self.months_young, self.months) * MONTH_DAYS
        life_days = np.minimum(np.minimum(lasts_days, by_km), wear_days)
        ago_days = np.minimum(spent * life_days, age_days).astype(np.int64)
        done_km = people.odometer_m[:, None] / 1000 - ago_days * people.daily_km[:, None]
        return first_day - ago_days, np.maximum(done_km, 0.0)

    def share_used(self, day: int, odometer_km: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of each item's life, the largest of its shares by distance, time and wear; 0 where not present."""
        by_km = (odometer_km[:, None] - self.done_km) / self.distance_km
        by_time = (day - self.done_day) / self._lasts_days()
        by_wear = np.where(self.channel >= 0, self.used[:, self.channel] / self.wear_limit, 0.0)
        share: NDArray[np.float64] = np.where(self.has, np.maximum(np.maximum(by_km, by_time), by_wear), 0.0)
        return share

    def _lasts_days(self) -> NDArray[np.float64]:
        is_young = self.done_day - self.people.registered_day[:, None] < YOUNG_MONTHS * MONTH_DAYS
        lasts: NDArray[np.float64] = np.where(is_young, self.months_young, self.months) * MONTH_DAYS
        return lasts

    def drive(self, km: NDArray[np.float64]) -> None:
        self.used = self.used + self.per_km * km[:, None]
        self.used[:, Channel.OIL] += OIL_USED_PER_DAY * (self.per_km[:, Channel.OIL] > 0)
        np.minimum(self.used, 1.3, out=self.used)
        per_day = 0.5 / (BATTERY_HALF_LIFE_MONTHS * MONTH_DAYS)
        self.battery_health = np.maximum(0.3, self.battery_health - per_day * self.people.battery_rate)

    def renew(self, done: NDArray[np.bool_], day: int, odometer_km: NDArray[np.float64]) -> None:
        self.done_day = np.where(done, day, self.done_day)
        self.done_km = np.where(done, odometer_km[:, None], self.done_km)
        for index, channel in enumerate(self.channel):
            if channel >= 0:
                self.used[:, channel] = np.where(done[:, index], 0.0, self.used[:, channel])
        self.battery_health = np.where(done[:, BATTERY], 1.0, self.battery_health)


def live(
    rng: np.random.Generator, people: Population, km: NDArray[np.float64], first_day: int, as_of_day: int
) -> WorkshopLife:
    """Let the items wear and be renewed.

    Until ``as_of_day`` owners bring their cars when the first item has reached their personal share of
    its life. From that day on nobody comes, so that ``due_day`` says when an item would be due if
    nobody acted.
    """
    count, days = km.shape
    state = _State(rng, people, first_day)
    services = _before(state)
    used = np.empty((count, days, len(Channel)), dtype=np.float32)
    health = np.empty((count, days), dtype=np.float32)
    visited = np.zeros((count, days), dtype=bool)
    due_day = np.full((count, len(ITEMS)), NEVER, dtype=np.int64)
    odometer_km = people.odometer_m / 1000
    patience = rng.integers(0, 12, (count, days))
    for index in range(days):
        day = first_day + index
        odometer_km = odometer_km + km[:, index]
        state.drive(km[:, index])
        share = state.share_used(day, odometer_km)
        if day < as_of_day:
            # Closed on Sundays. Nobody comes on the very day: of those whose item waits, one in twelve a day.
            comes = (share.max(axis=1) >= people.compliance) & (patience[:, index] == 0) & ((day + 3) % 7 < 6)
            comes |= state.battery_health < 0.42
            done = comes[:, None] & state.has & (share >= TOGETHER)
            done[:, BATTERY] |= comes & (state.battery_health < 0.5)
            state.renew(done, day, odometer_km)
            services += _performed(state, done, day, odometer_km)
            visited[:, index] = comes
            share = np.where(done, 0.0, share)
            due_day[done] = NEVER
        newly_due = (share >= 1.0) & (due_day == NEVER)
        due_day[newly_due] = day
        used[:, index] = state.used
        health[:, index] = state.battery_health
    return WorkshopLife(used, health, due_day, services, visited)


def _before(state: _State) -> list[Service]:
    """The last services before the history, from the car's service book: the dealer knows all of them.

    A car that was never serviced has none.
    """
    services = []
    first_day = state.people.registered_day[:, None] + NEW_DAYS
    for vehicle, index in np.argwhere(state.has & (state.done_day > first_day)):
        day, odometer_m = int(state.done_day[vehicle, index]), int(state.done_km[vehicle, index] * 1000)
        services.append(Service(int(vehicle), ITEMS[index].key, day, odometer_m, is_recorded=True))
    return sorted(services, key=lambda service: service.day)


def _performed(
    state: _State, done: NDArray[np.bool_], day: int, odometer_km: NDArray[np.float64]
) -> list[Service]:
    # Drawn for all, so that one more visit does not change who is loyal elsewhere.
    recorded = state.rng.random(len(state.people)) < state.people.loyalty
    return [
        Service(int(v), ITEMS[index].key, day, int(odometer_km[v] * 1000), bool(recorded[v]))
        for v, index in np.argwhere(done)
    ]
