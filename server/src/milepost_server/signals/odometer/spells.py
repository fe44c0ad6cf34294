"""Runs of readings that stand apart: another instrument, another unit for a while, or another car.

The cheapest story already cut each vehicle into segments. Here each cut is looked at: a run that continues
its neighbour at a tenth or in miles was never another instrument, and a run between two that continue each
other belongs to another vehicle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from milepost_server.signals.flat import owners_of
from milepost_server.signals.odometer.reasons import is_placeholder
from milepost_server.signals.odometer.repair import SCALES, unit_of
from milepost_server.signals.odometer.verdict import Verdict

if TYPE_CHECKING:
    from milepost_server.signals.flat import Bools, Floats, Ints
    from milepost_server.signals.odometer.readings import OdometerRules
    from milepost_server.signals.odometer.track import Track


@dataclass(frozen=True, slots=True)
class Runs:
    """S segments of believed readings, in order of vehicle and time."""

    vehicle: Ints  # (S)
    first: Ints  # (S) row
    last: Ints  # (S) row
    size: Ints  # (S) believed readings
    rate_m_per_d: Floats  # (S) over all of it; NaN where no time passed
    must: Bools  # (S) holds a reading that staff keep

    @classmethod
    def of(cls, track: Track, row: Ints, begins: Bools) -> Runs:
        """Of the believed rows ``row`` of a track; ``begins`` where a segment does, but for the first."""
        owner = owners_of(track.offsets)[row]
        starts = begins | np.append(True, owner[1:] != owner[:-1])[: len(row)]
        at = np.flatnonzero(starts)
        size = np.diff(np.append(at, len(row)))
        first, last = row[at], row[at + size - 1]
        days = track.time_d[last] - track.time_d[first]
        rate = np.where(
            days > 0, (track.value_m[last] - track.value_m[first]) / np.where(days > 0, days, 1.0), np.nan
        )
        musts = np.add.reduceat(track.must[row], at) if len(at) else np.zeros(0)
        return cls(owner[at], first, last, size, rate, musts > 0)


@dataclass(frozen=True, slots=True)
class Mend:
    """What becomes of each segment (S)."""

    factor: Floats  # (S) by which its values are to be multiplied
    shift_m: Floats  # (S) what is then to be added
    verdict: Ints  # (S) why; ``KEPT`` where nothing is to be done


def mend(track: Track, runs: Runs, rules: OdometerRules) -> Mend:
    """Judge each segment beside its neighbours; one change for each vehicle at a time."""
    segments = len(runs.first)
    fate = Mend(np.ones(segments), np.zeros(segments), np.full(segments, Verdict.KEPT, dtype=np.int64))
    verdict = fate.verdict
    small = (runs.size < rules.confirmations) & ~runs.must
    verdict[small & _has_other(runs, ~small)] = Verdict.ISOLATED
    all_small = small & ~_has_other(runs, ~small)
    verdict[all_small & ~_is_largest(runs)] = Verdict.ISOLATED
    stuck = (track.value_m[runs.first] == track.value_m[runs.last]) & ~runs.must
    stuck &= is_placeholder(track.value_m[runs.first]) & _has_other(runs, ~stuck)
    verdict[stuck] = Verdict.PLACEHOLDER
    _mend_scales(track, runs, fate)
    _mend_strangers(track, runs, fate)
    return fate


def _has_other(runs: Runs, which: Bools) -> Bools:
    """Whether the vehicle of each segment (S) has any of those."""
    vehicles = int(np.max(runs.vehicle, initial=-1)) + 1
    found: Bools = np.bincount(runs.vehicle, weights=which, minlength=vehicles)[runs.vehicle] > 0
    return found


def _is_largest(runs: Runs) -> Bools:
    """Whether a segment (S) has the most readings of its vehicle's, the first of equals."""
    order = np.lexsort((-runs.size, runs.vehicle))
    leads = np.append(True, runs.vehicle[order][1:] != runs.vehicle[order][:-1])[: len(order)]
    largest = np.zeros(len(order), dtype=np.bool_)
    largest[order[leads]] = True
    return largest


def _mend_scales(track: Track, runs: Runs, fate: Mend) -> None:
    """Bring a run in another unit to that of its neighbours.

    One between two that both fit is as good as proven. One at an end has to fit closer, and of the two
    one is taken to be in the wrong unit.
    """
    later = np.flatnonzero(runs.vehicle[1:] == runs.vehicle[:-1]) + 1
    closed = later[:-1][np.diff(later) == 1]  # runs with a neighbour on both sides
    for name, scale in SCALES:
        fits = _continues(track, runs, (closed - 1, closed), _LOOSE, _Change(scale))
        fits &= _continues(track, runs, (closed, closed + 1), _LOOSE, _Change(1 / scale))
        _scale(runs, closed[fits], fate, (name, scale))
    for name, scale in SCALES:
        fits = _continues(track, runs, (later - 1, later), _CLOSE, _Change(scale))
        fits &= (fate.verdict[later] == Verdict.KEPT) & (fate.verdict[later - 1] == Verdict.KEPT)
        # Programs forget to scale; nobody shows a tenth. Of two units, the one for longer is the car's.
        is_wrong = runs.size[later] <= runs.size[later - 1]
        if name not in _UNITS:
            is_wrong[:] = scale < 1.0
        _scale(runs, later[fits & is_wrong], fate, (name, scale))
        _scale(runs, later[fits & ~is_wrong] - 1, fate, (_INVERSE[name], 1 / scale))


