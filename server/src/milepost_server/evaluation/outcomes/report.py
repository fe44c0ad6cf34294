"""What an evaluation of outcomes prints, writes and draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from milepost_server.evaluation.plots import Chart, Comparison, Series, draw, draw_comparison
from milepost_server.evaluation.table import Cell, Table
from milepost_server.signals.ranking import Ranking, lift_curve
from milepost_server.signals.readiness.calibration import Reliability, reliability, wilson
from milepost_server.signals.readiness.card import POINTS_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milepost_server.evaluation.outcomes.figures import Figures
    from milepost_server.evaluation.outcomes.methods import Judged, Method
    from milepost_server.signals.flat import Floats, Ints
    from milepost_server.signals.readiness.card import Card

CURVES = 4
_NOTHING = "-"


def method_tables(figures: Figures) -> list[Table]:
    """Ranking and probabilities of all methods."""
    ranked: list[list[Cell]] = []
    foretold: list[list[Cell]] = []
    for name, its in figures.by_method.items():
        lead: Cell = figures.auc_lead.get(name, _NOTHING)
        ranked.append([name, its["auc"], its["lift05"], its["lift10"], lead])
        if "brier" in its:
            foretold.append([name, its["brier"], its["log_loss"], its["slope"], its["intercept"]])
    return [
        Table(
            "Ranking of the test rows (95 % intervals)",
            [
                "method",
                "AUC",
                "lift in the best 5 %",
                "lift in the best 10 %",
                "lead of the scorecard in AUC",
            ],
            ranked,
            digits=4,
        ),
        Table(
            "Probabilities of the test rows (95 % intervals; slope 1 and intercept 0 are perfect)",
            ["method", "Brier score", "log loss", "calibration slope", "intercept"],
            foretold,
            digits=4,
        ),
    ]


def reliability_table(table: Reliability) -> Table:
    """Expected against observed; each bin expects equally many events."""
    rows: list[list[Cell]] = [
        [int(count), expected * 100, observed * 100, low * 100, high * 100]
        for count, expected, observed, low, high in zip(
            table.rows,
            table.expected.tolist(),
            table.observed.tolist(),
            table.low.tolist(),
            table.high.tolist(),
            strict=True,
        )
    ]
    return Table(
        "Reliability of the scorecard: of 100 rows, so many have the event (Wilson intervals, 95 %)",
        ["rows", "expected", "observed", "low", "high"],
        rows,
        digits=2,
    )


def reason_table(card: Card) -> Table:
    """The reasons of the card, those that move scores furthest first."""
    parts = sorted(
        zip(card.tables, card.points, strict=True), key=lambda part: int(part[1].min()) - int(part[1].max())
    )
    rows: list[list[Cell]] = [
        [
            " and ".join(card.columns[place].words for place in table.columns),
            int(points.min()),
            int(points.max()),
            _extreme(card, table.columns, int(points.argmax()), points.shape),
        ]
        for table, points in parts
    ]
    each = card.scale.points_per_log_odds
    return Table(
        f"Reasons: everybody starts with {card.base_points} points;"
        f" {each * np.log(2):.1f} more double the odds",
        ["reason", "least points", "most points", "most points where"],
        rows,
    )


def _extreme(card: Card, columns: tuple[int, ...], cell: int, shape: tuple[int, ...]) -> str:
    places = np.unravel_index(cell, shape)
    return ", ".join(card.columns[c].said(int(place)) for c, place in zip(columns, places, strict=True))


def group_table(names: list[str], group: Ints, method: Method, event: Floats) -> Table:
    """The scorecard in each group of the test rows; a group without events has no AUC."""
    rows: list[list[Cell]] = []
    for number, name in enumerate(names):
        its = np.flatnonzero(group == number)
        if len(its) and method.probability is not None:
            low, high = wilson(np.array([event[its].sum()]), np.array([float(len(its))]))
            auc = Ranking.of(method.score[its], event[its]).auc(np.ones(len(its)))
            rates = [method.probability[its].mean(), event[its].mean(), low[0], high[0]]
            rows.append([name, len(its), auc, *(float(rate) * 100 for rate in rates)])
    return Table(
        "By group: of 100 rows, so many have the event",
        ["group", "rows", "AUC", "expected", "observed", "low", "high"],
        rows,
    )


def pictures(judged: Judged, figures: Figures, event: Floats, table: Reliability) -> dict[str, str]:
    """Reliability, lift and AUC as SVG by name."""
    rows = f"{len(event):,} test rows, {int(event.sum()):,} with the event"
    slope = figures.by_method[judged.methods[0].name]["slope"].value
    top = float(max(table.expected.max(), table.observed.max()))
    shares = np.concatenate([np.arange(0, 0.1, 0.005), np.arange(0.1, 1.0001, 0.05)])
    lift = figures.by_method[judged.methods[0].name]["lift05"].value
    curves = [judged.methods[place] for place in _curves(judged)]
    return {
        "reliability": draw(
            Chart(
                f"What is expected comes true with a calibration slope of {slope:.2f}",
                f"{rows}; bars are 95 % intervals, the dotted line is perfect",
                "expected share of rows with the event",
                "observed share",
                [
                    Series(
                        "scorecard",
                        table.expected,
                        table.observed,
                        table.low,
                        table.high,
                        drawn_as="line and points",
                    )
                ],
                reference=((0.0, 0.0), (top, top)),
                y_from_zero=True,
            )
        ),
        "lift": draw(
            Chart(
                f"The best 5 % of the scorecard hold {lift:.1f} times their share of the events",
                rows,
                "share of rows, best first",
                "share of all events",
                [
                    Series(method.name, shares, lift_curve(method.score, event, shares), drawn_as="line")
                    for method in curves
                ],
                reference=((0.0, 0.0), (1.0, 1.0)),
                y_from_zero=True,
            )
        ),
        "auc": draw_comparison(
            Comparison(
                "How often a row with the event ranks above one without it",
                f"{rows}; AUC with 95 % intervals",
                "AUC",
                [
                    (name, its["auc"].value, its["auc"].low, its["auc"].high)
                    for name, its in figures.by_method.items()
                ],
                reference=0.5,
            )
        ),
    }


def _curves(judged: Judged) -> Iterator[int]:
    """The scorecard, that without pairs, the plain logistic and the best column."""
    wanted = ("scorecard", "scorecard without pairs", "plain logistic", "best column")
    places = [
        place
        for place, method in enumerate(judged.methods)
        if method.name in wanted or method.name.startswith(wanted[-1])
    ]
    yield from places[:CURVES]


def reliability_of(method: Method, event: Floats) -> Reliability:
    """The reliability table of a method with probabilities."""
    assert method.probability is not None
    return reliability(method.probability, event)


def figures_document(judged: Judged, figures: Figures, event: Floats) -> dict[str, Any]:
    """All figures as plain names and numbers, the scorecard's at the top."""
    first = judged.methods[0].name
    flat: dict[str, Any] = {}
    for name, interval in figures.by_method[first].items():
        flat |= interval.as_figures(name)
    table = reliability_of(judged.methods[0], event)
    return flat | {
        "score_sum_error": sum_error(judged.card, judged.bins, judged.points),
        "points_auc": figures.by_method[judged.methods[1].name]["auc"].value,
        "pairs": sum(len(part.columns) == 2 for part in judged.card.tables),
        "single_auc": judged.single_auc,
        "methods": {
            name: {key: [each.value, each.low, each.high] for key, each in its.items()}
            for name, its in figures.by_method.items()
        },
        "reliability": {
            "rows": table.rows,
            "expected": table.expected,
            "observed": table.observed,
            "low": table.low,
            "high": table.high,
        },
        "held_out_deviance_by_pairs": judged.learned.path,
        "card": card_document(judged.card),
    }


def card_document(card: Card) -> dict[str, Any]:
    """The card: bins, log-odds and points."""
    return {
        "base_points": card.base_points,
        "base_log_odds": card.base_log_odds,
        "points_per_log_odds": card.scale.points_per_log_odds,
        "zero_log_odds": card.scale.zero_log_odds,
        "columns": {
            column.name: [column.said(place) for place in range(column.size)] for column in card.columns
        },
        "tables": [
            {
                "columns": [card.columns[place].name for place in table.columns],
                "points": points,
                "log_odds": table.log_odds,
            }
            for table, points in zip(card.tables, card.points, strict=True)
        ],
    }


def sum_error(card: Card, bins: Ints, points: Ints) -> int:
    """The largest difference between ``points`` (N) of rows with these ``bins`` (N, C) and the sums that a
    person gets from the card as it is printed."""
    printed = card_document(card)
    place = {name: number for number, name in enumerate(printed["columns"])}
    total = np.full(len(bins), printed["base_points"], dtype=np.int64)
    for table in printed["tables"]:
        total += np.asarray(table["points"])[tuple(bins[:, place[name]] for name in table["columns"])]
    return int(np.abs(np.clip(total, 0, POINTS_MAX) - points).max(initial=0))
