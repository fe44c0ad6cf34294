"""Days to a distance as a dealer would have been told them: learned, each year, from nothing but the past.

Other vehicles at the same time know something of that time. So a model that is only kept apart from the test
vehicles does better than any dealer's can; this is what is left when it is kept apart from the future too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals.flat import count_up_to
from milepost_server.signals.usage.ahead import PACES, Ahead
from milepost_server.signals.usage.model import fit
from milepost_server.signals.usage.past import examples, rolling_origins, up_to
from milepost_server.signals.usage.rate import UsageRules

if TYPE_CHECKING:
    from collections.abc import Callable

    from milepost_server.evaluation.odometer.file import Fleet
    from milepost_server.evaluation.odometer.folds import Protocol
    from milepost_server.signals.flat import Floats
    from milepost_server.signals.usage.model import PaceModel
    from milepost_server.signals.usage.past import Examples

YEAR_D = 365.2425
YEARS_MAX = 40
"""At most so many models are made; a longer file has one for longer than a year."""


def quantiles(
    fleet: Fleet,
    past: Examples,
    distances_m: list[float],
    protocol: Protocol,
    say: Callable[[str], None],
) -> Floats:
    """P10, P50 and P90 (distances, 3, O) of the days at each origin of ``past`` (O)."""
    rules = UsageRules()
    result = np.empty((len(distances_m), len(PACES), len(past.vehicle)))
    begin_d, end_d = float(past.as_of_d.min()), float(past.as_of_d.max())
    every_d = max(YEAR_D, (end_d - begin_d + 1) / YEARS_MAX)
    turn = ((past.as_of_d - begin_d) / every_d).astype(np.int64)
    for one in np.unique(turn):
        say(f"what was known after {one * every_d / YEAR_D:.0f} years")
        asked = np.flatnonzero(turn == one)
        model = _model_of(fleet, begin_d + one * every_d, protocol, rules)
        known = past.known.of(asked)
        ahead = Ahead(known.usage, rules, model.learned(known))
        everyone, none = np.arange(len(asked)), np.zeros(len(asked))
        for place, metres in enumerate(distances_m):
            for row, pace in enumerate(PACES):
                far = np.full(len(asked), metres)
                result[place, row, asked] = ahead.days_to(everyone, far, none, pace)
    return result


def _model_of(fleet: Fleet, until_d: float, protocol: Protocol, rules: UsageRules) -> PaceModel:
    """What the fleet taught by ``until_d``."""
    history = fleet.history
    everyone = np.arange(len(fleet.keys), dtype=np.int64)
    seen = count_up_to(history.offsets, history.time_d, everyone, np.full(len(everyone), until_d))
    known = up_to(history, everyone, seen)
    origins = rolling_origins(known, protocol.origin_months, protocol.history_months)
    past = examples(known, fleet.group, len(fleet.group_names), origins, rules)
    return fit(past, rules, seed=protocol.seed)
