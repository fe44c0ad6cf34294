"""Drafts a column map from a table: what each column seems to be and why, for a person to correct."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from milepost_server.evaluation.columns import MISSING, PLAIN, NumberFormat, number
from milepost_server.evaluation.errors import EvaluationError
from milepost_server.signals.readiness.columns import BINS_MAX
from milepost_server.signals.readiness.persons import kept_out

if TYPE_CHECKING:
    from milepost_server.evaluation.columns import Columns

ID_SHARE = 0.95
"""Words, or whole numbers, that differ in more than this share of the rows name the rows."""
ALMOST_MAX = 5
"""A column with so many values may have been meant as the outcome."""
_NO_VALUES = frozenset({"?", "-", "--", ".", "unknown", "missing", "n.a.", "#n/a", "undefined", "(null)"})
_YES = frozenset({"1", "yes", "y", "true", "t", "ja", "oui", "si", "sí", "sim"})
_LABELS = (
    "target label outcome event response y class churn churned repurchase repurchased purchase purchased "
    "bought buyer sold sale converted conversion renewed"
)
_CODES = "code model segment type class category make brand colour color kind plan"


@dataclass(frozen=True, slots=True)
class _Cells:
    """What is known of one column's cells."""

    name: str
    rows: int
    counts: Counter[str]  # of the cells that say something

    @property
    def values(self) -> int:
        return len(self.counts)

    @property
    def missing(self) -> int:
        return self.rows - self.counts.total()

    @property
    def words(self) -> set[str]:
        """The words of its name."""
        return set(re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", self.name).lower()))

    def numbers(self, written: NumberFormat) -> dict[str, float]:
        """The cells that are numbers written so."""
        found = {}
        for cell in self.counts:
            with contextlib.suppress(ValueError):
                found[cell] = number(cell, written)
        return found


def draft_map(columns: Columns, label: str | None = None) -> str:
    """The text of a map (TOML) with a guess and its reason for each column.

    Raises:
        EvaluationError: no rows; no column ``label``, or none given and none that must be it.
    """
    if not len(columns):
        raise EvaluationError(f"{columns.path} has a header, but no rows")
    missing = _missing_words(columns)
    known = [_cells(columns, name, MISSING | missing) for name in columns.cells]
    chosen = _label(known, label, str(columns.path))
    used, ignored = {}, {}
    written = _written([cells for cells in known if cells is not chosen])
    for cells in known:
        if cells is chosen:
            continue
        if why := _left_out(cells, written):
            ignored[cells.name] = why
        else:
            used[cells.name] = _described(cells, written)
    ages = [
        cells.name
        for cells in known
        if "age" in cells.words and "\nkind" not in used.get(cells.name, "\nkind")
    ]
    parts = [
        f"# Drafted from {columns.path.name} ({len(columns):,} rows). These are guesses: put right what"
        " is wrong.\n# docs/evaluate.md says what each key means.",
        *_listed("ignore", ignored, "Not used. To use one, describe it under columns instead."),
        *([f"missing = {_toml(sorted(missing))}"] if missing else []),
        *([f"numbers = {_toml(written)}"] if written != PLAIN else []),
        *([f"age = {_toml(ages[0])}  # for the baselines youngest first and oldest first"] if ages else []),
        _label_part(chosen),
        *(f"[columns.{_key(name)}]{text}" for name, text in used.items()),
    ]
    return "\n\n".join(parts) + "\n"


def _cells(columns: Columns, name: str, missing: frozenset[str]) -> _Cells:
    words = columns.words(name)
    return _Cells(name, len(words), Counter(word for word in words if word.lower() not in missing))


def _missing_words(columns: Columns) -> frozenset[str]:
    """The usual words for nothing that occur."""
    seen = {word.lower() for name in columns.cells for word in set(columns.words(name))}
    return frozenset(seen & _NO_VALUES)


def _label(known: list[_Cells], name: str | None, path: str) -> _Cells:
    if name is not None:
        for cells in known:
            if cells.name == name:
                return cells
        raise EvaluationError(f"{path} has no column {name!r}; it has: {', '.join(c.name for c in known)}")
    two = [cells for cells in known if cells.values == 2 and not cells.missing]
    named = [cells for cells in two if cells.words & set(_LABELS.split())]
    found = named if named else two
    if len(found) != 1:
        which = ", ".join(cells.name for cells in found) or "none: every column has more values, or fewer"
        if not found:
            which += _almost(known)
        raise EvaluationError(
            f"{path}: which column is the outcome? Name it with --label; columns with two values: {which}"
        )
    return found[0]


def _almost(known: list[_Cells]) -> str:
    """What keeps columns that are called like an outcome from being one."""
    return "".join(
        f"; {cells.name} has the values {_plain(', '.join(sorted(cells.counts)))}; cells that are empty:"
        f" {cells.missing:,}"
        for cells in known
        if cells.values <= ALMOST_MAX and cells.words & set(_LABELS.split())
    )


def _written(known: list[_Cells]) -> NumberFormat:
    """How the file writes numbers: as most of its columns can be read; the plain way of several."""
    formats: tuple[NumberFormat, ...] = get_args(NumberFormat)
    read = {
        each: sum(bool(cells.values) and len(cells.numbers(each)) == cells.values for cells in known)
        for each in formats
    }
    return max(formats, key=lambda each: read[each])


def _left_out(cells: _Cells, written: NumberFormat) -> str | None:
    """Why a column is not used, None where it is."""
    if why := kept_out(cells.name):
        return why
    if not cells.values:
        return "it is empty"
    if cells.values == 1 and not cells.missing:
        return "one value only"
    numbers = cells.numbers(written)
    counted = all(value.is_integer() for value in numbers.values())
    if counted and cells.values > max(ID_SHARE * cells.rows, BINS_MAX):
        return "another value in nearly every row: it names the row"
    if not numbers and all(_is_date(cell) for cell in cells.counts):
        return "dates; a column of the days or months since then could be used"
    return None


def _is_date(cell: str) -> bool:
    try:
        dt.datetime.fromisoformat(cell)
    except ValueError:
        return False
    return True


def _described(cells: _Cells, written: NumberFormat) -> str:
    """The part of a used column: a comment with what is in it, and the keys."""
    numbers = cells.numbers(written)
    share = f"; {cells.missing / cells.rows:.1%} missing" if cells.missing else ""
    amount = len(numbers) == cells.values and not cells.words & set(_CODES.split())
    if cells.values <= 2:
        two = " and ".join(sorted(cells.counts))
        return f'  # {_plain(two)}{share}\nkind = "flag"'
    if amount:
        low, high = min(numbers.values()), max(numbers.values())
        comment = f"  # {cells.values:,} values from {low:g} to {high:g}{share}"
        return comment + ('\nbins = "as given"' if cells.values <= BINS_MAX else "")
    comment = f"  # {cells.values:,} different words or codes{share}"
    if cells.values > BINS_MAX:
        comment += f"; the {BINS_MAX} most frequent are told apart, the others count as not known"
    strange = [cell for cell, _ in cells.counts.most_common() if cell not in numbers][:3]
    if strange and len(numbers) > cells.values / 2:
        comment += (
            f"; an amount but for {_plain(', '.join(strange))}: if that says nothing, list it in missing"
        )
    return comment + '\nkind = "category"'


def _listed(key: str, names: dict[str, str], comment: str) -> list[str]:
    if not names:
        return []
    lines = [f"    {_toml(name)},  # {_plain(why)}" for name, why in names.items()]
    return ["\n".join([f"# {comment}", f"{key} = [", *lines, "]"])]


def _label_part(cells: _Cells) -> str:
    values = sorted(cells.counts, key=lambda value: (value.lower() not in _YES, cells.counts[value]))
    positive = values[0] if values else ""
    share = cells.counts[positive] / max(cells.rows, 1)
    comment = f"{share:.2%} of the rows; the values are {_plain(', '.join(sorted(values)[:5]))}"
    return f"[label]\ncolumn = {_toml(cells.name)}\npositive = {_toml(positive)}  # {comment}"


def _toml(value: str | list[str]) -> str:
    """A TOML string, or an array of such."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml(name)


def _plain(words: str) -> str:
    """Words for a comment: nothing in them may end it."""
    return re.sub(r"[\x00-\x1f\x7f]", " ", words)[:200]
