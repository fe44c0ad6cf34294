"""The tables, figures and pictures of the odometer evaluation."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.evaluation.odometer.baselines import Rates
from milepost_server.evaluation.odometer.folds import LATER, MODEL, PLAIN, Foretold
from milepost_server.evaluation.plots import Chart, Comparison, Series, draw, draw_comparison
from milepost_server.evaluation.report import Report
from milepost_server.evaluation.table import Cell, Table
from milepost_server.signals import bootstrap
from milepost_server.signals.bootstrap import Interval

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_server.evaluation.odometer.events import Scores
    from milepost_server.evaluation.odometer.file import Fleet
    from milepost_server.evaluation.odometer.folds import Protocol
    from milepost_server.signals.flat import Ints

SHRUNK = "shrunk"
METHODS = (MODEL, LATER, PLAIN, *Rates.methods())
WORDS = {
    MODEL: "this product",
    LATER: "the same, taught by the past only",
    PLAIN: "the same, untaught",
    "shrunk": "shrunk, decayed rate",
    "group": "group's rate",
    "lifetime": "lifetime average",
    "trailing": "trailing 3 months",
}
HORIZONS_D = (0.0, 30.0, 60.0, 90.0, 180.0, 365.0, np.inf)
"""Horizons by what the shrunk rate foretells: what came cannot choose the row that it is counted in."""


def report(name: str, fleet: Fleet, foretold: Mapping[str, Foretold], protocol: Protocol) -> Report:
    """All that is said of the file ``name``; ``foretold`` by distance, such as "3000 mi"."""
    result = Report("odometer", f"Days to the next distance: {name}", protocol.seed)
    result.facts = {
        "vehicles": len(fleet.keys),
        "groups": len(fleet.group_names),
        "readings": ", ".join(f"{count:,} {word}" for word, count in fleet.counts.items()),
        "origins": f"every {protocol.origin_months:g} months from {protocol.history_months:g} months on",
        "horizon, days": protocol.horizon_d,
        "folds, by vehicle": protocol.folds,
        "intervals": f"{bootstrap.LEVEL:.0%}, {bootstrap.DRAWS} draws of vehicles",
    }
    result.notes.append(
        "A vehicle is foretold by a model fitted and calibrated on the other folds; what is known of it are "
        "its readings up to the origin. Distances that the file does not reach, or not within the horizon, "
        "are left out for all methods alike."
    )
    result.notes.append(
        "Other vehicles at the same time know something of that time, which no dealer has yet: what a dealer "
        "would have been told is the row 'taught by the past only'."
    )
    for distance, one in foretold.items():
        _add_distance(result, distance, one, protocol)
    _add_interval_figures(result, list(foretold.values()), protocol.seed)
    return result


def add_events(result: Report, name: str, scores: Scores) -> None:
    """Add what is said of the time to the events in the file ``name``."""
    seed = result.seed
    gain = bootstrap.mean(scores.product - scores.fleet_curve, scores.vehicle, seed=seed)
    result.figures |= gain.as_figures("replacement_logscore_gain")
    rows: list[list[Cell]] = [
        ["by distance and usage", bootstrap.mean(scores.product, scores.vehicle, seed=seed)],
        ["fleet's Kaplan-Meier curve", bootstrap.mean(scores.fleet_curve, scores.vehicle, seed=seed)],
        ["difference", gain],
    ]
    title = f"Time to the events of {name}: {scores.events} events, {len(scores.vehicle):,} origins"
    result.tables.append(Table(title, ["method", "mean log score, by quarter of a year"], rows))


def _add_distance(result: Report, distance: str, one: Foretold, protocol: Protocol) -> None:
    key = f"due{distance.split(maxsplit=1)[0]}"
    if not len(one.true_d):
        result.notes.append(f"{distance}: no origin of the file reaches it within the horizon.")
        return
    ratio = _over_shrunk(one, MODEL, protocol.seed)
    result.figures |= ratio.as_figures(f"{key}_mae_over_shrunk")
    result.figures |= {f"{key}_{method}_mae_d": float(one.error_d(method).mean()) for method in METHODS}
    result.figures |= _over_shrunk(one, LATER, protocol.seed).as_figures(f"{key}_later_mae_over_shrunk")
    result.figures[f"{key}_later_coverage80"] = float(one.within(LATER).mean())
    result.figures[f"{key}_origins"] = len(one.true_d)
    result.tables += [_methods_table(distance, one, protocol.seed), _horizon_table(distance, one)]
    result.pictures[f"errors-{key}"] = _errors_picture(distance, one, protocol.seed)
    result.pictures[f"coverage-{key}"] = _coverage_picture(distance, one, protocol.seed)


def _add_interval_figures(result: Report, foretold: list[Foretold], seed: int) -> None:
    some = [one for one in foretold if len(one.true_d)]
    if not some:
        return
    cluster = np.concatenate([one.vehicle for one in some])
    joined = {
        name: np.concatenate([getattr(one, what)(method) for one in some])
        for name, what, method in (
            ("within", "within", MODEL),
            ("width", "width_d", MODEL),
            ("shrunk", "width_d", SHRUNK),
        )
    }
    covered = bootstrap.mean(joined["within"], cluster, seed=seed)
    width = bootstrap.ratio_of_sums(joined["width"], joined["shrunk"], cluster, seed=seed)
    result.figures |= covered.as_figures("due_coverage80") | width.as_figures("due_width_over_shrunk")


def _over_shrunk(one: Foretold, method: str, seed: int) -> Interval:
    return bootstrap.ratio_of_sums(one.error_d(method), one.error_d(SHRUNK), one.vehicle, seed=seed)


def _methods_table(distance: str, one: Foretold, seed: int) -> Table:
    rows: list[list[Cell]] = [
        [
            WORDS[method],
            float(one.error_d(method).mean()),
            _over_shrunk(one, method, seed),
            float(one.within(method).mean()),
            float(one.width_d(method).mean()),
        ]
        for method in METHODS
    ]
    told = f"{len(one.true_d):,} origins, {one.left_out:,} left out, {one.true_d.mean():.1f} d on average"
    header = ["method", "mean error, d", "over shrunk", "80 % interval holds", "width, d"]
    return Table(f"Next {distance}: {told}", header, rows)


def _horizons(one: Foretold) -> list[tuple[str, Ints]]:
    foretold = one.median_d[SHRUNK]
    found = []
    for low, high in pairwise(HORIZONS_D):
        rows = np.flatnonzero((foretold >= low) & (foretold < high))
        if len(rows):
            found.append((f"{low:g} to {high:g}" if np.isfinite(high) else f"{low:g} and more", rows))
    return found


def _horizon_table(distance: str, one: Foretold) -> Table:
    rows: list[list[Cell]] = [
        [
            words,
            len(at),
            float(one.error_d(MODEL)[at].mean()),
            float(one.error_d(SHRUNK)[at].mean()),
            float(one.within(MODEL)[at].mean()),
            float(one.width_d(MODEL)[at].mean()),
            float(one.width_d(SHRUNK)[at].mean()),
        ]
        for words, at in _horizons(one)
    ]
    header = ["horizon, d", "origins", "error, d", "shrunk's", "interval holds", "width, d", "shrunk's"]
    return Table(f"Next {distance}, by horizon", header, rows)


def _errors_picture(distance: str, one: Foretold, seed: int) -> str:
    rows = []
    for method in METHODS:
        found = bootstrap.mean(one.error_d(method), one.vehicle, seed=seed)
        rows.append((WORDS[method], found.value, found.low, found.high))
    ratio = _over_shrunk(one, MODEL, seed)
    least = min(rows, key=lambda row: row[1])[0]
    return draw_comparison(
        Comparison(
            title=f"Next {distance}: {least} errs least ({ratio.value:.2f} of the shrunk rate's error)",
            subtitle=f"{len(one.true_d):,} origins of {len(np.unique(one.vehicle))} vehicles not fitted on",
            x_label="mean absolute error, days",
            rows=rows,
        )
    )


def _coverage_picture(distance: str, one: Foretold, seed: int) -> str:
    bins = _horizons(one)
    x = np.array([one.median_d[SHRUNK][at].mean() for _, at in bins])
    series = []
    for method in (MODEL, SHRUNK):
        found = [bootstrap.mean(one.within(method)[at], one.vehicle[at], seed=seed) for _, at in bins]
        value, low, high = (np.array([getattr(f, end) for f in found]) for end in ("value", "low", "high"))
        series.append(Series(WORDS[method], x, value, low, high))
    overall = float(one.within(MODEL).mean())
    return draw(
        Chart(
            title=f"Next {distance}: {overall:.0%} of the dates lay within their 80 % interval",
            subtitle=f"{len(one.true_d):,} origins of {len(np.unique(one.vehicle))} vehicles not fitted on",
            x_label="horizon, days",
            y_label="share within the interval",
            series=series,
            reference=((float(x.min()), 0.8), (float(x.max()), 0.8)),
        )
    )
