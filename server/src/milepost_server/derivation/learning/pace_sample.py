"""What a fleet's past teaches of its pace, from a sample of its histories, and how its intervals held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from milepost_server.signals.flat import DAYS_PER_MONTH, Ints, offsets_of, owners_of
from milepost_server.signals.readiness.calibration import wilson
from milepost_server.signals.usage.calibration import WANTED
from milepost_server.signals.usage.model import PaceModel, fit
from milepost_server.signals.usage.pace import KNOTS_MONTHS
from milepost_server.signals.usage.past import examples, rolling_origins
from milepost_server.signals.usage.rate import History

if TYPE_CHECKING:
    from milepost_server.derivation.configuration import Configuration


@dataclass(frozen=True, slots=True)
class PaceSampleRules:
    """How much of a fleet's past is looked at; part of the configuration version."""

    vehicles_max: int = 2_000  # taken evenly from the whole fleet
    origins_every_months: float = 4.0
    history_months_min: float = 3.0  # before an origin
    seed: int = 1


class PaceSample:
    """Collects histories of a fleet of ``vehicles`` vehicles, chunk by chunk, until `model` is asked for."""

    def __init__(self, vehicles: int, rules: PaceSampleRules) -> None:
        self._rules = rules
        self._stride = max(1, -(-vehicles // rules.vehicles_max))
        self._seen = 0
        self._parts: list[History] = []
        self._models: list[Ints] = []

    def add(self, history: History, model: Ints) -> None:
        """Add one chunk; ``model`` (V) is the number of each vehicle's model in the whole fleet."""
        place = np.arange(len(model))
        chosen = (place + self._seen) % self._stride == 0
        self._seen += len(model)
        rows = chosen[owners_of(history.offsets)]
        counts = np.diff(history.offsets)[chosen]
        self._parts.append(History(offsets_of(counts), history.time_d[rows], history.odometer_m[rows]))
        self._models.append(model[chosen])

    def model(self, models: int, config: Configuration) -> PaceModel:
        """What the histories teach; the same histories teach the same."""
        counts = [np.diff(part.offsets) for part in self._parts] or [np.zeros(0, dtype=np.int64)]
        none = [np.zeros(0)]
        history = History(
            offsets_of(np.concatenate(counts)),
            np.concatenate([part.time_d for part in self._parts] or none),
            np.concatenate([part.odometer_m for part in self._parts] or none),
        )
        group = np.concatenate(self._models or [np.zeros(0, dtype=np.int64)])
        rules = self._rules
        origins = rolling_origins(history, rules.origins_every_months, rules.history_months_min)
        past = examples(history, group, models, origins, config.usage)
        return fit(past, config.usage, seed=rules.seed)


def coverage_rows(model: PaceModel) -> list[dict[str, Any]]:
    """How often intervals held later than they were made from: ``due_calibrations.coverage``.

    By expected time, where anything came; the interval of the share is Wilson's.
    """
    its = model.coverage
    told = its.told.astype(np.float64)
    low, high = wilson(told - its.early - its.late, told)
    return [
        {
            "horizon_d": round(KNOTS_MONTHS[knot] * DAYS_PER_MONTH),
            "n": int(its.told[knot]),
            "covered": float(its.share[knot]),
            "early": float(its.early[knot] / told[knot]),
            "late": float(its.late[knot] / told[knot]),
            "low": float(low[knot]),
            "high": float(high[knot]),
            "wanted": WANTED,
        }
        for knot in np.flatnonzero(its.told)
    ]
