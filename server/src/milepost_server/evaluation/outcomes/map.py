"""The column map of a table of outcomes: which column is the label, what the others are, which stay out."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from milepost_server.evaluation.columns import PLAIN, NumberFormat
from milepost_server.evaluation.errors import EvaluationError
from milepost_server.signals.readiness.columns import BINS_MAX
from milepost_server.signals.readiness.persons import kept_out

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS_MAX = 150
DEFAULT_BINS = 20


class _Part(BaseModel):
    """A part of the file: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Label(_Part):
    """What is to be foretold."""

    column: str
    positive: str | int | float = 1


class MappedColumn(_Part):
    """One column that the card may use."""

    kind: Literal["amount", "category", "flag"] = "amount"
    direction: Literal[-1, 0, 1] = 0
    """+1: the score never falls as the value rises; -1: it never rises; 0: as outcomes say."""
    bins: Annotated[int, Field(ge=2, le=BINS_MAX)] | Literal["as given"] | list[float] = DEFAULT_BINS
    """How many quantiles; or each value that occurs; or the edges themselves."""
    words: str = ""
    of: Literal["vehicle", ""] = ""
    """Whose age it is, where the name leaves that open."""

    @model_validator(mode="after")
    def _fits(self) -> MappedColumn:
        if self.kind != "amount" and self.direction and self.kind == "category":
            raise ValueError("a category has no direction")
        if self.kind != "amount" and self.bins != DEFAULT_BINS:
            raise ValueError("bins are for amounts")
        return self


class OutcomeMap(_Part):
    """The whole file."""

    label: Label
    columns: Annotated[dict[str, MappedColumn], Field(min_length=1)]
    ignore: list[str] = []
    missing: list[str] = []
    """Words for what is not known, besides an empty cell, NA, NaN, null and none."""
    numbers: NumberFormat = PLAIN
    """How the file writes numbers."""
    pairs: list[tuple[str, str]] = []
    """Pairs of columns that have a table of their own in any case."""
    age: str | None = None
    """The column that holds the age of the car, for the baselines that go by it."""
    group: str | None = None
    """A column that names groups, such as dealers, by which results are told too; no column of the card."""

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> OutcomeMap:
        if len(self.columns) > COLUMNS_MAX:
            raise ValueError(
                f"describes {len(self.columns)} columns; at most {COLUMNS_MAX} can be used: list those"
                " that say least under ignore"
            )
        for name in (*(name for pair in self.pairs for name in pair), *([self.age] if self.age else [])):
            if name not in self.columns:
                raise ValueError(f"{name!r} is not among the columns")
        for a, b in self.pairs:
            if a == b:
                raise ValueError(f"a pair of {a!r} with itself")
        used = [self.label.column, *self.columns, *self.ignore, *([self.group] if self.group else [])]
        if twice := {name for name in used if used.count(name) > 1}:
            raise ValueError(f"named more than once: {', '.join(sorted(twice))}")
        return self

    @property
    def read(self) -> list[str]:
        """The columns that are read."""
        return [self.label.column, *self.columns, *([self.group] if self.group else [])]


def load_map(path: Path) -> OutcomeMap:
    """The map in a TOML file.

    Raises:
        EvaluationError: it is not such a map, or names a column that speaks of a person or a place.
        OSError: it cannot be read.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        found = OutcomeMap.model_validate(document)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise EvaluationError(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise EvaluationError(f"{path}: {where + ': ' if where else ''}{message}") from error
    for name, column in found.columns.items():
        if why := kept_out(name, of_vehicle=column.of == "vehicle"):
            raise EvaluationError(f"{path}: kept out: {name!r}: {why}; list it under ignore")
    return found
