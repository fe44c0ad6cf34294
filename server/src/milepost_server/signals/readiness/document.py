"""The form of a model's document, and what is checked when one is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from milepost_server.signals.readiness.card import Card, Scale, Table
from milepost_server.signals.readiness.columns import BINS_MAX, Column
from milepost_server.signals.readiness.errors import ModelError
from milepost_server.signals.readiness.features import FEATURES, check

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT: Literal[1] = 1
TABLES_MAX = 60

Numbers = list[float]
Shares = list[Annotated[float, Field(gt=0, le=1)]]
Matrix = list[float] | list[list[float]]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Column(_Part):
    name: str
    edges: Annotated[list[float], Field(max_length=BINS_MAX)] = []
    levels: Annotated[list[str], Field(max_length=BINS_MAX)] = []


class _Table(_Part):
    features: Annotated[list[str], Field(min_length=1, max_length=2)]
    log_odds: Matrix
    points: list[int] | list[list[int]] | None = None


class _Later(_Part):
    base_log_odds: float
    tables: Annotated[list[_Table], Field(max_length=TABLES_MAX)]


class Calibration(_Part):
    """A reliability table."""

    rows: list[int]
    expected: Numbers
    observed: Numbers
    low: Numbers
    high: Numbers


class Reference(_Part):
    """Shares of bins where the model was learned."""

    columns: dict[str, Shares]
    points: Shares


class Document(_Part):
    """The whole document."""

    format: Literal[1]
    fitted: Literal["prior", "learned"]
    fitted_on: str | None
    rows: Annotated[int, Field(ge=0)]
    events: Annotated[int, Field(ge=0)]
    zero_log_odds: float
    points_per_log_odds: float
    base_log_odds: float
    base_points: int
    columns: list[_Column]
    tables: Annotated[list[_Table], Field(max_length=TABLES_MAX)]
    later: _Later
    calibration: Calibration | None
    reference: Reference | None
    sources: list[str]


def checked(content: Mapping[str, Any]) -> Document:
    """The document in its form.

    Raises:
        ModelError: it is no such document; says which part.
    """
    try:
        return Document.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "document"
        raise ModelError(where, first["msg"]) from error


def card_part(card: Card) -> dict[str, Any]:
    """The score's card as a part of the document."""
    return {
        "zero_log_odds": card.scale.zero_log_odds,
        "points_per_log_odds": card.scale.points_per_log_odds,
        "base_log_odds": card.base_log_odds,
        "base_points": card.base_points,
        "columns": [
            {"name": column.name, "levels": list(column.levels)}
            if column.levels
            else {"name": column.name, "edges": list(column.edges)}
            for column in card.columns
        ],
        "tables": tables_part(card, with_points=True),
    }


def tables_part(card: Card, *, with_points: bool = False) -> list[dict[str, Any]]:
    """The tables of a card as a part of the document."""
    return [
        {
            "features": [card.columns[place].name for place in table.columns],
            "log_odds": table.log_odds.tolist(),
            **({"points": points.tolist()} if with_points else {}),
        }
        for table, points in zip(card.tables, card.points, strict=True)
    ]


def cards(found: Document) -> tuple[Card, Card]:
    """The score's card and the one for later months.

    Raises:
        ModelError: they do not fit together, or points do not follow from log-odds.
        FeatureError: a column that no model may use.
    """
    check(column.name for column in found.columns)
    columns = tuple(
        column_of(column.name, tuple(column.edges), tuple(column.levels)) for column in found.columns
    )
    scale = Scale(found.zero_log_odds, found.points_per_log_odds)
    card = Card(columns, found.base_log_odds, _tables(found.tables, columns), scale)
    stated = [table.points for table in found.tables]
    if card.base_points != found.base_points or [whole.tolist() for whole in card.points] != stated:
        raise ModelError("points", "do not follow from its log-odds and scale: it was changed by hand")
    return card, Card(columns, found.later.base_log_odds, _tables(found.later.tables, columns), scale)


def column_of(name: str, edges: tuple[float, ...] = (), levels: tuple[str, ...] = ()) -> Column:
    """The column of a feature, with its words and its direction."""
    feature = FEATURES[name]
    return Column(name, feature.words, edges, levels, direction=feature.direction)


def _tables(found: list[_Table], columns: tuple[Column, ...]) -> tuple[Table, ...]:
    place = {column.name: number for number, column in enumerate(columns)}
    tables = []
    for table in found:
        strange = [name for name in table.features if name not in place]
        if strange:
            raise ModelError("tables", f"{', '.join(strange)} is not among its columns")
        try:
            log_odds = np.array(table.log_odds, dtype=np.float64)
        except ValueError as error:
            raise ModelError("tables", f"ragged log-odds of {table.features}") from error
        tables.append(Table(tuple(place[name] for name in table.features), log_odds))
    return tuple(tables)
