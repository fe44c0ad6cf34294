"""What is believed before there are outcomes: published figures and careful guesses, as a model.

The numbers are data (``priors.toml``), each with its source. The model is marked as a prior wherever it is
shown, and gives way as outcomes come in.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from milepost_server.signals.flat import Floats
from milepost_server.signals.readiness.card import Card, Scale, Table
from milepost_server.signals.readiness.columns import Column
from milepost_server.signals.readiness.document import column_of
from milepost_server.signals.readiness.errors import ModelError
from milepost_server.signals.readiness.features import check
from milepost_server.signals.readiness.model import Scorecard
from milepost_server.signals.readiness.penalty import Penalties

USUAL_MONTHS_NEW = 71.4
USUAL_MONTHS_USED = 49.9
"""How long owners keep a car: R. L. Polk & Co., 21 February 2012."""
FLAG_LEVELS = ("no", "yes")

Odds = Annotated[float, Field(gt=0, le=1_000)]
Chance = Annotated[float, Field(gt=0, lt=1)]
Words = Annotated[str, Field(min_length=8, max_length=400)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Sourced(_Part):
    basis: Literal["published", "assumption"]
    source: Words


class _Base(_Sourced):
    monthly_hazard: Chance


class _Scale(_Part):
    zero_monthly_hazard: Chance
    points_per_log_odds: Annotated[float, Field(gt=0)]


class _Firmness(_Part):
    base: float
    ridge: float
    fused: float
    pair_ridge: float
    pair_fused: float


class _Feature(_Sourced):
    name: str
    edges: list[float] = []
    odds: list[Odds]
    unknown_odds: Odds


class _Pair(_Sourced):
    features: tuple[str, str]
    odds: list[list[Odds]]


class _Later(_Part):
    odds: Odds
    table: list[_Pair] = []


class _Priors(_Part):
    base: _Base
    scale: _Scale
    firmness: _Firmness
    feature: Annotated[list[_Feature], Field(min_length=1)]
    pair: list[_Pair] = []
    later: _Later


def read(text: str) -> tuple[Scorecard, Penalties]:
    """The model of priors in TOML, and how firmly to believe it once outcomes come in.

    Raises:
        ModelError: it cannot be used; says which part.
        FeatureError: it names a column that no model may use.
    """
    try:
        found = _Priors.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ModelError("priors", f"not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise ModelError("priors, " + ".".join(str(part) for part in first["loc"]), first["msg"]) from error
    check(feature.name for feature in found.feature)
    columns = tuple(_column(feature) for feature in found.feature)
    place = {column.name: number for number, column in enumerate(columns)}
    singles = [
        Table((number,), _single(feature, column))
        for number, (feature, column) in enumerate(zip(found.feature, columns, strict=True))
    ]
    scale = Scale(_log_odds(found.scale.zero_monthly_hazard), found.scale.points_per_log_odds)
    pairs = [_pair(pair, columns, place) for pair in found.pair]
    card = Card(columns, _log_odds(found.base.monthly_hazard), (*singles, *pairs), scale)
    later = Card(
        columns,
        float(np.log(found.later.odds)),
        tuple(_pair(pair, columns, place, directed=False) for pair in found.later.table),
        scale,
    )
    sources = (found.base, *found.feature, *found.pair, *found.later.table)
    said = tuple(dict.fromkeys(f"{each.basis}: {each.source}" for each in sources))
    return Scorecard(card, later, sources=said), Penalties(**found.firmness.model_dump())


@cache
def shipped() -> tuple[Scorecard, Penalties]:
    """The priors that come with the product."""
    return read(resources.files(__package__).joinpath("priors.toml").read_text(encoding="utf-8"))


def _column(feature: _Feature) -> Column:
    if feature.edges:
        return column_of(feature.name, tuple(feature.edges))
    return column_of(feature.name, levels=FLAG_LEVELS)


def _single(feature: _Feature, column: Column) -> Floats:
    if len(feature.odds) != column.known_bins:
        raise ModelError(feature.name, f"has odds for {len(feature.odds)} of {column.known_bins} bins")
    _against(feature.name, column.direction * np.diff(feature.odds))
    log_odds: Floats = np.log(np.array([*feature.odds, feature.unknown_odds], dtype=np.float64))
    return log_odds


def _pair(pair: _Pair, columns: tuple[Column, ...], place: dict[str, int], *, directed: bool = True) -> Table:
    name = " & ".join(pair.features)
    check(pair.features)
    if strange := [feature for feature in pair.features if feature not in place]:
        raise ModelError(name, f"{', '.join(strange)} has no odds of its own")
    where = (place[pair.features[0]], place[pair.features[1]])
    shape = (columns[where[0]].known_bins, columns[where[1]].known_bins)
    if [len(row) for row in pair.odds] != [shape[1]] * shape[0]:
        raise ModelError(name, f"needs {shape[0]} rows of {shape[1]} odds")
    if directed:
        for axis, number in enumerate(where):
            _against(name, columns[number].direction * np.diff(np.array(pair.odds), axis=axis))
    table = np.zeros((shape[0] + 1, shape[1] + 1))  # what is not known changes nothing
    table[:-1, :-1] = np.log(np.array(pair.odds))
    return Table(where, table)


def _against(name: str, steps: Floats) -> None:
    if (steps < 0).any():
        raise ModelError(name, "has odds that run against the direction of the feature")


def _log_odds(chance: float) -> float:
    return float(np.log(chance) - np.log1p(-chance))
