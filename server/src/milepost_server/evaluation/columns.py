"""Any CSV file as columns; what cannot be read is named by file, line and column."""

from __future__ import annotations

import csv
import datetime as dt
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from milepost_server.evaluation.errors import ColumnError, EvaluationError, ValueInRowError
from milepost_server.signals.flat import Floats, Ints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

ROWS_MAX = 20_000_000
"""More rows than this are refused: they would not fit into the memory of a small machine."""
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})
"""Cells that say nothing, in lower case."""
NumberFormat = Literal["1234.5", "1,234.5", "1.234,5"]
"""How numbers are written, by an example: the mark between thousands, if any, and the decimal mark."""
PLAIN: NumberFormat = "1234.5"
_MARKS: dict[NumberFormat, tuple[str, str]] = {"1,234.5": (",", "."), "1.234,5": (".", ",")}
_THOUSANDS = " '\u2019\u00a0\u202f"  # besides the mark: blanks and apostrophes, as some countries write them
_DELIMITERS = ",;\t|"
_EPOCH = dt.date(1970, 1, 1).toordinal()
_EPOCH_UTC = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Columns:
    """The wanted columns of one file: N cells each, as they stand there."""

    path: Path
    line: list[int]  # (N) where the row ends in the file, counted from 1
    cells: dict[str, list[str]]

    def __len__(self) -> int:
        return len(self.line)

    def words(self, name: str) -> list[str]:
        """The cells (N) without the blanks around them."""
        return [cell.strip() for cell in self.cells[name]]

    def floats(self, name: str, *, missing: bool = False, written: NumberFormat = PLAIN) -> Floats:
        """Numbers (N); NaN for cells that say nothing, where ``missing`` allows them.

        Raises:
            ValueInRowError: a cell is not a finite number.
        """
        wanted = f"a number written like {written}"
        values = self._each(name, lambda cell: number(cell, written), wanted, missing=missing)
        return np.array(values, dtype=np.float64)

    def days(self, name: str, date_format: str | None = None) -> Floats:
        """Dates (N) as days since 1970: ISO dates or times, or ``date_format`` as in strptime.

        A time of day is a part of its day: in UTC where it has a zone, as it stands where it has none.

        Raises:
            ValueInRowError: a cell is not such a date.
        """

        def read(cell: str) -> float:
            when = (
                dt.datetime.strptime(cell, date_format)  # noqa: DTZ007
                if date_format
                else dt.datetime.fromisoformat(cell)
            )
            utc = when.replace(tzinfo=dt.UTC) if when.tzinfo is None else when.astimezone(dt.UTC)
            return (utc - _EPOCH_UTC) / dt.timedelta(days=1)

        hint = "" if date_format else "; --date-format names another, such as %d.%m.%Y"
        return np.array(self._each(name, read, f"a date ({date_format or 'YYYY-MM-DD'}){hint}"))

    def month_days(self, year: str, month: str) -> Floats:
        """The first day of the month (N) that two columns name, as days since 1970.

        Raises:
            ValueInRowError: one of them is not a year or a month.
        """
        years = self._each(year, lambda cell: _whole(cell, 1, 9999), "a year")
        months = self._each(month, lambda cell: _whole(cell, 1, 12), "a month (1 to 12)")
        pairs = zip(years, months, strict=True)
        return np.array([float(dt.date(int(y), int(m), 1).toordinal() - _EPOCH) for y, m in pairs])

    def _each(
        self, name: str, read: Callable[[str], float], wanted: str, *, missing: bool = False
    ) -> list[float]:
        values = []
        for line, cell in zip(self.line, self.cells[name], strict=True):
            word = cell.strip()
            if missing and word.lower() in MISSING:
                values.append(math.nan)
                continue
            try:
                values.append(read(word))
            except (ValueError, OverflowError) as error:
                raise ValueInRowError(self.path, line, name, cell, wanted) from error
        return values


def number(cell: str, written: NumberFormat = PLAIN) -> float:
    """The finite number that a cell holds.

    Raises:
        ValueError: it holds none, or one that is written in another way.
    """
    if written != PLAIN:
        thousands, decimal = _MARKS[written]
        between = f"[{re.escape(thousands + _THOUSANDS)}]"
        whole = rf"[1-9]\d{{0,2}}(?:{between}\d{{3}})+|\d*"
        if not re.fullmatch(rf"[+-]?(?:{whole})(?:{re.escape(decimal)}\d*)?(?:[eE][+-]?\d+)?", cell):
            raise ValueError(cell)
        cell = re.sub(between, "", cell).replace(decimal, ".")
    value = float(cell)
    if not math.isfinite(value):
        raise ValueError(cell)
    return value


def _whole(cell: str, low: int, high: int) -> float:
    value = int(cell)
    if not low <= value <= high:
        raise ValueError(cell)
    return float(value)


def read_columns(path: Path, names: Sequence[str] | None = None) -> Columns:
    """The columns ``names`` of a CSV file with a header line; all of them without names.

    Comma, semicolon, tab and bar are told apart by the header.

    Raises:
        ColumnError: there is no such column.
        EvaluationError: the file is empty, is not text, has ragged rows or more than ``ROWS_MAX``.
        OSError: it cannot be opened.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            first = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter=max(_DELIMITERS, key=_outside_quotes(first).count))
            header = [cell.strip() for cell in next(reader, [])]
            if not any(header):
                raise EvaluationError(f"{path} has no header line that names its columns")
            wanted = list(header if names is None else names)
            for name in wanted:
                if name not in header:
                    raise ColumnError(path, name, header)
                if header.count(name) > 1:
                    raise EvaluationError(f"{path} has more than one column {name!r}: rename or remove them")
            numbered = ((reader.line_num, row) for row in reader)
            line, rows = _rows(path, numbered, len(header), [header.index(name) for name in wanted])
        except (UnicodeDecodeError, csv.Error) as error:
            raise EvaluationError(f"{path} is not a CSV file in UTF-8: {error}; save it as UTF-8") from error
    return Columns(path, line, dict(zip(wanted, rows, strict=True)))


def _outside_quotes(line: str) -> str:
    return re.sub(r'"[^"]*"', "", line)


def _rows(
    path: Path, numbered: Iterable[tuple[int, list[str]]], width: int, places: list[int]
) -> tuple[list[int], list[list[str]]]:
    line: list[int] = []
    columns: list[list[str]] = [[] for _ in places]
    for number, row in numbered:
        if not row:
            continue
        if len(row) != width:
            raise EvaluationError(f"{path}, line {number}: {len(row)} cells where the header has {width}")
        if len(line) == ROWS_MAX:
            raise EvaluationError(f"{path} has more than {ROWS_MAX:,} rows; evaluate a part of it")
        line.append(number)
        for column, place in zip(columns, places, strict=True):
            column.append(row[place])
    return line, columns


def groups_of(words: Sequence[str]) -> tuple[list[str], Ints]:
    """The different words in order, and the place (N) of each word among them."""
    names = sorted(set(words))
    places = {name: place for place, name in enumerate(names)}
    return names, np.array([places[word] for word in words], dtype=np.int64)