def _scale(runs: Runs, segment: Ints, fate: Mend, how: tuple[Verdict, float]) -> None:
    """Multiply the segments, but for those that are settled."""
    free = segment[(fate.verdict[segment] == Verdict.KEPT) & ~runs.must[segment]]
    fate.verdict[free], fate.factor[free] = how


@dataclass(frozen=True, slots=True)
class _Fit:
    """How well a run has to go on from another: where it begins, and at which rate."""

    steps: float  # of what is usual
    metres: float
    rate_ratio: float


class _Change(NamedTuple):
    """What is done to the values of a run."""

    scale: float
    shift_m: Floats | float = 0.0


_NEARLY = 0.02  # of a power of ten: what a run lacks is less by what the car has gone meanwhile
_UNCHANGED = _Change(1.0)
_LOOSE = _Fit(steps=0.6, metres=20_000.0, rate_ratio=2.0)
_AGAIN = _Fit(steps=1.5, metres=50_000.0, rate_ratio=1e9)
_APART_MAX = 5  # segments from one that is left to the one that goes on from it
_CLOSE = _Fit(steps=0.35, metres=10_000.0, rate_ratio=1.25)
_UNITS = (Verdict.IN_MILES, Verdict.IN_KILOMETRES)
_INVERSE = {
    Verdict.TENFOLD: Verdict.TENTH,
    Verdict.TENTH: Verdict.TENFOLD,
    Verdict.IN_MILES: Verdict.IN_KILOMETRES,
    Verdict.IN_KILOMETRES: Verdict.IN_MILES,
}


def _continues(
    track: Track, runs: Runs, pair: tuple[Ints, Ints], fit: _Fit, change: _Change = _UNCHANGED
) -> Bools:
    """Whether of a ``pair`` the later segments, once changed, go on where the earlier ones ended."""
    earlier, later = pair
    scale, shift_m = change
    end_m, begin_m = track.value_m[runs.last[earlier]], track.value_m[runs.first[later]] * scale + shift_m
    days = track.time_d[runs.first[later]] - track.time_d[runs.last[earlier]]
    rate, other = runs.rate_m_per_d[earlier], runs.rate_m_per_d[later] * scale
    pace = np.fmax(np.fmin(rate, other), 0.0)
    near = np.abs(begin_m - end_m - pace * days) <= fit.steps * pace * days + fit.metres
    alike = (rate <= fit.rate_ratio * other) & (other <= fit.rate_ratio * rate)
    forward = begin_m >= end_m - track.tolerance_m[runs.last[earlier]]
    continues: Bools = near & alike & forward
    return continues


def _mend_strangers(track: Track, runs: Runs, fate: Mend) -> None:
    """Judge what stands between two segments of which the later one goes on at the end of the earlier.

    Either the first digit was left out all along, or it belongs to another vehicle.
    """
    total = np.append(0, np.cumsum(runs.size))
    for apart in range(2, _APART_MAX + 1):
        earlier = np.flatnonzero(runs.vehicle[apart:] == runs.vehicle[:-apart])
        later = earlier + apart
        outer = runs.size[earlier] + runs.size[later]
        meets = _continues(track, runs, (earlier, later), _AGAIN)
        meets &= total[later] - total[earlier + 1] < outer
        for between in range(apart + 1):
            meets &= fate.verdict[earlier + between] == Verdict.KEPT
        for between in range(1, apart):
            middle = earlier[meets] + between
            _mend_stranger(track, runs, fate, (earlier[meets], middle, later[meets]))


def _mend_stranger(track: Track, runs: Runs, fate: Mend, three: tuple[Ints, Ints, Ints]) -> None:
    earlier, middle, later = (segments[~runs.must[three[1]]] for segments in three)
    shift_m = _first_digit_m(track, runs, earlier, middle)
    behead = (shift_m > 0) & _continues(track, runs, (earlier, middle), _AGAIN, _Change(1.0, shift_m))
    behead &= _continues(track, runs, (middle, later), _AGAIN, _Change(1.0, -shift_m))
    fate.verdict[middle] = np.where(behead, Verdict.DROPPED_DIGIT, Verdict.OTHER_VEHICLE)
    fate.shift_m[middle] = np.where(behead, shift_m, 0.0)


def _first_digit_m(track: Track, runs: Runs, earlier: Ints, later: Ints) -> Floats:
    """What a first digit of the segments ``later`` would have to add, as the ``earlier`` ones ended; or 0."""
    unit = unit_of(track.value_m[runs.first[later]])
    lacks = (track.value_m[runs.last[earlier]] - track.value_m[runs.first[later]]) / unit
    place = 10.0 ** np.floor(np.log10(np.maximum(lacks, 1.0)) + _NEARLY)
    shift = np.rint(lacks / place) * place
    is_first = (track.value_m[runs.last[later]] < place * unit) & (lacks > 0)
    return np.where(is_first, shift * unit, 0.0)
