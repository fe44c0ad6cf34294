"""Where a car's speed comes from: trips made of phases, phases made of legs."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

KM_H = 1 / 3.6
SPEED_CHANGE_S = 12.0
PEDAL_S = 1.0
"""How long a foot takes from one pedal to the other: nobody brakes and accelerates ten times a second."""


class Road(StrEnum):
    """What kind of road a phase is on."""

    URBAN = "urban"
    RURAL = "rural"
    MOTORWAY = "motorway"


class _RoadManners(NamedTuple):
    cruise_km_h: tuple[float, float]
    hold_s: tuple[float, float]
    stop_probability: float
    stop_s: tuple[float, float]


_MANNERS = {
    Road.URBAN: _RoadManners((25, 55), (8, 35), 0.55, (4, 35)),
    Road.RURAL: _RoadManners((60, 95), (25, 110), 0.12, (3, 15)),
    Road.MOTORWAY: _RoadManners((105, 132), (60, 260), 0.0, (0, 0)),
}


class Phase(NamedTuple):
    """A stretch of one kind of road, by its length in time."""

    road: Road
    duration_s: float


class Leg(NamedTuple):
    """Go to a speed at a given acceleration, then hold it; target 0 is a stop with the engine idling."""

    target_m_s: float
    hold_s: float
    acceleration_m_s2: float
    deceleration_m_s2: float


class Driver(NamedTuple):
    """How someone drives: 1 is usual, 0.6 gentle, 1.6 hard."""

    vigour: float = 1.0


USUAL_DRIVER = Driver()


class Habits(NamedTuple):
    """How often a car is used, and for what: the parameters of its trips.

    ``parked_s`` is the range of the rests between trips, ``phases`` the range of each road's length
    in one trip; a road may be left out of a trip with probability ``skip``.
    """

    parked_s: tuple[float, float]
    phases: tuple[tuple[Road, tuple[float, float]], ...]
    skip: float = 0.3


COMMUTER = Habits(
    parked_s=(2 * 3600.0, 14 * 3600.0),
    phases=(
        (Road.URBAN, (240, 600)),
        (Road.RURAL, (200, 700)),
        (Road.MOTORWAY, (240, 1200)),
        (Road.URBAN, (120, 480)),
    ),
)
SHUTTLE = Habits(
    parked_s=(8.0, 15.0),
    phases=((Road.URBAN, (60, 150)), (Road.RURAL, (60, 150)), (Road.URBAN, (30, 90))),
    skip=0.0,
)
ERRAND = Habits(parked_s=(8.0, 12.0), phases=((Road.URBAN, (10, 20)),), skip=0.0)


def plan_trip(habits: Habits, rng: Random) -> list[Phase]:
    """The phases of one trip; at least one."""
    drawn = [(Phase(road, rng.uniform(*length_s)), rng.random()) for road, length_s in habits.phases]
    return [phase for phase, chance in drawn if chance >= habits.skip] or [drawn[0][0]]


def legs(phases: list[Phase], driver: Driver, rng: Random) -> Iterator[Leg]:
    """The legs of a trip; the last one is a stop, and no stop follows another."""
    is_moving = False
    for phase in phases:
        spent_s = 0.0
        while spent_s < phase.duration_s:
            leg = _leg(_MANNERS[phase.road], driver, rng, may_stop=is_moving)
            is_moving = leg.target_m_s > 0
            yield leg
            spent_s += leg.hold_s + SPEED_CHANGE_S
    yield Leg(0.0, rng.uniform(2.0, 6.0), 1.0, 1.2 * driver.vigour)


def _leg(manners: _RoadManners, driver: Driver, rng: Random, *, may_stop: bool) -> Leg:
    acceleration = rng.uniform(0.8, 1.6) * driver.vigour
    deceleration = rng.uniform(0.9, 2.2) * driver.vigour
    is_stop = rng.random() < manners.stop_probability and may_stop
    target = 0.0 if is_stop else rng.uniform(*manners.cruise_km_h) * KM_H
    hold_s = rng.uniform(*(manners.stop_s if is_stop else manners.hold_s))
    return Leg(target, hold_s, acceleration, deceleration)


class SpeedProfile:
    """Speed over time, one step after another: approaches each leg's target and wavers around it."""

    def __init__(self, phases: list[Phase], driver: Driver, rng: Random) -> None:
        self._rng = rng
        self._legs = legs(phases, driver, rng)
        self._leg: Leg | None = next(self._legs)
        self._held_s = 0.0
        self._pedal_m_s2 = 0.0
        self._waver = 0.0
        self.speed_m_s = 0.0

    @property
    def is_over(self) -> bool:
        """Whether the car has reached the end of its trip."""
        return self._leg is None

    def step(self, dt_s: float, acceleration_max_m_s2: float) -> float:
        """Go on by ``dt_s``; returns the acceleration in m/s²."""
        leg = self._leg
        if leg is None:
            return 0.0
        self._pedal_m_s2 += (self._rng.gauss(0.0, 0.35) - self._pedal_m_s2) * dt_s / PEDAL_S
        self._waver += (self._pedal_m_s2 - 0.08 * self._waver) * dt_s
        target = max(0.0, leg.target_m_s + self._waver) if leg.target_m_s > 0 else 0.0
        rise = min(leg.acceleration_m_s2, acceleration_max_m_s2) * dt_s
        before = self.speed_m_s
        change = max(-leg.deceleration_m_s2 * dt_s, min(target - before, rise))
        self.speed_m_s = max(0.0, before + change)
        if abs(self.speed_m_s - target) < 0.05 + rise:
            self._held_s += dt_s
        if self._held_s >= leg.hold_s:
            self._leg, self._held_s = next(self._legs, None), 0.0
        return (self.speed_m_s - before) / dt_s
