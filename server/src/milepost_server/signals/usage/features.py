"""What a vehicle's history says of its pace to come, beyond the rate: one row of features a vehicle.

All are taken back from the vehicle's own last reading, and most are logarithms relative to its rate, so that
what is learned of one vehicle holds for another that goes twice as far.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals.flat import DAYS_PER_MONTH, Floats, last_rows
from milepost_server.signals.usage.months import month_steps

if TYPE_CHECKING:
    from milepost_server.signals.usage.rate import GroupPrior, History, Usage


@dataclass(frozen=True, slots=True)
class Feature:
    """A column that the pace may be learned from."""

    name: str
    words: str


FEATURES = (
    Feature("rate", "how far it goes in a day"),
    Feature("group", "how far its group goes, against its own rate"),
    Feature("last_month", "the last month against its rate"),
    Feature("last_weeks", "the last month or two against its rate"),
    Feature("last_months", "the last few months against its rate"),
    Feature("last_year", "the last year against its rate"),
    Feature("always", "all that is known of it against its rate"),
    Feature("year_ago", "the half year that began a year ago, against its rate"),
    Feature("steadiness", "how much its months differ"),
    Feature("history_months", "how long it has been known"),
    Feature("odometer", "the odometer"),
    Feature("season", "the month of the year"),
)
MONTHS = 24
"""How far back months are looked at one by one."""
_DECAYS = {"last_weeks": 0.3, "last_months": 0.5, "last_year": 0.9}  # a month
_LEAN_MONTHS = (
    0.3  # as if the rate had been seen that long besides: a month of standing still is no -infinity
)
_YEAR_AGO = slice(6, 12)


def features(history: History, usage: Usage, prior: GroupPrior, steps: Floats | None = None) -> Floats:
    """The features (V, F) of V vehicles, in the order of ``FEATURES``; NaN for vehicles without readings.

    ``usage`` (V) and ``prior`` (V) are those of the same as-of time. ``steps`` are the history's
    ``month_steps`` of two years or more, where they are at hand.
    """
    month_m = usage.rate_m_per_d * DAYS_PER_MONTH
    all_ = month_steps(history, MONTHS) if steps is None else steps
    steps = all_[:, :MONTHS] / month_m[:, None]
    known = np.isfinite(steps)
    steps = np.where(known, steps, 0.0)
    last, first = last_rows(history.offsets), history.offsets[:-1]
    some = last >= 0
    end_d, end_m, begin_d, begin_m = (
        np.append(values, np.nan)[np.where(some, rows, -1)]
        for rows in (last, first)
        for values in (history.time_d, history.odometer_m)
    )
    history_months = (end_d - begin_d) / DAYS_PER_MONTH
    columns = {
        "rate": np.log(usage.rate_m_per_d),
        "group": np.log(prior.rate_m_per_d / usage.rate_m_per_d),
        "last_month": _over_rate(steps[:, 0], known[:, 0]),
        "always": _over_rate((end_m - begin_m) / month_m, history_months),
        "year_ago": _over_rate(steps[:, _YEAR_AGO].sum(axis=1), known[:, _YEAR_AGO].sum(axis=1)),
        "steadiness": _spread(steps[:, :12], known[:, :12]),
        "history_months": history_months,
        "odometer": end_m,
        "season": _month_of_year(end_d),
    }
    for name, decay in _DECAYS.items():
        weight = decay ** np.arange(MONTHS)
        columns[name] = _over_rate(steps @ weight, known @ weight)
    rows = np.stack([columns[feature.name] for feature in FEATURES], axis=1)
    rows[~some] = np.nan
    return rows


def _over_rate(distance: Floats, months: Floats) -> Floats:
    """The logarithm (V) of ``distance`` (in months at the rate) over ``months``, leaning on the rate."""
    ratio: Floats = np.log((np.maximum(distance, 0.0) + _LEAN_MONTHS) / (months + _LEAN_MONTHS))
    return ratio


def _spread(steps: Floats, known: Floats) -> Floats:
    """The coefficient of variation (V) of the months that are known; 0 where none is."""
    count = np.maximum(known.sum(axis=1), 1)
    mean = steps.sum(axis=1) / count
    variance = np.maximum((steps**2).sum(axis=1) / count - mean**2, 0.0)
    spread: Floats = np.sqrt(variance) / (mean + 1e-3)
    return spread


def _month_of_year(day: Floats) -> Floats:
    date = np.floor(np.nan_to_num(day)).astype("datetime64[D]").astype("datetime64[M]")
    month: Floats = (date.astype(np.int64) % 12 + 1).astype(np.float64)
    return month
