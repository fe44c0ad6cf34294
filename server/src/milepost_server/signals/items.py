"""What wears or expires on a car, and after how much of what: schedules as data (``schedules/*.toml``).

An item is due at the first of its limits: distance, time, measured wear. Distance and time come in bands by
the age that the car had at the last service, because some change with age (a first inspection after four
years, then every two).
"""

from __future__ import annotations

import hashlib
import tomllib
from functools import cache
from importlib import resources
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from milepost_protocol.errors import UnknownSignalError
from milepost_protocol.signals import catalogue
from milepost_server.signals.errors import ScheduleError

METRES_PER_KM = 1_000.0
ITEMS_MAX = 40
BANDS_MAX = 10
AGE_MONTHS_MAX = 1_200

Key = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
Words = Annotated[str, Field(min_length=8, max_length=400)]
Kilometres = Annotated[float, Field(gt=0, le=1_000_000)]
Months = Annotated[int, Field(gt=0, le=240)]


def months_words(months: int) -> str:
    """``12 months``, ``18 months``, ``10 years``: from two years on, whole years are said as years."""
    years, rest = divmod(months, 12)
    if months == 1:
        return "1 month"
    return f"{months} months" if rest or years < 2 else f"{years} years"


class _Table(BaseModel):
    """A table of the file: unknown keys are errors, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Band(_Table):
    """The interval for cars that were ``from_months`` to below ``to_months`` old at the last service."""

    from_months: Annotated[int, Field(ge=0)] = 0
    to_months: Annotated[int, Field(gt=0, le=AGE_MONTHS_MAX)] | None = None
    distance_km: Kilometres | None = None
    time_months: Months | None = None
    source: Words

    @model_validator(mode="after")
    def _has_a_limit(self) -> Band:
        if self.distance_km is None and self.time_months is None:
            raise ValueError("has neither distance_km nor time_months; give one, or leave the interval out")
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
        return " or ".join(parts) + (", whichever comes first" if len(parts) == 2 else "")


class Wear(_Table):
    """A measured quantity that goes from ``new`` to ``limit``; each signal is a position on the car."""

    signals: Annotated[list[str], Field(min_length=1, max_length=8)]
    words: Words
    """The limit as people say it, for example ``pads 90 percent worn``."""
    new: float
    limit: float
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
            try:
                catalogue()[path]
            except UnknownSignalError as error:
                raise ValueError(str(error)) from None
        return self

    def worn(self, value: float) -> float:
        """How far a reading has come on the way from new (0) to the limit (1)."""
        return (value - self.new) / (self.limit - self.new)


class Item(_Table):
    """One thing that wears or expires."""

    key: Key
    title: Annotated[str, Field(min_length=2, max_length=60)]
    interval: Annotated[list[Band], Field(max_length=BANDS_MAX)] = []
    wear: Wear | None = None

    @model_validator(mode="after")
    def _covers_every_age_once(self) -> Item:
        if not self.interval and self.wear is None:
            raise ValueError("has no limit at all: give an interval, wear, or both")
        reached: int | None = 0
        for band in self.interval:
            if reached is None or band.from_months < reached:
                raise ValueError(f"intervals overlap at the age of {band.from_months} months")
            if band.from_months > reached:
                raise ValueError(f"intervals leave a hole from {reached} to {band.from_months} months of age")
            reached = band.to_months
        if self.interval and reached is not None:
            raise ValueError(f"intervals end at {reached} months of age; leave to_months out of the last one")
        return self

    def band_at(self, age_months: float) -> Band | None:
        """The interval for a car of this age at its last service; None where only wear counts."""
        for band in self.interval:
            if band.to_months is None or age_months < band.to_months:
                return band
        return None


class Schedule(_Table):
    """The items of one kind of car."""

    schema_version: Literal[1] = Field(alias="schema")
    powertrain: Literal["combustion", "hybrid", "ev"]
    title: Words
    item: Annotated[list[Item], Field(min_length=1, max_length=ITEMS_MAX)]

    @model_validator(mode="after")
    def _has_each_key_once(self) -> Schedule:
        seen: set[str] = set()
        for item in self.item:
            if item.key in seen:
                raise ValueError(f"item {item.key!r} stands twice")
            seen.add(item.key)
        return self

    def titles(self) -> dict[str, str]:
        """Title by key, in the order in which items are shown."""
        return {item.key: item.title for item in self.item}


def parse_schedule(text: str, name: str) -> Schedule:
    """Read a schedule; ``name`` is what errors call it.

    Raises:
        ScheduleError: no TOML, an unknown key, a hole or an overlap in the ages, an item without a limit.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScheduleError(name, f"is no TOML: {error}") from None
    try:
        return Schedule.model_validate(document)
    except ValidationError as error:
        raise ScheduleError(name, _first_problem(error, document)) from None


def _first_problem(error: ValidationError, document: dict[str, object]) -> str:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    place = problems[0]["loc"]
    words = [str(part) for part in place]
    items = document.get("item")
    if len(place) > 1 and place[0] == "item" and isinstance(items, list) and isinstance(place[1], int):
        entry = items[place[1]]
        words[0:2] = [f"item {entry.get('key', place[1] + 1) if isinstance(entry, dict) else place[1] + 1}"]
    message = problems[0]["msg"].removeprefix("Value error, ")
    if problems[0]["type"] == "extra_forbidden":
        message = "is not a key that schedules have; look for a typo"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{', '.join(words) or 'the file'}: {message}{more}"


@cache
def shipped() -> dict[str, Schedule]:
    """The generic schedules that come with the product, by powertrain."""
    return {schedule.powertrain: schedule for _, schedule in _shipped_files()}


@cache
def shipped_version() -> str:
    """A short name of the shipped schedules' content; part of the configuration version."""
    digest = hashlib.sha256()
    for text, _ in _shipped_files():
        digest.update(text.encode())
    return digest.hexdigest()[:8]


@cache
def _shipped_files() -> tuple[tuple[str, Schedule], ...]:
    folder = resources.files(__package__) / "schedules"
    files = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".toml")), key=lambda e: e.name
    )
    texts = [(entry.read_text(encoding="utf-8"), entry.name) for entry in files]
    return tuple((text, parse_schedule(text, name)) for text, name in texts)
