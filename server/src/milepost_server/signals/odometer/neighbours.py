"""Where the believed readings on both sides would have a reading that is not believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals.flat import owners_of

if TYPE_CHECKING:
    from milepost_server.signals.flat import Floats, Ints
    from milepost_server.signals.odometer.readings import OdometerRules
    from milepost_server.signals.odometer.track import Pace, Track


@dataclass(frozen=True, slots=True)
class Story:
    """What is believed: B rows of a track, rising, and their segments."""

    believed: Ints  # (B)
    segment: Ints  # (B)


@dataclass(frozen=True, slots=True)
class Between:
    """Q rejected readings and the believed ones on both sides; NaN where there is none."""

    time_d: Floats  # (Q)
    before_d: Floats  # (Q)
    before_m: Floats  # (Q)
    after_d: Floats  # (Q)
    after_m: Floats  # (Q)
    rate_m_per_d: Floats  # (Q) usual around it
    low_m: Floats  # (Q) the bounds of where its neighbours would have it; none is between NaN and NaN
    high_m: Floats  # (Q)


def between(track: Track, pace: Pace, row: Ints, story: Story, rules: OdometerRules) -> Between:
    """The neighbours of each ``row`` (Q) in the story."""
    before, after = _sides(track, row, story)
    padded_d, padded_m = np.append(track.time_d, np.nan), np.append(track.value_m, np.nan)
    before_d, after_d, before_m, after_m = (
        padded_d[before],
        padded_d[after],
        padded_m[before],
        padded_m[after],
    )
    time_d = track.time_d[row]
    since_d, until_d = np.maximum(time_d - before_d, 0.0), np.maximum(after_d - time_d, 0.0)
    span_d = since_d + until_d
    one_sided = np.where(before >= 0, pace.before.high[row], pace.after.high[row])
    across = (after_m - before_m) / np.where(span_d > 0, span_d, 1.0)
    rate = np.where(np.isfinite(across), across, one_sided)
    expected = np.where(before >= 0, before_m + rate * since_d, after_m - rate * until_d)
    width_m = np.maximum(rate, pace.floor_m_per_d[row])
    from_before, from_after = (
        rules.noise_m**2 + days * (pace.scatter_d[row] + rules.drift_share**2 * days) * width_m**2
        for days in (np.where(before >= 0, since_d, np.inf), np.where(after >= 0, until_d, np.inf))
    )
    off_m = rules.repair_sigmas / np.sqrt(1.0 / from_before + 1.0 / from_after)
    tolerance_m = track.tolerance_m[row]
    return Between(
        time_d,
        before_d,
        before_m,
        after_d,
        after_m,
        rate,
        low_m=np.fmax(expected - off_m, before_m - tolerance_m),
        high_m=np.fmin(expected + off_m, after_m + tolerance_m),
    )


def _sides(track: Track, row: Ints, story: Story) -> tuple[Ints, Ints]:
    """The believed rows (Q) before and after, -1 for none; of two segments, the one nearer in time."""
    owner = owners_of(track.offsets)
    padded, part = np.append(story.believed, -1), np.append(story.segment, -1)
    place = np.searchsorted(story.believed, row)
    before, after = padded[place - 1], padded[place]
    before = np.where((before >= 0) & (owner[before] == owner[row]), before, -1)
    after = np.where((after >= 0) & (owner[after] == owner[row]), after, -1)
    apart = (before >= 0) & (after >= 0) & (part[place - 1] != part[place])
    later = track.time_d[after] - track.time_d[row] < track.time_d[row] - track.time_d[before]
    return np.where(apart & later, -1, before), np.where(apart & ~later, -1, after)
