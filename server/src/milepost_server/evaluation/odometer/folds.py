"""Days to a distance, foretold by a model that has never seen the vehicle, beside the baselines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.evaluation.errors import EvaluationError
from milepost_server.evaluation.odometer import later as odometer_later
from milepost_server.evaluation.odometer.baselines import Rates, rates
from milepost_server.signals.flat import Floats, Ints
from milepost_server.signals.usage.ahead import PACES, Ahead
from milepost_server.signals.usage.model import Held, fit
from milepost_server.signals.usage.past import days_until, examples, rolling_origins
from milepost_server.signals.usage.rate import UsageRules
from milepost_server.signals.usage.trees import TreeRules

if TYPE_CHECKING:
    from milepost_server.evaluation.odometer.file import Fleet
    from milepost_server.signals.usage.model import PaceModel
    from milepost_server.signals.usage.past import Examples, Origins

Say = Callable[[str], None]
MODEL = "model"
PLAIN = "plain"
"""The product before it has learned from its fleet: the shrunk rate and its gamma distribution."""
LATER = "later"
"""The product as a dealer would have had it: see ``odometer_later``."""
INTERVAL = (0.1, 0.9)


@dataclass(frozen=True, slots=True)
class Protocol:
    """How histories are turned into questions with known answers."""

    origin_months: float = 4.0
    history_months: float = 3.0
    horizon_d: float = 730.0
    folds: int = 5
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Foretold:
    """O answers to one question; all in days."""

    distance_m: float
    vehicle: Ints  # (O)
    true_d: Floats  # (O)
    median_d: dict[str, Floats]  # by method, (O)
    low_d: dict[str, Floats]  # by method that has an interval, (O)
    high_d: dict[str, Floats]
    left_out: int  # origins at which nobody can say: not reached within the file, or beyond the horizon

    def error_d(self, method: str) -> Floats:
        """The absolute errors (O) of a method."""
        return np.abs(self.median_d[method] - self.true_d)

    def width_d(self, method: str) -> Floats:
        """The widths (O) of a method's interval."""
        return self.high_d[method] - self.low_d[method]

    def within(self, method: str) -> Floats:
        """1 (O) where the truth lay in a method's interval, 0 where not."""
        inside = (self.low_d[method] <= self.true_d) & (self.true_d <= self.high_d[method])
        return inside.astype(np.float64)


def folds_of(vehicles: int, protocol: Protocol) -> Ints:
    """The fold (V) of each vehicle, drawn by the seed."""
    drawn = np.random.default_rng(protocol.seed).permutation(vehicles)
    fold: Ints = drawn.astype(np.int64) % protocol.folds
    return fold


@dataclass(frozen=True, slots=True)
class Run:
    """A fleet, its origins, and for each fold of vehicles a model that has not seen them."""

    fleet: Fleet
    origins: Origins  # (O)
    past: Examples  # (O)
    fold: Ints  # (V)
    models: list[PaceModel]  # (folds)
    protocol: Protocol

    @classmethod
    def of(cls, fleet: Fleet, protocol: Protocol, say: Say) -> Run:
        """Fit the models.

        Raises:
            EvaluationError: there are fewer vehicles than folds, or no vehicle with enough history.
        """
        if len(fleet.keys) < 2:
            raise EvaluationError(
                "the file holds one vehicle: each is foretold by what others teach, so two are the least"
            )
        if len(fleet.keys) < protocol.folds:
            raise EvaluationError(
                f"{len(fleet.keys)} vehicles cannot be split into {protocol.folds} folds; give a file with "
                "more, or fewer --folds"
            )
        origins = rolling_origins(fleet.history, protocol.origin_months, protocol.history_months)
        if not len(origins.row):
            raise EvaluationError(f"no vehicle has {protocol.history_months:g} months of history")
        say(f"{len(origins.row)} origins of {len(fleet.keys)} vehicles")
        rules, fold = UsageRules(), folds_of(len(fleet.keys), protocol)
        past = examples(fleet.history, fleet.group, len(fleet.group_names), origins, rules)
        models = []
        for one in range(protocol.folds):
            say(f"fold {one + 1} of {protocol.folds}")
            rest = past.of(np.flatnonzero(fold[past.vehicle] != one))
            models.append(fit(rest, rules, TreeRules(), protocol.seed, Held.VEHICLES))
        return cls(fleet, origins, past, fold, models, protocol)

    def foretell(self, distances_m: list[float], say: Say) -> list[Foretold]:
        """What was foretold for each distance, and what came."""
        later = odometer_later.quantiles(self.fleet, self.past, distances_m, self.protocol, say)
        quantiles = np.concatenate([self._quantiles(distances_m), later[:, None]], axis=1)
        simple = self._baselines()
        return [self._scored(metres, quantiles[place], simple) for place, metres in enumerate(distances_m)]

    def _quantiles(self, distances_m: list[float]) -> Floats:
        """P10, P50 and P90 (distances, 2, 3, O) of the days: from models of the other folds, and plain."""
        rules = UsageRules()
        result = np.empty((len(distances_m), 2, len(PACES), len(self.past.vehicle)))
        for one, model in enumerate(self.models):
            held = np.flatnonzero(self.fold[self.past.vehicle] == one)
            known = self.past.known.of(held)
            for taught, learned in enumerate((model.learned(known), None)):
                ahead = Ahead(known.usage, rules, learned)
                for place, metres in enumerate(distances_m):
                    result[place, taught][:, held] = _days_to(ahead, len(held), metres)
        return result

    def _baselines(self) -> Rates:
        """The rates of the baselines."""
        history, origins = self.fleet.history, self.origins
        return rates(
            times=np.split(history.time_d, history.offsets[1:-1]),
            odometers=np.split(history.odometer_m, history.offsets[1:-1]),
            group=self.fleet.group,
            origin_vehicle=origins.vehicle,
            origin_row=origins.row - history.offsets[origins.vehicle],
        )

    def _scored(self, metres: float, quantiles: Floats, simple: Rates) -> Foretold:
        """What was foretold at the origins of which the file tells what came."""
        horizon_d = self.protocol.horizon_d
        true_d = days_until(self.fleet.history, self.origins, np.full(len(self.origins.row), metres))
        told = np.flatnonzero(true_d <= horizon_d)
        vehicle, true_d = self.origins.vehicle[told], true_d[told]
        lows, medians, highs = (
            dict(zip((MODEL, PLAIN, LATER), np.minimum(days[:, told], horizon_d), strict=True))
            for days in np.moveaxis(quantiles, 1, 0)
        )
        for method in simple.methods():
            days = np.minimum(metres / getattr(simple, method)[told], horizon_d)
            medians[method] = days
            lows[method], highs[method] = days * _ratio_bounds(true_d / days, self.fold[vehicle])
        return Foretold(metres, vehicle, true_d, medians, lows, highs, len(self.origins.row) - len(told))


def _days_to(ahead: Ahead, vehicles: int, metres: float) -> list[Floats]:
    everyone, none = np.arange(vehicles), np.zeros(vehicles)
    return [ahead.days_to(everyone, np.full(vehicles, metres), none, pace) for pace in PACES]


def _ratio_bounds(ratio: Floats, fold: Ints) -> Floats:
    """The bounds (2, O) that hold 80 % of the ratios of the other folds: a baseline's interval."""
    bounds = np.full((2, len(ratio)), np.nan)
    for one in np.unique(fold):
        others = ratio[fold != one]
        if len(others):
            bounds[:, fold == one] = np.quantile(others, INTERVAL)[:, None]
    return bounds
