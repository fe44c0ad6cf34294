"""The traction battery against its warranty: when its state of health reaches the limit, and who pays then.

The warranty ends at a date or a distance, whichever comes first; the limit is reached at a time of its own.
Both are uncertain, so the outcome is a probability, and a word for it.
"""

from __future__ import annotations

import enum
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from milepost_server.signals import gamma
from milepost_server.signals.ends import Ends, Place, first_of
from milepost_server.signals.errors import DataFileError
from milepost_server.signals.flat import DAYS_PER_MONTH, Floats, Ints
from milepost_server.signals.health.trend import DAYS_PER_YEAR, Trend, Usual, recent, spans, trend
from milepost_server.signals.usage.ahead import Ahead

WARRANTIES_MAX = 500
PERCENT_MAX = 128.0  # cars tell up to 104 when new; more is no reading
_Words = Annotated[str, Field(min_length=8, max_length=300)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PackWarranty(_Table):
    """What a maker warrants: the state of health stays above the limit until a time or a distance."""

    make: Annotated[str, Field(max_length=40, pattern=r"^[a-z0-9 -]*$")]
    """In small letters; empty for all makes."""
    limit_percent: Annotated[float, Field(gt=0, lt=100)]
    months: Annotated[int, Field(gt=0, le=240)]
    distance_km: Annotated[float, Field(gt=0, le=2_000_000)]
    source: _Words


class _UsualPack(_Table):
    slope_percent_per_year: Annotated[float, Field(ge=-50, le=0)]
    slope_sd_percent_per_year: Annotated[float, Field(gt=0, le=50)]
    noise_percent: Annotated[float, Field(gt=0, le=20)]
    source: _Words


class PackFacts(_Table):
    """Warranties, and what is usual."""

    schema_version: Literal[1] = Field(alias="schema")
    warranty: Annotated[list[PackWarranty], Field(min_length=1, max_length=WARRANTIES_MAX)]
    usual: _UsualPack

    def of(self, make: str) -> PackWarranty:
        """The warranty of cars of ``make``: the first entry of its own, else the generic one."""
        for entry in self.warranty:
            if entry.make in ("", make.casefold()):
                return entry
        raise AssertionError("checked at loading: the last entry is for all makes")


def parse_pack_facts(text: str, name: str) -> PackFacts:
    """Read a file of warranties; ``name`` is what errors call it.

    Raises:
        DataFileError: no TOML, an unknown key, a value out of bounds, no entry for all makes at the end.
    """
    try:
        facts = PackFacts.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise DataFileError(name, "", f"is no TOML: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise DataFileError(name, ", ".join(str(part) for part in first["loc"]), first["msg"]) from None
    if facts.warranty[-1].make:
        raise DataFileError(name, "warranty", 'the last entry must be for all makes: make = ""')
    return facts


@cache
def shipped_pack_facts() -> PackFacts:
    """The facts that come with the product."""
    name = "pack.toml"
    return parse_pack_facts((resources.files(__package__) / name).read_text(encoding="utf-8"), name)


class PackOutcome(enum.IntEnum):
    """What becomes of the warranty."""

    UNKNOWN = 0
    HOLDS = 1
    POSSIBLE = 2
    LIKELY = 3
    CLAIM = 4
    ENDED = 5


@dataclass(frozen=True, slots=True)
class PackRules:
    """The numbers behind traction batteries; part of the configuration version."""

    window_d: float = 1_826.0
    silent_d_max: float = 365.0
    readings_min: int = 2
    possible: float = 0.10  # from this probability on, a claim is possible
    likely: float = 0.50


@dataclass(frozen=True, slots=True)
class PackReadings:
    """State of health of V vehicles, N rows, rising in time within each vehicle."""

    offsets: Ints  # (V + 1)
    time_d: Floats  # (N)
    percent: Floats  # (N) NaN is passed over


@dataclass(frozen=True, slots=True)
class PackLimits:
    """The warranty of each of V vehicles; NaN where there is none or its start is not known."""

    percent: Floats  # (V)
    end_d: Floats  # (V)
    end_m: Floats  # (V) on the axis of the odometer

    def taken(self, vehicle: Ints) -> PackLimits:
        """The limits of ``vehicle`` (K)."""
        return PackLimits(self.percent[vehicle], self.end_d[vehicle], self.end_m[vehicle])


@dataclass(frozen=True, slots=True)
class Packs:
    """The traction batteries of V vehicles; NaN, -1 and UNKNOWN where too little is known."""

    outcome: Ints  # (V) a `PackOutcome`
    claim_odds: Floats  # (V) probability that the limit is reached while the warranty lasts
    level: Floats  # (V) percent today
    level_sd: Floats  # (V)
    slope_per_year: Floats  # (V) percent
    reach_d_p10: Floats  # (V) when the limit is reached, days since 1970: early; as_of where it is already
    reach_d_p50: Floats  # (V)
    reach_d_p90: Floats  # (V) late; as_of + HORIZON_D_MAX is "not foretold"
    reach_m_p10: Floats  # (V) the odometer then, of the date's uncertainty and the pace's
    reach_m_p50: Floats  # (V)
    reach_m_p90: Floats  # (V)
    warranty_end_d: Floats  # (V) most likely, date or distance, whichever comes first
    first_row: Ints  # (V) the readings that it rests on; -1 where none
    last_row: Ints  # (V)


def packs(
    readings: PackReadings,
    limits: PackLimits,
    place: Place,
    ahead: Ahead,
    as_of_d: float,
    *,
    facts: PackFacts,
    rules: PackRules,
) -> Packs:
    """Judge the traction batteries of V vehicles; those without readings or a warranty are UNKNOWN."""
    usual = facts.usual
    begin_d = np.full(len(limits.percent), as_of_d - rules.window_d)
    seen = recent(
        readings.offsets, readings.time_d, readings.percent, begin_d, as_of_d, value_max=PERCENT_MAX
    )
    line = trend(
        spans(seen, rules.window_d, PERCENT_MAX),
        Usual(
            usual.slope_percent_per_year, usual.slope_sd_percent_per_year, usual.noise_percent, PERCENT_MAX
        ),
    )
    enough = seen.count >= rules.readings_min
    known = enough & (seen.age_d[seen.last] <= rules.silent_d_max)
    told = seen.vehicle[known]
    outcome, columns = _say(
        line, limits.taken(seen.vehicle), place, seen.vehicle, ahead, as_of_d=as_of_d, rules=rules
    )

    outcomes = np.full(len(begin_d), PackOutcome.UNKNOWN, dtype=np.int64)
    evidence = np.full((2, len(begin_d)), -1, dtype=np.int64)
    numbers = np.full((len(columns), len(begin_d)), np.nan)
    outcomes[told] = outcome[known]
    evidence[:, told] = seen.row[seen.first[known]], seen.row[seen.last[known]]
    numbers[:, told] = [column[known] for column in columns]
    return Packs(outcomes, *numbers, *evidence)


def _say(
    line: Trend,
    limits: PackLimits,
    place: Place,
    vehicle: Ints,
    ahead: Ahead,
    *,
    as_of_d: float,
    rules: PackRules,
) -> tuple[Ints, list[Floats]]:
    """Outcome (K), and the columns claim_odds to warranty_end_d of `Packs`, of ``vehicle`` (K)."""
    limited = np.isfinite(limits.percent)
    days = [
        np.where(limited, line.days_until(limits.percent, z), np.nan)
        for z in (gamma.Z10, gamma.Z50, gamma.Z90)
    ]
    ends = first_of(limits.end_d, limits.end_m, place, vehicle, ahead, as_of_d=as_of_d)
    odds = _claim_odds(line, limits.percent, ends)
    today = np.zeros(len(vehicle))
    outcome = _outcome(line.mean(today), odds, limits.percent, ends.p50_d, rules)

    def there(date: int, pace: float) -> Floats:
        since_d = np.maximum(as_of_d + days[date] - place.time_d[vehicle], 0.0)
        metres = ahead.metres_in(vehicle, np.nan_to_num(since_d), pace)
        return np.where(np.isnan(since_d), np.nan, place.odometer_m[vehicle] + metres)

    reach_m = there(1, gamma.Z50)
    return outcome, [
        odds,
        line.mean(today),
        line.sd(today),
        line.slope_per_d * DAYS_PER_YEAR,
        *(as_of_d + day for day in days),
        reach_m - _both(reach_m, there(0, gamma.Z50), there(1, gamma.Z10)),
        reach_m,
        reach_m + _both(reach_m, there(2, gamma.Z50), there(1, gamma.Z90)),
        as_of_d + ends.p50_d,
    ]


def _claim_odds(line: Trend, percent: Floats, ends: Ends) -> Floats:
    """The probability (V) that the limit is reached before the warranty ends."""
    return sum(
        (
            weight * np.where(end > 0, line.odds_below(percent, np.maximum(end, 0.0)), 0.0)
            for weight, end in ends.points
        ),
        np.zeros(len(percent)),
    )


def _outcome(today: Floats, odds: Floats, percent: Floats, end_d: Floats, rules: PackRules) -> Ints:
    outcome = np.select(
        [end_d <= 0, today < percent, odds >= rules.likely, odds >= rules.possible],
        [PackOutcome.ENDED, PackOutcome.CLAIM, PackOutcome.LIKELY, PackOutcome.POSSIBLE],
        PackOutcome.HOLDS,
    )
    sayable = np.isfinite(percent) & np.isfinite(end_d)
    return np.where(sayable, outcome, PackOutcome.UNKNOWN).astype(np.int64)


def _both(middle: Floats, first: Floats, second: Floats) -> Floats:
    """How far two independent causes take a value off its ``middle`` together."""
    return np.hypot(first - middle, second - middle)


def pack_limits(
    warranties: Sequence[PackWarranty], which: Ints, in_service_d: Floats, in_service_m: Floats
) -> PackLimits:
    """The limits of V vehicles: ``which`` (V) of the warranties each has, and where it began.

    All is NaN where the date of that is not known: the date may have ended the warranty long ago.
    """
    months = np.array([entry.months for entry in warranties], dtype=np.float64)[which]
    distance_m = np.array([entry.distance_km for entry in warranties], dtype=np.float64)[which] * 1_000.0
    percent = np.array([entry.limit_percent for entry in warranties], dtype=np.float64)[which]
    return PackLimits(
        np.where(np.isfinite(in_service_d), percent, np.nan),
        in_service_d + months * DAYS_PER_MONTH,
        np.where(np.isfinite(in_service_d), in_service_m + distance_m, np.nan),
    )
