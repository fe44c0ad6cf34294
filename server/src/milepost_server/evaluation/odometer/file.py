"""A file of vehicle, date and odometer as clean histories, and the count of what was left out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.evaluation.columns import PLAIN, groups_of, read_columns
from milepost_server.evaluation.errors import EvaluationError
from milepost_server.signals.flat import Floats, Ints, offsets_of
from milepost_server.signals.odometer import OdometerReadings, OdometerRules, Verdict, clean_odometer
from milepost_server.signals.usage.rate import History

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from milepost_server.evaluation.columns import Columns, NumberFormat

METRES = {"km": 1_000.0, "mi": 1_609.344}
DATES_TOLERANCE_M = 0.0
"""Readings with a date may fall by the day's slack of the rules and no more."""


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """Which columns of a file hold what; either a date, or a year and a month."""

    vehicle: str
    odometer: str
    date: str | None = None
    year: str | None = None
    month: str | None = None
    group: str | None = None
    date_format: str | None = None
    numbers: NumberFormat = PLAIN

    def names(self) -> list[str]:
        """The columns that must be there."""
        named = (self.vehicle, self.group, self.odometer, *self._dates())
        return [name for name in named if name is not None]

    def days_of(self, table: Columns) -> Floats:
        """The dates (N) of a table, as days since 1970.

        Raises:
            EvaluationError: a date cannot be read, or no column of dates is named.
        """
        if self.date:
            return table.days(self.date, self.date_format)
        if self.year and self.month:
            return table.month_days(self.year, self.month)
        raise EvaluationError("say where the dates are: --date, or --year and --month")

    def _dates(self) -> tuple[str | None, ...]:
        return (self.date,) if self.date else (self.year, self.month)


@dataclass(frozen=True, slots=True)
class Fleet:
    """V vehicles of a file. A vehicle that stands in several groups is one in each."""

    keys: list[tuple[str, str]]  # (V) group, vehicle
    group_names: list[str]  # (G)
    group: Ints  # (V)
    history: History
    counts: dict[str, int]  # readings by what became of them


def read_fleet(path: Path, columns: ColumnMap, unit: str) -> Fleet:
    """The vehicles of a file, their odometers (``unit``: a key of ``METRES``) cleaned as the server does.

    Raises:
        EvaluationError: the file cannot be read, or nothing of it can be kept.
        OSError: it cannot be opened.
    """
    table = read_columns(path, columns.names())
    time_d = columns.days_of(table)
    metres = table.floats(columns.odometer, missing=True, written=columns.numbers) * METRES[unit]
    groups = table.words(columns.group) if columns.group else [""] * len(table)
    keys = list(zip(groups, table.words(columns.vehicle), strict=True))
    names = sorted(set(keys))
    places = {key: place for place, key in enumerate(names)}
    vehicle = np.array([places[key] for key in keys], dtype=np.int64)
    known = np.isfinite(metres)
    history, counts = _cleaned(vehicle[known], len(names), time_d[known], metres[known])
    if not known.all():
        counts["missing"] = int(np.count_nonzero(~known))
    if not len(history.time_d):
        raise EvaluationError(f"{path}: no odometer reading of it can be kept ({_said(counts)})")
    group_names, group = groups_of([name for name, _ in names])
    return Fleet(names, group_names, group, history, counts)


def _cleaned(vehicle: Ints, vehicles: int, time_d: Floats, metres: Floats) -> tuple[History, dict[str, int]]:
    order = np.lexsort((time_d, vehicle))
    readings = OdometerReadings(
        offsets=offsets_of(np.bincount(vehicle, minlength=vehicles).astype(np.int64)),
        time_d=time_d[order],
        odometer_m=metres[order],
        trusted=np.ones(len(order), dtype=np.bool_),
        plausible=np.ones(len(order), dtype=np.bool_),
        tolerance_m=np.full(len(order), DATES_TOLERANCE_M),
    )
    # A file may be older than any gateway.
    rules = replace(OdometerRules(), time_min_d=-np.inf)
    clean = clean_odometer(readings, float(np.max(time_d, initial=0.0)), rules)
    words = {verdict.word: int(np.count_nonzero(clean.verdict == verdict)) for verdict in Verdict}
    history = History(clean.offsets, clean.time_d, clean.continuous_m())
    return history, {word: count for word, count in words.items() if count}


def _said(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{word}: {count}" for word, count in counts.items()) or "it has no rows"
