"""From how late on an item that is on record says nothing more: learned from how late services still came.

A dealer has no record of what was done elsewhere, so whoever went there is overdue for ever by the book. What
is on record tells how late customers come: of services that fell due, the share that has no record after so
many days (Kaplan and Meier 1958, "Nonparametric estimation from incomplete observations") falls, and then
stays at the share of those who were elsewhere, or never go (a cure model: Boag 1949, "Maximum likelihood
estimates of the proportion of patients cured by cancer therapy"). If who goes elsewhere goes as soon as who
comes here, the two shares give the chance that a service without a record is still to be done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from milepost_server.signals.errors import RulesError
from milepost_server.signals.flat import Bools, Floats
from milepost_server.signals.items.limits import Intervals
from milepost_server.signals.items.starts import Starts
from milepost_server.signals.items.wear import WearLimit


@dataclass(frozen=True, slots=True)
class LapseRules:
    """The numbers behind it; part of the configuration version.

    Raises:
        RulesError: the days do not rise from 0, or the chance is none.
    """

    chance_min: float = 0.15  # an item that is less likely still to be done is a question, not a need
    after_d_min: float = 60.0  # so late it is overdue in any case
    watched_d: float = 183.0  # who has not come by then has been elsewhere, or does not go
    came_min: int = 100  # services that came late; fewer teach nothing

    def __post_init__(self) -> None:
        if not 0 <= self.after_d_min < self.watched_d:
            raise RulesError("lapse", f"0 <= {self.after_d_min} < {self.watched_d} d must hold")
        if not 0 < self.chance_min < 1:
            raise RulesError("lapse", f"the chance {self.chance_min} must lie between 0 and 1")


@dataclass(frozen=True, slots=True)
class Lateness:
    """N services that had fallen due."""

    late_d: Floats  # (N) > 0: how late it came, or how late it is without a record
    came: Bools  # (N) whether it came

    @classmethod
    def together(cls, parts: Sequence[Lateness]) -> Lateness:
        """All of them as one."""
        each = [cls(np.zeros(0), np.zeros(0, dtype=np.bool_)), *parts]
        return cls(np.concatenate([part.late_d for part in each]), np.concatenate([p.came for p in each]))


@dataclass(frozen=True, slots=True)
class Seen:
    """A known odometer of each of Q vehicles; from there distance goes on, or back, at the rate."""

    time_d: Floats  # (Q)
    odometer_m: Floats  # (Q) on the continuous axis
    rate_m_per_d: Floats  # (Q)


def late_d(
    starts: Starts, intervals: Intervals, seen: Seen, end_d: Floats | float, months_end_d: Floats
) -> Floats:
    """How many days (Q) before ``end_d`` (Q) each item fell due by distance, or by time; NaN without a limit.

    ``months_end_d`` (Q) is the day of the limit in months.
    """
    over_m = seen.odometer_m - starts.odometer_m - intervals.distance_m
    by_distance = end_d - seen.time_d + over_m / seen.rate_m_per_d
    late: Floats = np.fmax(end_d - months_end_d, by_distance)
    return late


def worn_out_d(wear: WearLimit, seen: Seen, end_d: float) -> Floats:
    """How many days (Q) before ``end_d`` each measured part was worn out, and not yet looked at again.

    What was still seen worn out at the last reading was not renewed until then. NaN where not measured.
    """
    over_m = seen.odometer_m - np.fmax(wear.at_m, wear.from_m)
    late: Floats = end_d - seen.time_d + over_m / seen.rate_m_per_d
    return np.where(wear.measured, late, np.nan)


def lapses_after_d(services: Lateness, rules: LapseRules) -> float:
    """From how many days of lateness on an item counts as done elsewhere; infinite where little was seen."""
    came = services.came & (services.late_d <= rules.watched_d)
    if np.count_nonzero(came) < rules.came_min or not (services.late_d > rules.watched_d).any():
        return np.inf
    days, open_ = without_record(services, rules.watched_d)
    chance = still_to_do(open_)
    low = np.flatnonzero(chance < rules.chance_min)
    after = float(days[low[0]]) if len(low) else rules.watched_d
    return max(after, rules.after_d_min)


def without_record(services: Lateness, until_d: float) -> tuple[Floats, Floats]:
    """The days (D, rising, to ``until_d``) on which services came, and the share (D) with no record then."""
    days, times = np.unique(services.late_d[services.came & (services.late_d <= until_d)], return_counts=True)
    waiting = len(services.late_d) - np.searchsorted(np.sort(services.late_d), days, side="left")
    share: Floats = np.cumprod(1 - times / waiting).astype(np.float64)
    return days, share


def still_to_do(open_: Floats) -> Floats:
    """The chance (D) that a service is still to be done, by the share (D) with no record; the last is 0."""
    never = open_[-1]
    waits = (open_ - never) / max(1 - never, 1e-12)
    chance: Floats = waits / np.maximum(open_, 1e-12)
    return chance
