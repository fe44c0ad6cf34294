"""How far a vehicle goes in a day: a distribution, from its own history and that of its group.

The rate is a mean over the vehicle's months, weighted by ``0.8 ** age_months`` and shrunk to its group as if
the group's rate had been seen for 1.5 months. Ages count from the last reading, until it has been silent for
longer than is usual: from then on a vehicle falls back to its group, and its uncertainty with it.

What lies ahead is gamma distributed: rates are positive, and a car that stands still is likelier than one
that goes twice as far. Its variance has three parts: what is not known of the vehicle's level, changes of
usage that last, and the scatter of single months, which averages out over the horizon.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milepost_server.signals.flat import DAYS_PER_MONTH, Floats, Ints, owners_of, sums
from milepost_server.signals.usage.months import month_steps


@dataclass(frozen=True, slots=True)
class UsageRules:
    """The numbers behind usage; part of the configuration version."""

    decay_per_month: float = 0.8
    prior_weight_months: float = 1.5
    lasting_share: float = 0.45  # of the variance of a month: city buses, 1974-85, horizons of 2 to 7 months
    passing_share: float = 0.36  # of the variance of a month, divided by the months ahead: the same buses
    scatter_weight_months: float = 24.0  # a vehicle's scatter counts its months, its group's this many
    silence_months: float = 1.0  # so long without a reading is usual, and says nothing: see `aged_until`
    cv_max: float = 0.9
    group_weight_vehicles: float = 1.0  # a group of n vehicles counts n, its fleet this much
    fleet_weight_vehicles: float = 5.0  # a fleet of n vehicles counts n, the published prior this much
    group_weight_months_min: float = 2.0  # decayed weight from which a vehicle says something of its group

    @property
    def month_weight(self) -> float:
        """The integral of the decay over the last month: what one month of history weighs."""
        return (self.decay_per_month - 1) / float(np.log(self.decay_per_month))


@dataclass(frozen=True, slots=True)
class GroupPrior:
    """What is known of vehicles without looking at them: of G groups."""

    rate_m_per_d: Floats  # (G)
    between_cv: Floats  # (G) coefficient of variation of the rate between vehicles
    month_cv: Floats  # (G) coefficient of variation of a vehicle's months around its rate

    def of(self, group: Ints) -> GroupPrior:
        """The prior of each vehicle (V) of ``group`` (V)."""
        return GroupPrior(self.rate_m_per_d[group], self.between_cv[group], self.month_cv[group])


PUBLISHED_RATE_M_PER_D = 43_400.0
"""Median of 26.97 miles a day of US cars of all kinds: vehicletrends (listings of used cars), MIT licence."""
PUBLISHED_BETWEEN_CV = 0.54
"""From P10 and P90 of the same table, 11.93 and 47.14 miles a day: ln(47.14 / 11.93) / 2.563."""
PUBLISHED_MONTH_CV = 0.40
"""An assumption: city buses of 1974-85 show 0.34 (measured), private cars scatter more."""


def published_prior(groups: int) -> GroupPrior:
    """The prior for a fleet that has no history yet."""
    return GroupPrior(
        np.full(groups, PUBLISHED_RATE_M_PER_D),
        np.full(groups, PUBLISHED_BETWEEN_CV),
        np.full(groups, PUBLISHED_MONTH_CV),
    )


@dataclass(frozen=True, slots=True)
class History:
    """Kept readings of V vehicles, M rows, on the continuous axis of ``CleanOdometer.continuous_m``."""

    offsets: Ints  # (V + 1)
    time_d: Floats  # (M)
    odometer_m: Floats  # (M)


@dataclass(frozen=True, slots=True)
class Usage:
    """The predictive distribution of distance per day of V vehicles."""

    rate_m_per_d: Floats  # (V) > 0
    level_variance: Floats  # (V) relative: of the vehicle's level around ``rate_m_per_d``
    month_variance: Floats  # (V) relative: of single months
    weight_months: Floats  # (V) how much history stands behind it, decayed; at most 1 / (1 - decay)

    def of(self, vehicle: Ints) -> Usage:
        """That of some vehicles."""
        return Usage(
            self.rate_m_per_d[vehicle],
            self.level_variance[vehicle],
            self.month_variance[vehicle],
            self.weight_months[vehicle],
        )


def aged_until(last_d: Floats, as_of_d: float, rules: UsageRules) -> Floats:
    """The time (V) up to which ages count, with the last reading at ``last_d`` (V; NaN where none).

    What lies ahead is foretold from the last reading on, so until then nothing ages. Only a silence that is
    longer than usual tells that the vehicle may be used otherwise by now.
    """
    until_d: Floats = np.fmax(last_d, as_of_d - rules.silence_months * DAYS_PER_MONTH)
    return until_d


@dataclass(frozen=True, slots=True)
class Observed:
    """The decayed history of V vehicles alone, before any group is asked."""

    distance_m: Floats  # (V) decayed
    weight_months: Floats  # (V) decayed: 1 for the last month


def observe(
    history: History, as_of_d: float | Floats, rules: UsageRules, since_d: Floats | None = None
) -> Observed:
    """Sum up each vehicle's steps with decaying weights; a step may last minutes or years.

    ``as_of_d`` is one time for all, or one for each vehicle (V). What lay before ``since_d`` (V; NaN: all
    counts) does not count: the vehicle was used otherwise then.
    """
    owner = owners_of(history.offsets)
    until_d = as_of_d[owner] if isinstance(as_of_d, np.ndarray) else as_of_d
    age = np.maximum(until_d - history.time_d, 0.0) / DAYS_PER_MONTH
    if since_d is not None:
        oldest = np.where(np.isfinite(since_d), (as_of_d - since_d) / DAYS_PER_MONTH, np.inf)
        age = np.minimum(age, np.maximum(oldest, 0.0)[owner])
    log_decay = float(np.log(rules.decay_per_month))
    faded = np.exp(log_decay * age)
    primitive = faded / -log_decay / rules.month_weight
    same = owner[1:] == owner[:-1]
    weight = np.where(same, np.diff(primitive), 0.0)
    months = np.where(same, np.diff(history.time_d), 0.0) / DAYS_PER_MONTH
    # A step of no time weighs what its moment does; one that began before ``since_d``, as its later part.
    moment = faded[1:] / rules.month_weight
    mean_weight = np.divide(weight, months, out=moment, where=months > 1e-9)
    distance = np.where(same, np.diff(history.odometer_m), 0.0) * mean_weight
    return Observed(*(_sum_steps(history.offsets, values) for values in (distance, weight)))


def _sum_steps(offsets: Ints, steps: Floats) -> Floats:
    """Sums (V) of the steps between rows; the step into a vehicle's first row is 0."""
    if not len(steps):
        return np.zeros(len(offsets) - 1)
    return sums(offsets, np.concatenate([[0.0], steps]))


