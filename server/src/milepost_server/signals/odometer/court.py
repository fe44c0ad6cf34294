"""What is held of each reading, pass by pass, until nothing changes any more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milepost_server.signals.flat import Bools, Floats, Ints, offsets_of, owners_of
from milepost_server.signals.odometer import paths, spells
from milepost_server.signals.odometer.neighbours import Between, Story, between
from milepost_server.signals.odometer.readings import OdometerRules
from milepost_server.signals.odometer.reasons import is_series, reasons
from milepost_server.signals.odometer.repair import repair
from milepost_server.signals.odometer.track import Pace, Track, holders, pace_of, rows_of
from milepost_server.signals.odometer.verdict import REJECTED_FROM, Verdict

_UNEXPLAINED = (Verdict.BACKWARD, Verdict.JUMP, Verdict.ISOLATED, Verdict.OUT_OF_LINE)
_COPIED_BACK_MAX = 3
_SAME_M = 1.0
_ROLLED_BACK_TO_SHARE = 0.1
"""An odometer that falls to less than this share of its value is another instrument, to more was set back."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The readings that are believed in the end, M rows."""

    row: Ints  # (M) of the court's track
    value_m: Floats  # (M)
    segment: Ints  # (M)


@dataclass(slots=True)
class Court:
    """N readings of V vehicles and what is held of them so far."""

    track: Track  # as reported
    value_m: Floats  # (N) as used
    verdict: Ints  # (N)
    begins: Bools  # (N) the first of a segment that is not the vehicle's first

    @classmethod
    def over(cls, track: Track) -> Court:
        rows = len(track.time_d)
        verdict = np.full(rows, Verdict.KEPT, dtype=np.int64)
        return cls(track, track.value_m.copy(), verdict, np.zeros(rows, dtype=np.bool_))

    def sit(self, rules: OdometerRules) -> None:
        """Judge in passes; each judges again those vehicles that the last one changed.

        So what comes out, put in again, comes out unchanged.
        """
        todo = np.arange(len(self.track.offsets) - 1, dtype=np.int64)
        for left in reversed(range(rules.passes_max)):
            if len(todo):
                todo = self._judge(todo, rules, is_last=left == 0)

    def _judge(self, todo: Ints, rules: OdometerRules, *, is_last: bool) -> Ints:
        """Judge the vehicles ``todo`` by their readings that still count; those that changed come back."""
        track, row = self._alive(todo)
        self.begins[row] = False
        pace = pace_of(track, rules)
        suspect = np.flatnonzero(~paths.unsurprising(track, pace, rules))
        part = rows_of(track.offsets, suspect)
        track = self._now(row[part], np.diff(track.offsets)[suspect])
        changed = self._hear(track, pace.take(part), row[part], rules, is_last=is_last)
        return todo[suspect[changed]]

    def _alive(self, todo: Ints) -> tuple[Track, Ints]:
        """The readings of the vehicles ``todo`` that still count, and their rows."""
        row = rows_of(self.track.offsets, todo)
        alive = self.verdict[row] < REJECTED_FROM
        if len(row) == len(self.verdict) and not self.verdict.any():
            return self.track, row  # the first pass: nothing to pick out, nothing corrected
        owner = np.repeat(np.arange(len(todo)), np.diff(self.track.offsets)[todo])[alive]
        return self._now(row[alive], np.bincount(owner, minlength=len(todo))), row[alive]

    def _now(self, row: Ints, counts: Ints) -> Track:
        """The rows ``row``, so many of each vehicle, at the values that are used so far."""
        return Track(
            offsets_of(counts.astype(np.int64)),
            self.track.time_d[row],
            self.value_m[row],
            self.track.tolerance_m[row],
            self.track.must[row],
        )

    def _hear(self, track: Track, pace: Pace, row: Ints, rules: OdometerRules, *, is_last: bool) -> Ints:
        """Decide on the rows ``row`` of vehicles with a surprising step; the places of those that changed."""
        path = paths.cheapest(track, pace, rules)
        believed = np.flatnonzero(path.kept)
        runs = spells.Runs.of(track, believed, path.begins[believed])
        segment = np.repeat(np.arange(len(runs.size), dtype=np.int64), runs.size)
        self.begins[row[believed]] = path.begins[believed]
        owner = owners_of(track.offsets)
        fate = spells.mend(track, runs, rules)
        changed = np.zeros(len(track.offsets) - 1, dtype=np.bool_)
        changed[runs.vehicle[fate.verdict != Verdict.KEPT]] = True
        self._mend(fate, row[believed], segment, is_last=is_last)
        # Where segments were mended, the next pass has better neighbours to judge the others by.
        decided = is_last | ~changed[owner]
        left_out = np.flatnonzero(~path.kept & decided)
        sides = between(track, pace, left_out, Story(believed, segment), rules)
        self._left_out(sides, row[left_out], rules, is_last=is_last)
        fell = _fallen(track, believed, segment)
        fell = fell[decided[fell] & (self.verdict[row[fell]] < REJECTED_FROM)]
        self.verdict[row[fell]] = Verdict.BACKWARD
        changed[owner[left_out]] = True
        changed[owner[fell]] = True
        return np.flatnonzero(changed)

    def _mend(self, fate: spells.Mend, row: Ints, segment: Ints, *, is_last: bool) -> None:
        why = fate.verdict[segment]
        said = np.flatnonzero((why >= REJECTED_FROM) if is_last else (why != Verdict.KEPT))
        self.verdict[row[said]] = why[said]
        self.value_m[row[said]] *= fate.factor[segment[said]]
        self.value_m[row[said]] += fate.shift_m[segment[said]]

    def _left_out(self, sides: Between, row: Ints, rules: OdometerRules, *, is_last: bool) -> None:
        """Correct what one slip explains, and reject the rest with its reason."""
        reported = self.track.value_m[row]
        is_between = np.isfinite(sides.before_m) & np.isfinite(sides.after_m)
        value_m, why = repair(reported, sides.low_m, sides.high_m, is_between, rules.tight_share)
        mended = (why != Verdict.KEPT) & (self.verdict[row] == Verdict.KEPT) & (not is_last)
        mended &= ~self._is_copied(row)
        self.value_m[row[mended]] = value_m[mended]
        self.verdict[row] = np.where(mended, why, reasons(sides, reported, self._is_copied(row)))

    def _is_copied(self, row: Ints) -> Bools:
        """Whether each row repeats what was reported shortly before of the same vehicle."""
        copied = np.zeros(len(row), dtype=np.bool_)
        begin = self.track.offsets[np.searchsorted(self.track.offsets, row, side="right") - 1]
        for back in range(1, _COPIED_BACK_MAX + 1):
            earlier = np.maximum(row - back, 0)
            same = np.abs(self.track.value_m[row] - self.track.value_m[earlier]) < _SAME_M
            copied |= same & (row - back >= begin)
        return copied

    def sentence(self) -> Kept:
        """What is kept in the end, at which value; the verdicts become final."""
        owner = owners_of(self.track.offsets)
        kept = np.flatnonzero(self.verdict < REJECTED_FROM)
        is_first = np.append(True, owner[kept][1:] != owner[kept][:-1])[: len(kept)]
        begins = self.begins[kept] & ~is_first
        total = np.cumsum(begins)
        segment = total - np.repeat(total[is_first], np.diff(np.append(np.flatnonzero(is_first), len(kept))))
        value_m = self.value_m[kept]
        highest_m = value_m[holders(value_m, np.cumsum(begins | is_first))]
        said = self.verdict[kept]
        said[(highest_m > value_m) & (said == Verdict.KEPT)] = Verdict.LEVELLED
        self._name_segments(said, begins, highest_m)
        said[self.track.must[kept]] = Verdict.STAFF_KEPT
        self.verdict[kept] = said
        rejected = np.flatnonzero(self.verdict >= REJECTED_FROM)
        unexplained = rejected[np.isin(self.verdict[rejected], _UNEXPLAINED)]
        strangers = unexplained[is_series(self.track, unexplained)]
        self.verdict[strangers] = Verdict.OTHER_VEHICLE
        return Kept(kept, highest_m, segment.astype(np.int64))

    @staticmethod
    def _name_segments(said: Ints, begins: Bools, value_m: Floats) -> None:
        at = np.flatnonzero(begins)
        before_m = value_m[at - 1]
        back = (value_m[at] < before_m) & (value_m[at] > _ROLLED_BACK_TO_SHARE * before_m)
        plain = said[at] == Verdict.KEPT
        said[at[plain]] = np.where(back, Verdict.ROLLED_BACK, Verdict.CLUSTER_SWAP)[plain]


def _fallen(track: Track, believed: Ints, segment: Ints) -> Ints:
    """The believed rows that lie below an earlier one of their segment by more than either's tolerance."""
    value_m, tolerance_m = track.value_m[believed], track.tolerance_m[believed]
    holder = holders(value_m, segment)
    fell = value_m[holder] - value_m > np.maximum(tolerance_m[holder], tolerance_m)
    return believed[fell & ~track.must[believed]]
