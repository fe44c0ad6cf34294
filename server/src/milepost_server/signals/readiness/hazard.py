"""From a hazard by month to the chance within 90 and 180 days, and from what happened to months at risk.

The hazard is the chance to replace the car in a month in which one still has it. It is the same in each of
the first three months ahead (``NEAR``), and the same in each of the three after them (``LATER``), so a month
is a trial: rows count the months that were seen, and the event if it came (discrete-time hazard: Singer and
Willett 1993, "It's about time").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milepost_server.signals.flat import Floats

NEAR_MONTHS = 3
LATER_MONTHS = 3


@dataclass(frozen=True, slots=True)
class AtRisk:
    """Months that N owners were at risk in one period, and whether the event came in it."""

    months: Floats  # (N) 0 where nothing was seen of the period
    events: Floats  # (N) 0 or 1


def chance_within(log_odds: Floats, months: int) -> Floats:
    """The chance (N) of an event within ``months`` of a hazard with these ``log_odds`` (N)."""
    stays = -np.logaddexp(0.0, log_odds)  # the log of 1 - hazard
    chance: Floats = -np.expm1(months * stays)
    return chance


def either(first: Floats, then: Floats) -> Floats:
    """The chance (N) of an event in a period, or in the one after it; never below ``first``."""
    return first + (1 - first) * then


def at_risk(months_to_event: Floats, months_followed: Floats, first: int, months: int) -> AtRisk:
    """What was seen of the months ``first`` to below ``first + months`` ahead (counted from 0).

    Args:
        months_to_event: (N) whole months before the month of the event; NaN where none was seen.
        months_followed: (N) for how many months the owner was followed.
        first: the first month of the period.
        months: how long the period is.
    """
    event = np.nan_to_num(np.floor(months_to_event), nan=np.inf)
    end = np.minimum(np.floor(months_followed), event + 1)
    seen = np.clip(end - first, 0, months)
    came = (event >= first) & (event < first + seen)
    return AtRisk(seen, came.astype(np.float64))
