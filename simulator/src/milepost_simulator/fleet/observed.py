"""What reaches the dealer of a lot: readings with their flaws, gaps and silence, and services as recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from milepost_simulator.fleet.flaws import SCALED, Clusters, Flaw, key_in
from milepost_simulator.fleet.makes import FLEET_MODELS
from milepost_simulator.fleet.population import MONTH_DAYS
from milepost_simulator.fleet.wear_readings import Looks, WearReadings, measure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from milepost_simulator.fleet.lot import FleetPlan, Lot

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

CONNECTED = 0.7
CONNECTED_BUYER = 0.5
"""A new owner is asked for consent anew."""
MISSING = 0.08
"""Of a device's monthly readings."""
DEVICE_GAP, GAP_DAYS = 0.06, (60, 150)
WITHIN_MONTH = (0.1, 0.9)
ENTERED_EVERY_DAYS = 75
"""How often somebody keys in the odometer of a car without a device: fuel cards, inspections."""
EVENING = (0.65, 0.93)
ANCHOR_BIAS = 0.004
ANCHOR_SIGMA = 0.012
"""Of the kilometres since a device without the car's own odometer was installed: as it says itself."""
COARSE = 0.3
"""The share of cars whose odometer comes in whole kilometres; others in steps of 100 m."""
WEAR_SENSORS = 0.6
WEAR_EVERY_DAYS = 91
LATE, LATE_DAYS = 0.08, 25

HAS_ODOMETER = np.array([model.has_odometer for model in FLEET_MODELS])


class Source(NamedTuple):
    """Where a reading comes from."""

    own: int = 0
    anchored: int = 1
    entered: int = 2


SOURCE = Source()
SOURCES = Source._fields


@dataclass(frozen=True, slots=True)
class Readings:
    """Odometer readings of a lot, by row and time; days are indices, kilometres are metres here.

    ``flaw`` and ``true_m`` are truth; the rest is what was sent.
    """

    row: Ints
    day: Ints
    hour_d: Floats
    source: Ints
    sent_m: Ints
    sigma_m: Floats
    flaw: Ints
    true_m: Ints


@dataclass(frozen=True, slots=True)
class Recorded:
    """Services as the dealer has them: which of the lot's, since when, with which odometer written down."""

    service: Ints
    known_day: Ints
    sent_m: Ints


@dataclass(frozen=True, slots=True)
class Swaps:
    """New instrument clusters: which show ``offset_km`` more than is true from ``day`` on."""

    row: Ints
    day: Ints
    offset_km: Floats


@dataclass(frozen=True, slots=True)
class Observed:
    """All of a lot that reaches the dealer; ``swaps`` are truth."""

    connected: Bools
    swaps: Swaps
    readings: Readings
    wear: WearReadings | None
    services: Recorded


