"""From odometer readings to what was driven: clean, continuous, summed up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals.flat import Floats, Ints, last_rows
from milepost_server.signals.odometer import CleanOdometer, clean_odometer
from milepost_server.signals.usage.months import month_steps
from milepost_server.signals.usage.rate import History, Observed, Scatter, aged_until, observe, scatter_of
from milepost_server.signals.usage.regimes import MONTHS, Regimes, regimes

if TYPE_CHECKING:
    from milepost_server.derivation.configuration import Configuration
    from milepost_server.signals.odometer import OdometerReadings


@dataclass(frozen=True, slots=True)
class Driven:
    """What the odometers of V vehicles say."""

    clean: CleanOdometer
    history: History
    steps: Floats  # (V, M) its distance month by month, the newest first
    regimes: Regimes  # (V) the latest change of use
    scatter: Scatter  # (V)
    observed: Observed  # since then, where it was a break
    anchor_d: Floats  # (V) the last kept reading; NaN where none
    anchor_m: Floats  # (V)
    origin_m: Floats  # (V) zero of the first instrument cluster on the continuous axis; NaN where none

    def continuous_at(self, rows: Ints) -> Floats:
        """The continuous odometer at rows (Q) of the readings; NaN at rejected ones and at -1."""
        metres = np.full(len(self.clean.verdict) + 1, np.nan)
        metres[self.clean.row] = self.history.odometer_m
        at: Floats = metres[rows]
        return at


def drive(odometer: OdometerReadings, as_of_d: float, config: Configuration) -> Driven:
    """Clean the odometers and sum up what was driven; ``as_of_d`` is the end of the as-of date."""
    clean = clean_odometer(odometer, as_of_d, config.odometer)
    continuous_m = clean.continuous_m()
    history = History(clean.offsets, clean.time_d, continuous_m)
    first, last = clean.offsets[:-1], last_rows(clean.offsets)
    steps = month_steps(history, MONTHS)
    changes = regimes(history, config.regimes, steps)
    padded_d, padded_m = np.append(clean.time_d, np.nan), np.append(continuous_m, np.nan)
    shift = np.append(continuous_m - clean.odometer_m, np.nan)
    until_d = aged_until(padded_d[last], as_of_d, config.usage)
    return Driven(
        clean=clean,
        history=history,
        steps=steps,
        regimes=changes,
        scatter=scatter_of(history, steps),
        observed=observe(history, until_d, config.usage, changes.counts_from_d),
        anchor_d=padded_d[last],
        anchor_m=padded_m[last],
        origin_m=shift[np.where(last >= 0, first, -1)],
    )


def months_of(driven: Driven) -> Floats:
    """The relative variance (V) of each vehicle's months, for priors."""
    return driven.scatter.variance
