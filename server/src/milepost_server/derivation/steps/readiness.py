"""From all that was derived of V vehicles to how ready their owners are to replace them.

What is asked of a car's past is asked of its present owner's time with it; what the car itself is like stays
with the car.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals.flat import DAYS_PER_MONTH
from milepost_server.signals.value.columns import Owned, columns

if TYPE_CHECKING:
    from milepost_server.derivation.fleet import Inputs
    from milepost_server.signals.axis import OdometerAxis
    from milepost_server.signals.flat import Bools, Floats
    from milepost_server.signals.readiness.model import Scorecard, Scores
    from milepost_server.signals.value.assessment import Assessment

_DAYS_BACK_MAX = 65_535


@dataclass(frozen=True, slots=True)
class AskedRules:
    """What is asked of the past, in numbers; part of the configuration version.

    Usage changed: the last months (``lately_d``) against the time before them (``before_d``).
    """

    lately_d: float = 91.3
    before_d: float = 365.25
    change_max: float = 3.0  # logarithm: a car that stood still before does not drive infinitely more now
    metres_a_month_min: float = 10_000.0  # what a car that stands still counts as driving
    recent_d: float = 730.5  # visits to the workshop are counted in


@dataclass(frozen=True, slots=True)
class Readiness:
    """How ready the owners of V vehicles are; rows of vehicles that nobody owns mean nothing."""

    columns: dict[str, Floats]  # (V) each
    scores: Scores  # (V)
    is_owned: Bools  # (V)


def readiness(
    inputs: Inputs,
    axis: OdometerAxis,
    found: Assessment,
    model: Scorecard,
    as_of_d: float,
    *,
    rules: AskedRules,
) -> Readiness:
    """Score V vehicles as seen at ``as_of_d``, the end of the as-of day."""
    since_d = inputs.money.since_d
    values = columns(found, Owned(since_d, inputs.registered_d), as_of_d)
    values["usage_change"] = _usage_change(axis, since_d, rules)
    values["months_since_service"], values["services_2y"] = _services(inputs, as_of_d, rules)
    return Readiness(values, model.score(values), np.isfinite(since_d))


def _usage_change(axis: OdometerAxis, since_d: Floats, rules: AskedRules) -> Floats:
    """Logarithm (V) of the daily distance lately over that before; NaN without readings of both times."""
    vehicle = np.arange(len(since_d), dtype=np.int64)
    late_d = axis.anchor_d - rules.lately_d
    offsets, time_d = axis.history.offsets, axis.history.time_d
    first_d = np.append(time_d, np.nan)[np.where(np.diff(offsets) > 0, offsets[:-1], -1)]
    begin_d = np.fmax(np.fmax(late_d - rules.before_d, first_d), since_d)
    known = late_d - begin_d >= rules.lately_d
    middle_m = axis.at(vehicle, np.where(known, late_d, np.nan))
    before_m = middle_m - axis.at(vehicle, np.where(known, begin_d, np.nan))
    least, most = rules.metres_a_month_min / DAYS_PER_MONTH, rules.change_max
    lately = np.maximum((axis.anchor_m - middle_m) / rules.lately_d, least)
    before = np.maximum(before_m / np.where(known, late_d - begin_d, 1.0), least)
    return np.where(known, np.clip(np.log(lately / before), -most, most), np.nan)


def _services(inputs: Inputs, as_of_d: float, rules: AskedRules) -> tuple[Floats, Floats]:
    """Months since the last visit (V) of the present owner, NaN without one, and recent visits (V)."""
    services = inputs.services
    mine = (services.done_d >= inputs.money.since_d[services.vehicle]) & (services.done_d < as_of_d)
    ago_d = np.minimum(as_of_d - services.done_d[mine], _DAYS_BACK_MAX).astype(np.int64)
    # Several items on one day are one visit; vehicle and day in one number find them.
    visit = np.sort(services.vehicle[mine] * (_DAYS_BACK_MAX + 1) + ago_d)
    visit = visit[np.diff(visit, prepend=-1) > 0]
    vehicle, ago_d = visit // (_DAYS_BACK_MAX + 1), visit % (_DAYS_BACK_MAX + 1)
    last_d = np.full(inputs.vehicles, np.nan)
    last_d[vehicle[::-1]] = ago_d[::-1]  # the last of equal places stays, the latest visit
    visits = np.bincount(vehicle[ago_d <= rules.recent_d], minlength=inputs.vehicles).astype(np.float64)
    is_owned = np.isfinite(inputs.money.since_d)
    return last_d / DAYS_PER_MONTH, np.where(is_owned, visits, np.nan)
