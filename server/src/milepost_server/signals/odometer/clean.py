"""The clean odometer: what can be said of each reading alone, then of each vehicle's readings together.

Work goes in blocks of vehicles that fit a processor's cache; they know nothing of each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals.flat import Bools, Ints, offsets_of, owners_of
from milepost_server.signals.odometer.court import Court
from milepost_server.signals.odometer.paths import missing_noughts
from milepost_server.signals.odometer.readings import (
    CleanOdometer,
    OdometerReadings,
    OdometerRules,
    Overrule,
)
from milepost_server.signals.odometer.track import Track
from milepost_server.signals.odometer.verdict import REJECTED_FROM, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK_ROWS_MAX = 131_072
"""Readings that are judged at a time; a vehicle with more is a block of its own."""


def clean_odometer(readings: OdometerReadings, as_of_d: float, rules: OdometerRules) -> CleanOdometer:
    """Judge all readings, as seen at ``as_of_d`` (days since 1970)."""
    verdict = _judge_alone(readings, as_of_d, rules)
    must = readings.overrules() == Overrule.KEEP
    counts = np.zeros(len(readings.offsets) - 1, dtype=np.int64)
    rows, values, segments = [], [], []
    for first, end in _blocks(readings.offsets):
        track, row = _track(readings, verdict, must, slice(first, end))
        missing = np.flatnonzero(missing_noughts(track, rules))
        if len(missing):
            verdict[row[missing]] = Verdict.PLACEHOLDER
            track, row = _track(readings, verdict, must, slice(first, end))
        court = Court.over(track)
        court.sit(rules)
        kept = court.sentence()
        verdict[row] = court.verdict
        owner = owners_of(track.offsets)[kept.row]
        counts[first:end] = np.bincount(owner, minlength=end - first)
        rows.append(row[kept.row])
        values.append(kept.value_m)
        segments.append(kept.segment)
    row = np.concatenate([np.zeros(0, dtype=np.int64), *rows])
    return CleanOdometer(
        offsets=offsets_of(counts),
        row=row,
        time_d=readings.time_d[row],
        odometer_m=np.concatenate([np.zeros(0), *values]),
        segment=np.concatenate([np.zeros(0, dtype=np.int64), *segments]),
        verdict=verdict,
    )


def _blocks(offsets: Ints) -> Iterator[tuple[int, int]]:
    """Runs of vehicles, first and end."""
    first, vehicles = 0, len(offsets) - 1
    while first < vehicles:
        end = int(np.searchsorted(offsets, offsets[first] + BLOCK_ROWS_MAX, side="right")) - 1
        end = max(end, first + 1)
        yield first, end
        first = end


def _track(readings: OdometerReadings, verdict: Ints, must: Bools, vehicles: slice) -> tuple[Track, Ints]:
    """The readings of ``vehicles`` that can be judged, in the order of time, and their rows."""
    offsets = readings.offsets[vehicles.start : vehicles.stop + 1]
    begin, end = int(offsets[0]), int(offsets[-1])
    row = np.flatnonzero(verdict[begin:end] < REJECTED_FROM)
    owner = owners_of(offsets - begin)[row]
    row += begin
    time_d = readings.time_d[row]
    if ((np.diff(time_d) < 0) & (np.diff(owner) == 0)).any():
        order = np.lexsort((time_d, owner))  # stable: (epoch, seq) decides between equal times
        row, time_d = row[order], time_d[order]
    track = Track(
        offsets_of(np.bincount(owner, minlength=len(offsets) - 1).astype(np.int64)),
        time_d,
        readings.odometer_m[row].astype(np.float64),
        readings.tolerance_m[row],
        must[row],
    )
    return track, row


def _judge_alone(readings: OdometerReadings, as_of_d: float, rules: OdometerRules) -> Ints:
    """What can be said of each reading (N) without its neighbours."""
    said = readings.overrules()
    kept = said == Overrule.KEEP
    verdict = np.full(len(readings.time_d), Verdict.KEPT, dtype=np.int64)
    verdict[~readings.trusted & ~kept] = Verdict.UNTRUSTED_TIME
    future = (~readings.plausible & ~kept) | ~(readings.time_d <= as_of_d + rules.future_d_max)
    verdict[future] = Verdict.FUTURE_TIME
    verdict[~(readings.time_d >= rules.time_min_d)] = Verdict.IMPOSSIBLE_TIME
    metres = readings.odometer_m
    verdict[~((metres >= 0) & (metres <= rules.odometer_m_max))] = Verdict.NO_VALUE
    verdict[said == Overrule.REJECT] = Verdict.STAFF_REJECTED
    return verdict