@dataclass(frozen=True, slots=True)
class Scatter:
    """How much the last months of V vehicles differ."""

    variance: Floats  # (V) relative; NaN where not known
    months: Ints  # (V) of how many months; 0 where not known


def shrink(observed: Observed, prior: GroupPrior, rules: UsageRules, scatter: Scatter | None = None) -> Usage:
    """The usage of V vehicles, each shrunk to its own ``prior`` (V), and its ``scatter`` (V) too."""
    seen, unseen = observed.weight_months, rules.prior_weight_months
    prior_m = prior.rate_m_per_d * DAYS_PER_MONTH * unseen
    month_variance = prior.month_cv**2
    if scatter is not None:
        own = np.minimum(np.nan_to_num(scatter.variance), rules.cv_max**2)
        weight = scatter.months + rules.scatter_weight_months
        month_variance = (scatter.months * own + rules.scatter_weight_months * month_variance) / weight
    return Usage(
        rate_m_per_d=(observed.distance_m + prior_m) / (seen + unseen) / DAYS_PER_MONTH,
        level_variance=prior.between_cv**2 * unseen / (seen + unseen),
        month_variance=month_variance,
        weight_months=seen,
    )


def group_prior(
    observed: Observed, months: Floats, group: Ints, groups: int, rules: UsageRules
) -> GroupPrior:
    """The prior of each group (G) from its vehicles (V), leaning on the fleet, and that on what is published.

    ``months`` (V) are the vehicles' ``month_variances``. Vehicles with less history than
    ``group_weight_months_min`` say nothing. A group without vehicles gets the fleet's prior, an empty fleet
    the published one.
    """
    told = observed.weight_months >= rules.group_weight_months_min
    rate = observed.distance_m[told] / observed.weight_months[told] / DAYS_PER_MONTH
    fleet = _lean(rate, PUBLISHED_RATE_M_PER_D, rules.fleet_weight_vehicles)
    size = np.bincount(group[told], minlength=groups)
    total = np.bincount(group[told], weights=rate, minlength=groups)
    rates = (total + fleet * rules.group_weight_vehicles) / (size + rules.group_weight_vehicles)
    rates = np.maximum(rates, RATE_M_PER_D_MIN)

    ratio = rate / rates[group[told]]
    between = _lean(
        (ratio - 1) ** 2 / _MEDIAN_OF_SQUARES, PUBLISHED_BETWEEN_CV**2, rules.fleet_weight_vehicles
    )
    within = _lean(months[told & np.isfinite(months)], PUBLISHED_MONTH_CV**2, rules.fleet_weight_vehicles)
    return GroupPrior(
        rates,
        np.full(groups, min(float(np.sqrt(between)), rules.cv_max)),
        np.full(groups, min(float(np.sqrt(within)), rules.cv_max)),
    )


def _lean(values: Floats, published: float, weight: float) -> float:
    """The middle of ``values``, as if ``published`` had been seen ``weight`` times besides."""
    middle = float(np.median(values)) if len(values) else published
    return (len(values) * middle + weight * published) / (len(values) + weight)


RATE_M_PER_D_MIN = 100.0
"""A fleet that stands still is still said to move a little, so that no due date is infinitely far."""
_MEDIAN_OF_SQUARES = 0.4549
"""The median of the square of a standard normal variable: makes a median of squares a variance."""
MONTHS_LOOKED_AT = 12
MONTHS_MIN = 3


def scatter_of(history: History, steps: Floats | None = None) -> Scatter:
    """How much each vehicle's last months differ.

    Odometers are interpolated on months back from each vehicle's last reading; ``steps`` are the history's
    ``month_steps`` of a year or more, where they are at hand.
    """
    all_ = month_steps(history, MONTHS_LOOKED_AT) if steps is None else steps
    step = all_[:, :MONTHS_LOOKED_AT]
    known = np.isfinite(step)
    count = known.sum(axis=1)
    mean = np.where(known, step, 0.0).sum(axis=1) / np.maximum(count, 1)
    spread = (np.where(known, step - mean[:, None], 0.0) ** 2).sum(axis=1)
    usable = (count >= MONTHS_MIN) & (mean > 0)
    variance = np.full(len(step), np.nan)
    variance[usable] = spread[usable] / (count[usable] - 1) / mean[usable] ** 2
    return Scatter(variance, np.where(usable, count, 0))


def month_variances(history: History, steps: Floats | None = None) -> Floats:
    """The relative variance (V) of each vehicle's last months; NaN where it has fewer than three."""
    return scatter_of(history, steps).variance
