"""From cells to rows of outcomes: labels, values, and the bins that the training rows suggest."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.evaluation.columns import MISSING, Columns, groups_of, read_columns
from milepost_server.evaluation.errors import ColumnError, EvaluationError, ValueInRowError
from milepost_server.signals.flat import Floats, Ints
from milepost_server.signals.readiness.columns import BINS_MAX, Column, midpoints, quantile_edges

if TYPE_CHECKING:
    from pathlib import Path

    from milepost_server.evaluation.outcomes.map import MappedColumn, OutcomeMap


@dataclass(frozen=True, slots=True)
class Rows:
    """N rows of one file, or of a part of it."""

    event: Floats  # (N) 0 or 1
    cells: dict[str, list[str]]  # of categories, flags and the group; "" for what is not known
    amounts: dict[str, Floats]  # (N) each; NaN for what is not known
    key: Ints  # (N) the same for rows that are copies: every column but the label holds the same

    def __len__(self) -> int:
        return len(self.event)

    @property
    def first(self) -> Ints:
        """The first row (N) that each row is a copy of; where nothing is copied, its own place."""
        _, first, place = np.unique(self.key, return_index=True, return_inverse=True)
        return first[place].astype(np.int64)

    def of(self, places: Ints) -> Rows:
        """Those at ``places``."""
        return Rows(
            self.event[places],
            {name: [words[place] for place in places.tolist()] for name, words in self.cells.items()},
            {name: values[places] for name, values in self.amounts.items()},
            self.key[places],
        )


def read_rows(path: Path, mapped: OutcomeMap) -> Rows:
    """The rows of a file.

    Raises:
        EvaluationError: no rows, or columns that the map says nothing of.
        ColumnError: a column of the map is not there.
        ValueInRowError: a cell of an amount is not a number; a label is missing.
    """
    columns = read_columns(path)
    for name in mapped.read:
        if name not in columns.cells:
            raise ColumnError(path, name, columns.cells)
    strange = [name for name in columns.cells if name not in {*mapped.read, *mapped.ignore}]
    if strange:
        named = ", ".join(name or repr(name) for name in strange)
        raise EvaluationError(
            f"{path}: the map says nothing of {named}; describe them under columns, or list them under ignore"
        )
    if not len(columns):
        raise EvaluationError(f"{path} has a header, but no rows")
    missing = MISSING | {word.strip().lower() for word in mapped.missing}
    known = {
        name: ["" if (word := cell.strip()).lower() in missing else word for cell in cells]
        for name, cells in columns.cells.items()
        if name in mapped.read
    }
    clean = Columns(path, columns.line, known)
    names = [name for name, column in mapped.columns.items() if column.kind == "amount"]
    amounts = {name: clean.floats(name, missing=True, written=mapped.numbers) for name in names}
    words = {name: [_whole(cell) for cell in known[name]] for name in mapped.read[1:] if name not in amounts}
    return Rows(_events(clean, mapped), words, amounts, _keys(columns, mapped.label.column))


def _keys(columns: Columns, label: str) -> Ints:
    """A number (N) made of all cells but the label, whatever the order of the columns."""
    cells = [columns.cells[name] for name in sorted(columns.cells) if name != label]
    # 64 bits: among millions of rows two different ones hardly ever share a number.
    return np.array([hash(row) for row in zip(*cells, strict=True)], dtype=np.int64)


def _whole(cell: str) -> str:
    """The code 3 also where a program, for the sake of missing ones, wrote all of them as 3.0."""
    return re.sub(r"^(-?\d+)\.0+$", r"\1", cell)


def _events(columns: Columns, mapped: OutcomeMap) -> Floats:
    name, positive = mapped.label.column, str(mapped.label.positive)
    cells = columns.cells[name]
    for line, cell in zip(columns.line, cells, strict=True):
        if not cell:
            raise ValueInRowError(columns.path, line, name, cell, "a label")
    wanted = {cell for cell in set(cells) if cell == positive or _same_number(cell, positive)}
    if not wanted:
        seen = ", ".join(repr(cell) for cell, _ in Counter(cells).most_common(5))
        raise EvaluationError(
            f"{columns.path}: {name} is never {positive!r}; it is {seen}: see label.positive"
        )
    events = np.array([cell in wanted for cell in cells], dtype=np.float64)
    if events.all():
        raise EvaluationError(f"{columns.path}: {name} is {positive!r} in every row: nothing to tell apart")
    return events


def _same_number(cell: str, positive: str) -> bool:
    try:
        return float(cell) == float(positive)
    except ValueError:
        return False


def split(rows: Rows, share: float, seed: int) -> tuple[Rows, Rows]:
    """Training and test rows by chance, with the same share of events in both; copies stay together."""
    rng = np.random.default_rng(seed)
    _, place = np.unique(rows.first, return_inverse=True)
    came = np.bincount(place, rows.event) > 0
    test = np.zeros(len(came), dtype=np.bool_)
    for kind in (~came, came):
        places = np.flatnonzero(kind)
        test[rng.permutation(places)[: round(share * len(places))]] = True
    return rows.of(np.flatnonzero(~test[place])), rows.of(np.flatnonzero(test[place]))


def columns_of(train: Rows, mapped: OutcomeMap) -> tuple[tuple[Column, ...], list[str]]:
    """The binned columns that the training rows suggest, and the names of those that say nothing.

    Raises:
        EvaluationError: a column has more values than bins "as given", a flag more than two.
    """
    found, silent = [], []
    for name, column in mapped.columns.items():
        words = column.words or name.replace("_", " ")
        if column.kind == "amount":
            edges = _edges(name, column, train.amounts[name])
            if edges:
                said = _bin_words(train.amounts[name], edges)
                found.append(Column(name, words, edges, bin_words=said, direction=column.direction))
        elif levels := _levels(name, column, train.cells[name]):
            found.append(Column(name, words, levels=levels, direction=column.direction))
        if not found or found[-1].name != name:
            silent.append(name)
    if not found:
        raise EvaluationError("no column has more than one value: nothing to learn from")
    return tuple(found), silent


def _edges(name: str, column: MappedColumn, values: Floats) -> tuple[float, ...]:
    if isinstance(column.bins, list):
        return tuple(column.bins)
    if isinstance(column.bins, int):
        return quantile_edges(values, column.bins)
    distinct = np.unique(values[np.isfinite(values)])
    if len(distinct) > BINS_MAX:
        raise EvaluationError(
            f'column {name!r} has {len(distinct)} values; bins = "as given" takes {BINS_MAX} at most:'
            " give a number of bins"
        )
    return midpoints(distinct)


def _bin_words(values: Floats, edges: tuple[float, ...]) -> tuple[str, ...]:
    """Each bin by the values that occur in it: ``5`` or ``6 to 8``; by its edges where none does."""
    bins = Column("values", "", edges)
    place = bins.bin_of(values)
    said = []
    for each in range(bins.known_bins):
        its = values[place == each]
        low, high = (f"{its.min():,g}", f"{its.max():,g}") if len(its) else ("", bins.said(each))
        said.append(high if low in ("", high) else f"{low} to {high}")
    return tuple(said)


def _levels(name: str, column: MappedColumn, cells: list[str]) -> tuple[str, ...]:
    """The levels in order; of a category with too many, the most frequent: the others count as not known."""
    counts = Counter(cell for cell in cells if cell)
    if column.kind == "flag" and len(counts) > 2:
        raise EvaluationError(f"column {name!r} is a flag, but has {len(counts)} values; call it a category")
    most = sorted(level for level, _ in counts.most_common(BINS_MAX))
    return tuple(most) if len(most) > 1 or (most and len(most) < len(set(cells))) else ()


def values_of(rows: Rows, columns: tuple[Column, ...]) -> dict[str, Floats]:
    """What each column's bins are made of: amounts, and the places of levels; NaN for what is not known."""
    values = {}
    for column in columns:
        if column.levels:
            place = {level: float(number) for number, level in enumerate(column.levels)}
            cells = rows.cells[column.name]
            values[column.name] = np.array([place.get(cell, np.nan) for cell in cells], dtype=np.float64)
        else:
            values[column.name] = rows.amounts[column.name]
    return values


def group_of(rows: Rows, mapped: OutcomeMap) -> tuple[list[str], Ints]:
    """Names of groups and the group (N) of each row; rows without one are of the group ``not known``."""
    cells = rows.cells[mapped.group] if mapped.group else [""] * len(rows)
    return groups_of([cell or "not known" for cell in cells])
