"""Faults of a fleet: when they begin, whether they come back, when they are mended."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from milepost_simulator.car.models import Powertrain
from milepost_simulator.fleet.population import YEAR_DAYS, Population

if TYPE_CHECKING:
    from numpy.typing import NDArray

FAULTS_PER_YEAR = 0.22
AGE_EFFECT_PER_YEAR = 0.13
COMES_BACK = 0.2
BACK_AFTER_DAYS = (5, 50)
MENDED_AFTER_DAYS = (3, 75)
CONFIRMED_AFTER_DAYS = 3

CODES: dict[Powertrain, tuple[tuple[str, float], ...]] = {
    Powertrain.COMBUSTION: (
        ("P0420", 0.20),
        ("P0171", 0.14),
        ("P0455", 0.12),
        ("P0301", 0.10),
        ("P0302", 0.07),
        ("P0128", 0.10),
        ("P0141", 0.08),
        ("P0401", 0.08),
        ("P0011", 0.05),
        ("C0035", 0.06),
    ),
    Powertrain.HYBRID: (("P0A80", 0.15), ("P0420", 0.25), ("P0128", 0.2), ("P0A93", 0.2), ("C0035", 0.2)),
    Powertrain.EV: (("P0AA6", 0.2), ("P0A1B", 0.2), ("U0293", 0.25), ("C0035", 0.2), ("P0D26", 0.15)),
}
"""Generic trouble codes with their shares: invented frequencies of common kinds."""


class FaultEvent(NamedTuple):
    """One fault of one vehicle. ``mended_day`` is the first day without it."""

    vehicle: int
    code: str
    pending_day: int
    confirmed_day: int
    mended_day: int


def draw_faults(
    rng: np.random.Generator,
    people: Population,
    km: NDArray[np.float64],
    visited: NDArray[np.bool_],
    first_day: int,
) -> list[FaultEvent]:
    """All faults of a block, by vehicle and day.

    A fault shows itself on a day of driving, is confirmed within days, and lasts until the next visit to
    a workshop or some weeks; one in five comes back.
    """
    count, days = km.shape
    age_years = (first_day - people.registered_day) / YEAR_DAYS
    per_day = FAULTS_PER_YEAR * np.exp(AGE_EFFECT_PER_YEAR * (age_years - 5)) / YEAR_DAYS
    begins = (rng.random((count, days)) < per_day[:, None]) & (km > 0)
    powertrain = people.powertrain
    events: list[FaultEvent] = []
    for vehicle, first_index in np.argwhere(begins):
        codes, shares = zip(*CODES[powertrain[vehicle]], strict=True)
        code = str(rng.choice(codes, p=np.array(shares) / sum(shares)))
        index = int(first_index)
        for _ in range(1 + (rng.random() < COMES_BACK)):
            confirmed = index + int(rng.integers(1, CONFIRMED_AFTER_DAYS + 1))
            end = max(_mended(rng, visited[vehicle], index), confirmed + 1)
            known = (first_day + day for day in (index, confirmed, end))
            events.append(FaultEvent(int(vehicle), code, *known))
            index = min(end + int(rng.integers(*BACK_AFTER_DAYS)), days - 1)
    return _without_overlap(events)


def _mended(rng: np.random.Generator, visited: NDArray[np.bool_], index: int) -> int:
    visits = np.flatnonzero(visited[index + 1 :])
    own_day = index + int(rng.integers(*MENDED_AFTER_DAYS))
    return min(own_day, index + 1 + int(visits[0])) if len(visits) else own_day


def _without_overlap(events: list[FaultEvent]) -> list[FaultEvent]:
    """One code is there only once at a time: a second beginning while it lasts is the same fault."""
    kept: list[FaultEvent] = []
    until: dict[tuple[int, str], int] = {}
    for event in sorted(events, key=lambda e: (e.vehicle, e.pending_day, e.code)):
        key = (event.vehicle, event.code)
        if event.pending_day > until.get(key, -1):
            kept.append(event)
            until[key] = event.mended_day
    return kept
