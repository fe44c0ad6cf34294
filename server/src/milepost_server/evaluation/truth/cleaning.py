"""The clean odometer against the truth: which wrong readings were found, which right ones were lost."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.evaluation.table import Table
from milepost_server.signals import bootstrap
from milepost_server.signals.flat import Bools, Floats, Ints
from milepost_server.signals.odometer import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milepost_server.evaluation.truth.derive import DerivedPart
    from milepost_server.evaluation.truth.files import Part
    from milepost_server.signals.bootstrap import Interval

DRAWS = 500
"""Of each bootstrap."""
UNTOUCHED = (
    Verdict.KEPT,
    Verdict.LEVELLED,
    Verdict.CLUSTER_SWAP,
    Verdict.ROLLED_BACK,
    Verdict.STAFF_KEPT,
)
"""Verdicts that take a reading for what was on the instrument; all others reject it, or change its value."""
LARGE_M = 1_000_000.0
"""A wrong reading that is off by less is told apart: tens of kilometres nobody can find, or needs to."""


@dataclass(frozen=True, slots=True)
class ReadingRows:
    """What was said and what is true of readings: N rows."""

    vehicle: Ints  # (N) number in the fleet
    flaw: Ints  # (N) 0 where it is right
    off_m: Floats  # (N) how far it is from what the instrument showed
    flagged: Bools  # (N) rejected, or kept at another value
    swapped: Bools  # (N) whether it comes after a change of the instrument cluster

    def where(self, which: Bools) -> ReadingRows:
        """Some of the rows."""
        return ReadingRows(*(getattr(self, field.name)[which] for field in fields(self)))


def compare(part: Part, derived: DerivedPart) -> ReadingRows:
    """The verdicts on a part's readings beside what is true of them."""
    row, verdict = derived.reading, derived.results.driven.clean.verdict
    looked = row >= 0  # not what service books say of earlier years
    row, verdict = row[looked], verdict[looked]
    vehicle = part.observed["readings"]["vehicle"][row]
    offset_m, swapped = _shown_more(part, vehicle, part.observed["readings"]["time_d"][row])
    shown_m = part.truth["readings"]["odometer_m"][row] + offset_m
    return ReadingRows(
        vehicle=part.observed["vehicles"]["number"][vehicle],
        flaw=part.truth["readings"]["flaw"][row],
        off_m=np.abs(part.observed["readings"]["odometer_m"][row] - shown_m).astype(np.float64),
        flagged=~np.isin(verdict, UNTOUCHED),
        swapped=swapped,
    )


def _shown_more(part: Part, vehicle: Ints, time_d: Floats) -> tuple[Ints, Bools]:
    """What the instrument of ``vehicle`` (N) shows more than is true, and whether it is not the first one."""
    clusters = part.truth["clusters"]
    day = np.full(part.vehicles, np.inf)
    offset_m = np.zeros(part.vehicles, dtype=np.int64)
    day[clusters["vehicle"]], offset_m[clusters["vehicle"]] = clusters["day"], clusters["offset_m"]
    swapped: Bools = time_d >= day[vehicle]
    return np.where(swapped, offset_m[vehicle], 0), swapped


def joined(parts: Sequence[ReadingRows]) -> ReadingRows:
    """The rows of several parts."""
    names = [field.name for field in fields(ReadingRows)]
    return ReadingRows(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def scores(rows: ReadingRows, seed: int) -> dict[str, Interval]:
    """Precision, recall and F1 of what was flagged; recall and F1 on readings that are off by much.

    A small slip that is flagged is right; one that is not is no loss.
    """
    wrong, large = rows.flaw > 0, (rows.flaw > 0) & (rows.off_m >= LARGE_M)
    hit = rows.flagged & wrong
    found = rows.flagged & large

    def ratio(above: Bools | Floats, below: Bools | Floats) -> Interval:
        return bootstrap.ratio_of_sums(
            above.astype(np.float64), below.astype(np.float64), rows.vehicle, seed=seed, draws=DRAWS
        )

    # F1 = 2 TP / (2 TP + FP + FN), of large slips; small ones that were found count on neither side.
    errors = (rows.flagged & ~wrong).astype(np.float64) + (large & ~rows.flagged)
    twice = 2.0 * found.astype(np.float64)
    right_after = ~wrong & rows.swapped
    return {
        "cleaning_precision": ratio(hit, rows.flagged),
        "cleaning_recall": ratio(hit, wrong),
        "cleaning_recall_large": ratio(found, large),
        "cleaning_f1": ratio(twice, twice + errors),
        "cleaning_lost_after_swap": ratio(right_after & rows.flagged, right_after),
    }


def by_flaw(rows: ReadingRows, flaws: Sequence[str]) -> Table:
    """How many readings there are of each kind, and how many of them were flagged."""
    found = []
    for place, name in enumerate(flaws):
        of = rows.where(rows.flaw == place)
        flagged = float(of.flagged.mean()) if len(of.flaw) else float("nan")
        found.append((name, len(of.flaw), int(of.flagged.sum()), flagged))
    return Table("Readings by what is wrong with them", ("flaw", "readings", "flagged", "share"), found)
