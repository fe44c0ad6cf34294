"""A dealer's subscription plans: files with what a year costs, and how many kilometres that pays for.

A plan may change from a day on: its name then stands several times, each with the days that it holds. As of a
past day, the plans of that day count.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from milepost_server.signals.errors import DataFileError
from milepost_server.signals.flat import METRES_PER_KM, Floats

PLANS_MAX = 12
"""Plans that hold on one day, of all of a dealer's files together."""
TERMS_MAX = 100
"""Entries in one file."""
FILE_BYTES_MAX = 64 * 1024
MINOR_PER_MAIN = 100.0


class PlanTerms(BaseModel):
    """What a plan is from one day to another; prices in the main unit of the dealer's currency."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=60)]
    first_day: Annotated[dt.date, Field(alias="from", strict=True)] = dt.date.min
    last_day: Annotated[dt.date, Field(alias="until", strict=True)] = dt.date.max
    km_per_year: Annotated[float, Field(ge=0, le=500_000, strict=True)]
    price_per_year: Annotated[float, Field(ge=0, le=10_000_000, strict=True)]
    price_per_extra_km: Annotated[float, Field(ge=0, le=1_000, strict=True)]

    @field_validator("name")
    @classmethod
    def _can_be_read(cls, name: str) -> str:
        if name != name.strip() or not name.isprintable():
            raise ValueError("has space around it, or signs that cannot be printed")
        return name

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> PlanTerms:
        if self.last_day < self.first_day:
            raise ValueError(f"ends on {self.last_day}, before it begins on {self.first_day}")
        return self


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = Field(alias="schema")
    plan: Annotated[list[PlanTerms], Field(min_length=1, max_length=TERMS_MAX)]


@dataclass(frozen=True, slots=True)
class Plans:
    """P plans that hold on one day; money in minor units."""

    names: tuple[str, ...]
    allowance_m: Floats  # (P) a year
    price: Floats  # (P) a year
    price_per_m: Floats  # (P) beyond the allowance

    def cost(self, metres: Floats) -> Floats:
        """What a year of ``metres`` (Q) costs in each plan: (Q, P)."""
        beyond = np.maximum(metres[:, None] - self.allowance_m, 0.0)
        return self.price + beyond * self.price_per_m


@dataclass(frozen=True, slots=True)
class PriceList:
    """All of a dealer's plans; equal ones have equal representations."""

    terms: tuple[PlanTerms, ...] = ()

    def on(self, day: dt.date) -> Plans:
        """The plans that hold on a day, in the order of the files."""
        held = [terms for terms in self.terms if terms.first_day <= day <= terms.last_day]
        return Plans(
            tuple(terms.name for terms in held),
            np.array([terms.km_per_year for terms in held]) * METRES_PER_KM,
            np.array([terms.price_per_year for terms in held]) * MINOR_PER_MAIN,
            np.array([terms.price_per_extra_km for terms in held]) * MINOR_PER_MAIN / METRES_PER_KM,
        )


def parse_plans(text: str, name: str) -> tuple[PlanTerms, ...]:
    """Read a file of plans; ``name`` is what errors call it.

    Raises:
        DataFileError: no TOML, an unknown key, a number out of bounds.
    """
    if len(text.encode()) > FILE_BYTES_MAX:
        raise DataFileError(name, "", f"is longer than {FILE_BYTES_MAX} bytes")
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataFileError(name, "", f"is no TOML: {error}") from None
    try:
        return tuple(_File.model_validate(document).plan)
    except ValidationError as error:
        raise DataFileError(name, *_first_problem(error, document)) from None


def price_list(files: Mapping[str, tuple[PlanTerms, ...]]) -> PriceList:
    """All plans of a dealer's files, by the name of each.

    Raises:
        DataFileError: days of one plan that overlap or leave a hole, a name in two files, too many plans on
            one day.
    """
    home: dict[str, str] = {}
    for file, terms in files.items():
        for name in dict.fromkeys(each.name for each in terms):
            if (other := home.setdefault(name, file)) != file:
                raise DataFileError(file, f"plan {name}", f"stands in {other}, too; put it into one file")
            _check_days(file, name, [each for each in terms if each.name == name])
    found = PriceList(tuple(each for terms in files.values() for each in terms))
    for day in sorted({each.first_day for each in found.terms}):
        if len(held := found.on(day).names) > PLANS_MAX:
            last = held[PLANS_MAX]
            raise DataFileError(home[last], f"plan {last}", f"is one too many; {PLANS_MAX} may hold at once")
    return found


def _check_days(file: str, name: str, terms: list[PlanTerms]) -> None:
    for before, after in pairwise(sorted(terms, key=lambda each: each.first_day)):
        if after.first_day <= before.last_day:
            when = "at once" if after.first_day == dt.date.min else f"on {after.first_day}"
            raise DataFileError(file, f"plan {name}", f"two entries hold {when}; say from and until in each")
        if after.first_day.toordinal() != before.last_day.toordinal() + 1:
            hole = f"entries leave a hole after {before.last_day}, until {after.first_day}"
            raise DataFileError(file, f"plan {name}", hole)


def _first_problem(error: ValidationError, document: dict[str, Any]) -> tuple[str, str]:
    """Where in the file, and what is wrong there."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    # A misspelt key leaves the right one out: of the two problems, the typo says more.
    first = next((each for each in problems if each["type"] == "extra_forbidden"), problems[0])
    place = first["loc"]
    words = [str(part) for part in place]
    if len(place) > 1 and place[0] == "plan" and isinstance(place[1], int):
        entry = document["plan"][place[1]]
        named = entry.get("name") if isinstance(entry, dict) else None
        words[0:2] = [f"plan {named if isinstance(named, str) and named.strip() else place[1] + 1}"]
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = "is not a key that plans have; look for a typo"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return ", ".join(words), f"{message}{more}"
