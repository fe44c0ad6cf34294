"""The clean odometer: which readings count, at what value, and why the others do not.

A reading is judged against the last one that was kept. It is kept when the car may have driven that far in
that time; a value ten times too large (firmware that forgets to scale) is kept at a tenth. Whatever
contradicts waits: three consistent readings in a row prove that it was no slip, and either begin a new
segment (a swapped instrument cluster) or convict the one kept reading that stood against them.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from milepost_server.signals.flat import Bools, Floats, Ints, offsets_of, owners_of
from milepost_server.signals.odometer_judge import Bench, Slip, may_follow


class Verdict(enum.IntEnum):
    """Why a reading is kept (below 10) or rejected (10 and above)."""

    KEPT = Slip.NONE
    LEVELLED = Slip.LEVELLED
    """Kept at the value before it: it fell by less than its tolerance."""
    TENFOLD = Slip.TENFOLD
    """Kept at a tenth of its value: it came unscaled."""
    BACKWARD = Slip.BACKWARD
    JUMP = Slip.JUMP
    ISOLATED = 12
    """Too few readings to prove an instrument cluster that all later ones contradict."""
    UNTRUSTED_TIME = 13
    FUTURE_TIME = 14
    IMPOSSIBLE_TIME = 15
    """Before there was any device: a clock that stood at 1970."""

    @property
    def kept(self) -> bool:
        return self < Verdict.BACKWARD

    @property
    def word(self) -> str:
        """As stored and shown, for example ``untrusted-time``."""
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True)
class OdometerRules:
    """The limits of what a car can have driven; part of the configuration version."""

    confirmations: int = 3  # consistent readings in a row that overrule the kept ones
    time_min_d: float = 7_305.0  # 1990-01-01: older than any reading in a garage's computer
    future_d_max: float = 1.0  # clocks and time zones may run this far ahead of the as-of time
    fall_m_max: float = 1_000.0  # a car's own readings: rounding
    fall_sigmas: float = 3.0  # an estimate may lie so far above what a person then reads from the instrument
    fall_m_max_entered: float = 300_000.0  # readings with a date but no hour: a day's drive and a bit
    slack_m: float = 200_000.0  # entered readings carry a date, not an hour: a day's long drive
    burst_m_per_d: float = 1_500_000.0  # two drivers, day and night
    burst_d: float = 7.0
    sustained_m_per_d: float = 500_000.0  # a taxi in two shifts

    def fall_m_max_of(self, sigma_m: float) -> float:
        """How far what follows a reading with the standard deviation ``sigma_m`` (m) may lie below it (m)."""
        return min(max(self.fall_m_max, self.fall_sigmas * sigma_m), self.fall_m_max_entered)


@dataclass(frozen=True, slots=True)
class OdometerReadings:
    """All odometer readings of V vehicles, N rows; a vehicle's rows stand in the order (epoch, seq)."""

    offsets: Ints  # (V + 1)
    time_d: Floats  # (N) days since 1970
    odometer_m: Floats  # (N) finite
    trusted: Bools  # (N) whether the time is synced, repaired, from a clock chip or entered
    plausible: Bools  # (N) False for a time that was later than its receipt, or before any device
    tolerance_m: (
        Floats  # (N) how far it, or the one after it, may fall: rounding, estimates, dates without hours
    )


@dataclass(frozen=True, slots=True)
class CleanOdometer:
    """What was kept, M rows in the order of time, and the verdict on all N rows that came in."""

    offsets: Ints  # (V + 1)
    row: Ints  # (M) which input row
    time_d: Floats  # (M) never falls within a vehicle
    odometer_m: Floats  # (M) as the car shows it; never falls within a segment
    segment: Ints  # (M) 0, 1, ... within a vehicle: one for each instrument cluster
    verdict: Ints  # (N) of `Verdict`

    def continuous_m(self) -> Floats:
        """The odometer (M) with earlier segments shifted to end where the next begins.

        So it never falls over the life of a vehicle and agrees with what the car shows today.
        """
        if not len(self.row):
            return np.zeros(0)
        owner = owners_of(self.offsets)
        step = np.zeros(len(self.row))
        swap = (owner[1:] == owner[:-1]) & (self.segment[1:] != self.segment[:-1])
        step[:-1][swap] = (self.odometer_m[1:] - self.odometer_m[:-1])[swap]
        to_end = np.append(np.cumsum(step[::-1])[::-1], 0.0)
        continuous: Floats = self.odometer_m + (to_end[:-1] - to_end[self.offsets[owner + 1]])
        return continuous


