"""What goes into cleaning and what comes out of it, and the numbers that it judges by."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from milepost_server.signals.flat import Bools, Floats, Ints
from milepost_server.signals.odometer.track import rows_of


class Overrule(enum.IntEnum):
    """What staff say of a reading."""

    NONE = 0
    KEEP = 1
    REJECT = 2


@dataclass(frozen=True, slots=True)
class OdometerRules:
    """The limits of what a car can have driven, and the price of each explanation.

    Prices are in nats, as of a log likelihood: the cheapest story of a vehicle wins. Part of the
    configuration version.
    """

    confirmations: int = 3  # consistent readings that prove an instrument cluster, or a car's new way of life
    time_min_d: float = 7_305.0  # 1990-01-01: older than any reading in a garage's computer
    future_d_max: float = 1.0  # clocks and time zones may run this far ahead of the as-of time
    odometer_m_max: float = 1e10  # ten million kilometres: more than any road vehicle, less than any overflow
    fall_m_max: float = 1_000.0  # a car's own readings: rounding
    fall_sigmas: float = 3.0  # an estimate may lie so far above what a person then reads from the instrument
    fall_m_max_entered: float = 300_000.0  # readings with a date but no hour: a day's drive and a bit
    slack_m: float = 200_000.0  # entered readings carry a date, not an hour: a day's long drive
    burst_m_per_d: float = 1_500_000.0  # two drivers, day and night
    burst_d: float = 7.0
    sustained_m_per_d: float = 500_000.0  # a taxi in two shifts

    reject_price: float = 7.0  # of a reading that is not believed
    swap_price: float = 17.5  # of a new cluster: more than two rejected readings, less than three
    step_price_max: float = 16.0  # of one surprising but possible step: two rejected readings
    slow_price_max: float = 6.0  # of a step that is merely short: any car may stand
    copy_price: float = 5.0  # of the very same value after another in between: rather copied than driven
    catch_up_price: float = 5.0  # of standing still and then going further than usual: rather copied, too
    catch_up_ratio: float = 1.5  # of the usual rate around
    still_share_max: float = 0.25  # of the steps of a car for which standing still is nothing unusual
    usual_m_per_d: float = 43_400.0  # a car without a history: the published median of US cars
    usual_spread: float = 0.6  # of a step around the local rate, in parts of it; weighs as ``spread_weight``
    spread_weight: float = 4.0  # steps
    spread_min: float = 0.12
    spread_max: float = 2.0
    drift_share: float = 0.08  # of a step, however long: the part of the scatter that does not average out
    idle_share: float = 0.5  # a standing car scatters as if it went this share of its usual rate
    noise_m: float = 700.0  # rounding, and a date's missing hour
    trip_m: float = 250_000.0  # an outing that any car may make, however little it goes otherwise
    edge_share: float = 0.15  # of the surprise where only one side is known: the first step and the last
    repair_sigmas: float = 2.5  # how near to the neighbours' line a corrected value has to fall
    tight_share: float = 0.1  # of what a slip changes: a wider gap between the neighbours proves nothing
    passes_max: int = 8  # each pass judges again those vehicles that the last one changed

    def fall_m_max_of(self, sigma_m: float) -> float:
        """How far what follows a reading with the standard deviation ``sigma_m`` (m) may lie below it (m)."""
        return min(max(self.fall_m_max, self.fall_sigmas * sigma_m), self.fall_m_max_entered)


@dataclass(frozen=True, slots=True)
class OdometerReadings:
    """All odometer readings of V vehicles, N rows; a vehicle's rows stand in the order (epoch, seq)."""

    offsets: Ints  # (V + 1)
    time_d: Floats  # (N) days since 1970
    odometer_m: Floats  # (N); what is no number is rejected
    trusted: Bools  # (N) whether the time is synced, repaired, from a clock chip or entered
    plausible: Bools  # (N) False for a time that was later than its receipt, or before any device
    tolerance_m: (
        Floats  # (N) how far it, or the one after it, may fall: rounding, estimates, dates without hours
    )
    overruled: Ints | None = None  # (N) of `Overrule`; None: staff say nothing of any

    def overrules(self) -> Ints:
        """What staff say of each reading (N)."""
        return np.zeros(len(self.time_d), dtype=np.int64) if self.overruled is None else self.overruled


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
        continuous: Floats = self.odometer_m.copy()
        swap = np.flatnonzero(np.diff(self.segment) > 0)  # the last rows of earlier segments
        if not len(swap):
            return continuous
        step_m = self.odometer_m[swap + 1] - self.odometer_m[swap]
        to_end_m = np.append(np.cumsum(step_m[::-1])[::-1], 0.0)  # from each swap to the end of all rows
        vehicle = np.unique(np.searchsorted(self.offsets, swap, side="right") - 1)
        row = rows_of(self.offsets, vehicle)
        end = np.repeat(self.offsets[vehicle + 1], np.diff(self.offsets)[vehicle])
        continuous[row] += to_end_m[np.searchsorted(swap, row)] - to_end_m[np.searchsorted(swap, end)]
        return continuous
