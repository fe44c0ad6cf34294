"""What wears or expires on a car, and after how much of what: the items that schedules are made of.

An item is due at the first of its limits: distance, time, engine hours or revolutions, measured wear (oil
life is one), the car's own countdown. Intervals come in bands by the age that the car had at the last
service, because some change with age (a first inspection after four years, then every two).
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from milepost_protocol.errors import UnknownSignalError
from milepost_protocol.signals import catalogue

BANDS_MAX = 10
AGE_MONTHS_MAX = 1_200
WORN_SAID_MAX = 9.99

Key = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
Words = Annotated[str, Field(min_length=8, max_length=400)]
Kilometres = Annotated[float, Field(gt=0, le=1_000_000)]
Months = Annotated[int, Field(gt=0, le=240)]
Hours = Annotated[float, Field(gt=0, le=100_000)]
Revolutions = Annotated[float, Field(gt=0, le=1e11)]
Signals = Annotated[list[str], Field(min_length=1, max_length=8)]


def months_words(months: int) -> str:
    """``12 months``, ``18 months``, ``10 years``: from two years on, whole years are said as years."""
    years, rest = divmod(months, 12)
    if months == 1:
        return "1 month"
    return f"{months} months" if rest or years < 2 else f"{years} years"


def worn_words(worn: float) -> str:
    """A share of the way from new to the limit; a reading above that of a new part is no way at all."""
    return f"{min(max(0.0, worn), WORN_SAID_MAX):.0%}"


def position_words(signal: str) -> str:
    """Which wheel a signal is of, for example ``front left``; empty for one that is of no wheel."""
    row = re.search(r"\.Row(\d)\.", signal)
    side = re.search(r"\.(Left|Right)\.", signal)
    words = [{"1": "front", "2": "rear"}.get(row[1], f"row {row[1]}")] if row else []
    return " ".join([*words, side[1].lower()] if side else words)


class Table(BaseModel):
    """A table of the file: unknown keys are errors, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Band(Table):
    """The interval for cars that were ``from_months`` to below ``to_months`` old at the last service."""

    from_months: Annotated[int, Field(ge=0)] = 0
    to_months: Annotated[int, Field(gt=0, le=AGE_MONTHS_MAX)] | None = None
    distance_km: Kilometres | None = None
    time_months: Months | None = None
    engine_hours: Hours | None = None
    revolutions: Revolutions | None = None
    source: Words

    @model_validator(mode="after")
    def _has_a_limit(self) -> Band:
        limits = (self.distance_km, self.time_months, self.engine_hours, self.revolutions)
        if all(limit is None for limit in limits):
            raise ValueError(
                "has neither distance_km nor time_months, engine_hours or revolutions; "
                "give one, or leave the interval out"
            )
        if self.to_months is not None and self.to_months <= self.from_months:
            raise ValueError(f"ends at {self.to_months} months, before it begins at {self.from_months}")
        return self

    @property
    def words(self) -> str:
        """For example ``15,000 km or 12 months, whichever comes first``."""
        parts = []
        if self.distance_km is not None:
            parts.append(f"{self.distance_km:,.0f} km")
        if self.time_months is not None:
            parts.append(months_words(self.time_months))
        if self.engine_hours is not None:
            parts.append(f"{self.engine_hours:,.0f} engine hours")
        if self.revolutions is not None:
            parts.append(f"{self.revolutions / 1e6:,g} million revolutions")
        return " or ".join(parts) + (", whichever comes first" if len(parts) > 1 else "")


class Wear(Table):
    """A measured quantity that goes from ``new`` to ``limit``; each signal is a position on the car."""

    signals: Signals
    words: Words
    """The limit as people say it, for example ``pads 90 percent worn``."""
    new: float
    limit: float
    noise: Annotated[float, Field(gt=0)] | None = None
    """Standard deviation of one reading, in the signal's unit; a usual one where it is not said."""
    usual_km: tuple[Kilometres, Kilometres]
    """Within this distance from new to limit, 10 % and 90 % of cars have arrived."""
    source: Words

    @model_validator(mode="after")
    def _is_usable(self) -> Wear:
        if self.new == self.limit:
            raise ValueError("new and limit are the same value, so nothing wears")
        if self.usual_km[0] >= self.usual_km[1]:
            raise ValueError("usual_km must rise: the distance of 10 % of cars, then that of 90 %")
        for path in self.signals:
            unit_of(path)
        return self

    def worn(self, value: float) -> float:
        """How far a reading has come on the way from new (0) to the limit (1)."""
        return (value - self.new) / (self.limit - self.new)

    @property
    def noise_share(self) -> float | None:
        """The noise of a reading as a share of the way from new to the limit."""
        return None if self.noise is None else self.noise / abs(self.limit - self.new)


class Countdown(Table):
    """The car's own countdown to this item: signals in km or in seconds, negative when overdue."""

    signals: Signals
    source: Words

    @model_validator(mode="after")
    def _counts_down(self) -> Countdown:
        for path in self.signals:
            if (unit := unit_of(path)) not in ("km", "s"):
                raise ValueError(f"{path} is in {unit or 'no unit'}; a countdown is in km or s")
        return self

    @property
    def distances(self) -> list[str]:
        """The signals in km."""
        return [path for path in self.signals if unit_of(path) == "km"]

    @property
    def times(self) -> list[str]:
        """The signals in seconds."""
        return [path for path in self.signals if unit_of(path) == "s"]


def unit_of(path: str) -> str:
    """The unit of a signal of the catalogue; a `ValueError` that names it where there is no such signal."""
    try:
        return catalogue()[path].unit
    except UnknownSignalError as error:
        raise ValueError(str(error)) from None


def check_ages(bands: list[Band]) -> None:
    """Raise a `ValueError` where bands leave an age out, or cover one twice."""
    reached: int | None = 0
    for band in bands:
        if reached is None or band.from_months < reached:
            raise ValueError(f"intervals overlap at the age of {band.from_months} months")
        if band.from_months > reached:
            raise ValueError(f"intervals leave a hole from {reached} to {band.from_months} months of age")
        reached = band.to_months
    if bands and reached is not None:
        raise ValueError(f"intervals end at {reached} months of age; leave to_months out of the last one")


class Item(Table):
    """One thing that wears or expires."""

    key: Key
    title: Annotated[str, Field(min_length=2, max_length=60)]
    interval: Annotated[list[Band], Field(max_length=BANDS_MAX)] = []
    wear: Wear | None = None
    countdown: Countdown | None = None

    @model_validator(mode="after")
    def _covers_every_age_once(self) -> Item:
        if not self.interval and self.wear is None and self.countdown is None:
            raise ValueError("has no limit at all: give an interval, wear, or a countdown")
        check_ages(self.interval)
        return self

    def band_at(self, age_months: float) -> Band | None:
        """The interval for a car of this age at its last service; None where only wear counts."""
        for band in self.interval:
            if band.to_months is None or age_months < band.to_months:
                return band
        return None
