"""The clean odometer: what can be said of each reading alone, then of each vehicle's readings together.

Work goes in blocks of vehicles that fit a processor's cache; they know nothing of each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from milepost_server.signals.flat import Ints, offsets_of, owners_of
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
    parts = [_clean(block, as_of_d, rules) for block in _blocks(readings)]
    counts = [np.diff(part.offsets) for part in parts]
    begins = np.cumsum([0, *(len(part.verdict) for part in parts)])
    return CleanOdometer(
        offsets=offsets_of(_joined(counts, np.int64)),
        row=_joined([part.row + begin for part, begin in zip(parts, begins, strict=False)], np.int64),
        time_d=_joined([part.time_d for part in parts], np.float64),
        odometer_m=_joined([part.odometer_m for part in parts], np.float64),
        segment=_joined([part.segment for part in parts], np.int64),
        verdict=_joined([part.verdict for part in parts], np.int64),
    )


def _joined(parts: list[NDArray[Any]], kind: type[np.generic]) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, dtype=kind), *parts])


def _blocks(readings: OdometerReadings) -> Iterator[OdometerReadings]:
    """The readings of some vehicles at a time."""
    offsets, first, vehicles = readings.offsets, 0, len(readings.offsets) - 1
    while first < vehicles:
        end = int(np.searchsorted(offsets, offsets[first] + BLOCK_ROWS_MAX, side="right")) - 1
        end = max(end, first + 1)
        rows = slice(int(offsets[first]), int(offsets[end]))
        yield OdometerReadings(
            offsets[first : end + 1] - offsets[first],
            readings.time_d[rows],
            readings.odometer_m[rows],
            readings.trusted[rows],
            readings.plausible[rows],
            readings.tolerance_m[rows],
            None if readings.overruled is None else readings.overruled[rows],
        )
        first = end


def _clean(readings: OdometerReadings, as_of_d: float, rules: OdometerRules) -> CleanOdometer:
    """Judge the readings of one block."""
    verdict = _judge_alone(readings, as_of_d, rules)
    track, row = _track(readings, verdict)
    missing = np.flatnonzero(missing_noughts(track, rules))
    if len(missing):
        verdict[row[missing]] = Verdict.PLACEHOLDER
        track, row = _track(readings, verdict)
    court = Court.over(track)
    court.sit(rules)
    kept = court.sentence()
    verdict[row] = court.verdict
    owner = owners_of(track.offsets)[kept.row]
    return CleanOdometer(
        offsets=offsets_of(np.bincount(owner, minlength=len(track.offsets) - 1).astype(np.int64)),
        row=row[kept.row],
        time_d=track.time_d[kept.row],
        odometer_m=kept.value_m,
        segment=kept.segment,
        verdict=verdict,
    )


def _track(readings: OdometerReadings, verdict: Ints) -> tuple[Track, Ints]:
    """The readings that can be judged, in the order of time, and their rows."""
    row = np.flatnonzero(verdict < REJECTED_FROM)
    owner, time_d = owners_of(readings.offsets)[row], readings.time_d[row]
    if ((np.diff(time_d) < 0) & (np.diff(owner) == 0)).any():
        order = np.lexsort((time_d, owner))  # stable: (epoch, seq) decides between equal times
        row, time_d = row[order], time_d[order]
    track = Track(
        offsets_of(np.bincount(owner, minlength=len(readings.offsets) - 1).astype(np.int64)),
        time_d,
        readings.odometer_m[row].astype(np.float64),
        readings.tolerance_m[row],
        readings.overrules()[row] == Overrule.KEEP,
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
