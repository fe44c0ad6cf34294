"""The baselines that the product has to beat, written down for themselves: nothing of the signals is used.

A rate is in metres a day; the days to a distance are the distance over it. A group's rate is what all of its
vehicles did up to the origin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milepost_server.signals.flat import Floats, Ints

DECAY_PER_MONTH = 0.8
PRIOR_MONTHS = 1.5
MONTH_D = 365.2425 / 12
TRAILING_MONTHS = 3
RATE_MIN = 1.0  # a vehicle that stands still is foretold a kilometre in three years, not a division by zero
GROUP_TIMES_MAX = 1_000
"""Group rates are worked out at so many times at most; an origin uses the last before it."""


@dataclass(frozen=True, slots=True)
class Rates:
    """The rate (O) of each origin, by method."""

    trailing: Floats
    lifetime: Floats
    group: Floats
    shrunk: Floats

    @classmethod
    def methods(cls) -> tuple[str, ...]:
        """The names of the methods."""
        return cls.__slots__


def rates(
    *,
    times: list[Floats],  # (V) of each vehicle's readings, days
    odometers: list[Floats],  # (V) metres
    group: Ints,  # (V)
    origin_vehicle: Ints,  # (O)
    origin_row: Ints,  # (O) place of the last known reading among its vehicle's
) -> Rates:
    """The baselines' rates at O origins."""
    origin_d = np.array([times[v][r] for v, r in zip(origin_vehicle, origin_row, strict=True)])
    prior = _group_rates(times, odometers, group, origin_vehicle, origin_d)
    found = np.empty((3, len(origin_d)))
    for place, (vehicle, row) in enumerate(zip(origin_vehicle, origin_row, strict=True)):
        t, m = times[vehicle][: row + 1], odometers[vehicle][: row + 1]
        months = max(int((t[-1] - t[0]) / MONTH_D + 0.5), 1)
        ends = np.maximum(t[-1] - np.arange(months + 1) * MONTH_D, t[0])
        rate = -np.diff(np.interp(ends, t, m)) / MONTH_D  # newest first
        weight = DECAY_PER_MONTH ** np.arange(months)
        shrunk = (weight @ rate + PRIOR_MONTHS * prior[place]) / (weight.sum() + PRIOR_MONTHS)
        found[:, place] = rate[:TRAILING_MONTHS].mean(), (m[-1] - m[0]) / (t[-1] - t[0]), shrunk
    trailing, lifetime, shrunk_all = np.maximum(found, RATE_MIN)
    return Rates(trailing, lifetime, np.maximum(prior, RATE_MIN), shrunk_all)


def _group_rates(
    times: list[Floats], odometers: list[Floats], group: Ints, vehicle: Ints, origin_d: Floats
) -> Floats:
    """What the origin's group had done in all until then, over the days that its vehicles were known (O)."""
    when = np.unique(origin_d)
    when = when[:: -(-len(when) // GROUP_TIMES_MAX)]
    place = np.searchsorted(when, origin_d, side="right") - 1
    gone, known = (np.zeros((int(group.max()) + 1, len(when))) for _ in range(2))
    for t, m, name in zip(times, odometers, group, strict=True):
        if len(t):
            gone[name] += np.interp(when, t, m) - m[0]
            known[name] += np.clip(when, t[0], t[-1]) - t[0]
    mine = group[vehicle]
    rate: Floats = gone[mine, place] / np.maximum(known[mine, place], 1.0)
    return rate