def clean_odometer(readings: OdometerReadings, as_of_d: float, rules: OdometerRules) -> CleanOdometer:
    """Judge all readings, as seen at ``as_of_d`` (days since 1970)."""
    vehicles = len(readings.offsets) - 1
    verdict = _judge_times(readings, as_of_d, rules)
    row = np.flatnonzero(verdict == Verdict.KEPT)
    owner = owners_of(readings.offsets)[row]
    order = np.lexsort((readings.time_d[row], owner))  # stable: (epoch, seq) decides between equal times
    row, owner = row[order], owner[order]

    bench = Bench(
        offsets=offsets_of(np.bincount(owner, minlength=vehicles).astype(np.int64)),
        time_d=readings.time_d[row],
        reported_m=readings.odometer_m[row],
        tolerance_m=readings.tolerance_m[row],
    )
    bench.judge(_contradicted(bench, owner, rules), rules)
    judged = _with_isolated(bench, owner, rules)
    verdict[row] = judged
    kept = judged < Verdict.BACKWARD
    return CleanOdometer(
        offsets=offsets_of(np.bincount(owner[kept], minlength=vehicles).astype(np.int64)),
        row=row[kept],
        time_d=bench.time_d[kept],
        odometer_m=bench.value_m[kept],
        segment=bench.segment[kept],
        verdict=verdict,
    )


def _judge_times(readings: OdometerReadings, as_of_d: float, rules: OdometerRules) -> Ints:
    verdict = np.full(len(readings.time_d), Verdict.KEPT, dtype=np.int64)
    verdict[~readings.trusted] = Verdict.UNTRUSTED_TIME
    future = ~readings.plausible | (readings.time_d > as_of_d + rules.future_d_max)
    verdict[future] = Verdict.FUTURE_TIME
    verdict[readings.time_d < rules.time_min_d] = Verdict.IMPOSSIBLE_TIME
    return verdict


def _contradicted(bench: Bench, owner: Ints, rules: OdometerRules) -> Bools:
    """The vehicles (V) with any reading that cannot follow the one before it.

    The others are settled here: this is nearly all of a fleet, and the one pass that all of it takes.
    """
    metres = np.rint(bench.reported_m).astype(np.int64)  # in floats, a million owners would cost digits
    ceiling = int(np.max(metres, initial=0)) + 1
    highest = (np.maximum.accumulate(metres + owner * ceiling) - owner * ceiling).astype(np.float64)
    highest = np.maximum(highest, bench.reported_m)
    same = owner[1:] == owner[:-1]
    follows = may_follow(np.diff(highest), np.diff(bench.time_d), bench.tolerance_m[1:], rules)
    follows &= highest[1:] - bench.reported_m[1:] <= bench.tolerance_m[1:]
    vehicles = len(bench.offsets) - 1
    contradicted = np.bincount(owner[1:], weights=same & ~follows, minlength=vehicles) > 0
    fine = ~contradicted[owner]
    bench.value_m[fine] = highest[fine]
    bench.slip[fine & (highest > bench.reported_m)] = Slip.LEVELLED
    return contradicted


def _with_isolated(bench: Bench, owner: Ints, rules: OdometerRules) -> Ints:
    """The slips (N), and ISOLATED for a segment too short to be a cluster that a later one replaced."""
    judged = bench.slip.copy()
    kept = np.flatnonzero(judged < Slip.BACKWARD)
    key = owner[kept] * (int(np.max(bench.segment, initial=0)) + 1) + bench.segment[kept]
    _, group, size = np.unique(key, return_inverse=True, return_counts=True)
    last_segment = np.zeros(len(bench.offsets) - 1, dtype=np.int64)
    np.maximum.at(last_segment, owner, bench.segment)
    short = (size[group] < rules.confirmations) & (bench.segment[kept] < last_segment[owner[kept]])
    judged[kept[short]] = Verdict.ISOLATED
    return judged