class Observer:
    """Looks at one lot. ``rng`` is the lot's stream; ``clusters`` those of the block."""

    def __init__(self, rng: np.random.Generator, plan: FleetPlan, lot: Lot, clusters: Clusters) -> None:
        self._rng, self._plan, self._lot, self._clusters = rng, plan, lot, clusters
        people = lot.population
        self._count = len(people)
        self._from = people.from_day - plan.first_day
        self._until = np.minimum(lot.until_day, plan.as_of_day) - plan.first_day
        self._swaps = self._place_clusters()
        share = np.where(people.is_buyer, CONNECTED_BUYER, CONNECTED)
        self._connected = rng.random(self._count) < share
        silent = np.where(people.silent_from_day > 0, people.silent_from_day - plan.first_day, plan.days)
        self._speaks_until = np.minimum(self._until, silent)
        gap = rng.random(self._count) < DEVICE_GAP
        begin = rng.integers(0, plan.days, self._count)
        self._gap = np.where(gap, begin, -1), begin + rng.integers(*GAP_DAYS, self._count)

    def _place_clusters(self) -> Swaps:
        car, clusters = self._lot.population.car, self._clusters
        day = clusters.day[car]
        here = np.flatnonzero((day >= self._from) & (day < self._lot.until_day - self._plan.first_day))
        clusters.place(car[here], self._lot.odometer_km(here, day[here]))
        return Swaps(here, day[here], clusters.offset_km[car[here]])

    def look(self, *, with_wear: bool) -> Observed:
        """All that there is to see."""
        visit_m, visits = self._visits()
        readings = _sorted(_joined(self._from_devices(), visits, self._from_people()))
        wear = self._wear() if with_wear else None
        return Observed(self._connected, self._swaps, readings, wear, self._services(visit_m))

    def _speaking(self, row: Ints, day: Ints) -> Bools:
        """Whether the device of ``row`` (Q) sends what it has on ``day`` (Q)."""
        begin, end = (each[row] for each in self._gap)
        in_gap = (begin >= 0) & (day >= begin) & (day < end)
        speaks: Bools = (
            self._connected[row] & (day >= self._from[row]) & (day < self._speaks_until[row]) & ~in_gap
        )
        return speaks

    def _shown_km(self, row: Ints, day: Ints) -> tuple[Floats, Floats]:
        true_km = self._lot.odometer_km(row, day)
        return self._clusters.shown_km(self._lot.population.car[row], day, true_km), true_km

    def _hours(self, count: int) -> Floats:
        return self._rng.uniform(*EVENING, count)

    def _from_devices(self) -> Readings:
        """About one reading a month."""
        rng, shape = self._rng, (self._count, self._plan.months)
        at = (np.arange(self._plan.months) + rng.uniform(*WITHIN_MONTH, shape)) * MONTH_DAYS
        coarse = rng.random(self._count) < COARSE
        bias = rng.normal(0.0, ANCHOR_BIAS, self._count)
        row = np.repeat(np.arange(self._count), self._plan.months)
        day = at.astype(np.int64).ravel()
        sent = self._speaking(row, day) & (rng.random(len(row)) >= MISSING)
        row, day = row[sent], day[sent]
        shown_km, true_km = self._shown_km(row, day)
        own = HAS_ODOMETER[self._lot.population.model[row]]
        since_km = self._lot.curves.at(row, day)
        # What is anchored is sent as it is; the car's own odometer in its steps.
        step_m = np.where(coarse[row], 1_000, 100)
        own_m = np.floor(1000 * shown_km / step_m).astype(np.int64) * step_m
        anchored_m = np.rint(1000 * (shown_km + bias[row] * since_km)).astype(np.int64)
        scaled = own & (rng.random(len(row)) < SCALED)
        sent_m = np.where(own, own_m, anchored_m) * np.where(scaled, 10, 1)
        return Readings(
            row,
            day,
            self._hours(len(row)),
            np.where(own, SOURCE.own, SOURCE.anchored),
            sent_m,
            np.where(own, 0.0, 1000 * ANCHOR_SIGMA * since_km),
            np.where(scaled, int(Flaw.SCALED), int(Flaw.NONE)),
            np.rint(1000 * true_km).astype(np.int64),
        )

    def _entered(self, row: Ints, day: Ints) -> Readings:
        shown_km, true_km = self._shown_km(row, day)
        km, flaw = key_in(self._rng, shown_km)
        true_m = np.rint(1000 * true_km).astype(np.int64)
        zero = np.zeros(len(row))
        source = np.full(len(row), SOURCE.entered)
        return Readings(row, day, self._hours(len(row)), source, 1000 * km, zero, flaw, true_m)

    def _visits(self) -> tuple[Ints, Readings]:
        """What the workshop keys in: for each of the lot's visits the odometer, -1 where not recorded."""
        visits = self._lot.life.visits
        counts = (visits.day >= self._from[visits.row]) & (visits.day < self._until[visits.row])
        known = np.flatnonzero(visits.is_recorded & counts)
        readings = self._entered(visits.row[known], visits.day[known])
        sent_m = np.full(len(visits.row), -1)
        sent_m[known] = readings.sent_m
        return sent_m, readings

    def _from_people(self) -> Readings:
        """What people key in for cars without a device."""
        rng, days = self._rng, self._plan.months * MONTH_DAYS
        number = rng.poisson(days / ENTERED_EVERY_DAYS, self._count)
        row = np.repeat(np.arange(self._count), number)
        day = rng.integers(0, round(days), len(row))
        here = ~self._connected[row] & (day >= self._from[row]) & (day < self._until[row])
        return self._entered(row[here], day[here])

    def _services(self, visit_m: Ints) -> Recorded:
        """Those that the dealer has; with the odometer of their visit, slips included."""
        services, visits, plan = self._lot.life.services, self._lot.life.visits, self._plan
        count = len(services.row)
        late = self._rng.random(count) < LATE
        known_day = services.day + np.where(late, self._rng.geometric(1 / LATE_DAYS, count), 0)
        index = services.day - plan.first_day
        # A buyer's service book before the purchase is the former owner's own record.
        is_own = (index >= self._from[services.row]) | ~self._lot.population.is_buyer[services.row]
        kept = np.flatnonzero(services.is_recorded & is_own & (index < self._until[services.row]))
        span = plan.days + 1
        found = np.searchsorted(
            visits.row * span + visits.day, services.row[kept] * span + np.maximum(index[kept], 0)
        )
        in_book = services.odometer_m[kept] // 1000 * 1000
        at_visit = np.append(visit_m, -1)[np.minimum(found, len(visit_m))]
        sent_m = np.where(
            (index[kept] >= self._from[services.row[kept]]) & (at_visit >= 0), at_visit, in_book
        )
        return Recorded(kept, known_day[kept], sent_m)

    def _wear(self) -> WearReadings:
        """A device's every quarter, and what the workshop measures on a visit."""
        rng, quarters = self._rng, int(self._plan.months * MONTH_DAYS / WEAR_EVERY_DAYS)
        sensors = rng.random(self._count) < WEAR_SENSORS
        row = np.repeat(np.arange(self._count), quarters)
        day = ((np.arange(quarters) + rng.random((self._count, quarters))) * WEAR_EVERY_DAYS).astype(np.int64)
        here = self._speaking(row, day.ravel())
        row, day = row[here], day.ravel()[here]
        visits = self._lot.life.visits
        # Before the visit's work: what the mechanic saw is not what was there in the evening.
        seen_day = visits.day - 1
        counts = (seen_day >= self._from[visits.row]) & (visits.day < self._until[visits.row])
        counts &= visits.is_recorded
        rows, days = np.concatenate([row, visits.row[counts]]), np.concatenate([day, seen_day[counts]])
        by_mechanic = np.arange(len(rows)) >= len(row)
        order = np.lexsort((days, rows))
        looks = Looks(rows, days, self._hours(len(rows)), by_mechanic | sensors[rows], ~by_mechanic)
        return measure(rng, self._lot, looks.rows(order))


def _joined(*parts: Readings) -> Readings:
    names = Readings.__slots__
    return Readings(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _sorted(readings: Readings) -> Readings:
    order = np.lexsort((readings.day + readings.hour_d, readings.row))
    return Readings(*(getattr(readings, name)[order] for name in Readings.__slots__))
