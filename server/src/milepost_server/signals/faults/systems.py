"""What each trouble code is about, and how soon a person has to act on it: one table of all codes.

The table is made from ``systems.toml``, ranges of codes with a system, an urgency and its reason in words.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from milepost_server.signals.errors import DataFileError
from milepost_server.signals.faults.codes import CODES, NO_CODE, encode
from milepost_server.signals.flat import Ints

SYSTEMS_MAX = 100
RANGES_MAX = 1_000
URGENCIES = ("P0", "P1", "P2", "P3")

_Key = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]
_Words = Annotated[str, Field(min_length=3, max_length=200)]
_Urgency = Literal["P0", "P1", "P2", "P3"]


class System(BaseModel):
    """A system of the car, and what a confirmed fault of it asks for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: _Key
    part: Literal["powertrain", "chassis", "body", "network"]
    words: _Words
    urgency: _Urgency
    reason: _Words


class _Range(BaseModel):
    """Codes from the first to the last, both included; without an urgency or reason, the system's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    codes: tuple[str, str]
    system: _Key
    urgency: _Urgency | None = None
    reason: _Words | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = Field(alias="schema")
    system: Annotated[list[System], Field(min_length=1, max_length=SYSTEMS_MAX)]
    range: Annotated[list[_Range], Field(min_length=1, max_length=RANGES_MAX)]


@dataclass(frozen=True, slots=True)
class CodeTable:
    """System, urgency and reason of every code: three arrays to look up whole fleets in."""

    system: Ints  # (CODES) place in ``systems``
    urgency: Ints  # (CODES) 0 for P0 .. 3 for P3
    reason: Ints  # (CODES) place in ``reasons``
    systems: tuple[System, ...]
    reasons: tuple[str, ...]

    def of(self, code: int) -> System:
        """The system of one code."""
        return self.systems[int(self.system[code])]


def parse_systems(text: str, name: str) -> CodeTable:
    """Read a table of systems; ``name`` is what errors call it.

    Raises:
        DataFileError: no TOML, a range that is none or of an unknown system, or a code without a system.
    """
    try:
        file = _File.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise DataFileError(name, "", f"is no TOML: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise DataFileError(name, ", ".join(str(part) for part in first["loc"]), first["msg"]) from None
    return _Painter(file, name).table()


class _Painter:
    """Lays the ranges of a file over each other."""

    def __init__(self, file: _File, name: str) -> None:
        self._file = file
        self._name = name
        self._reasons: dict[str, int] = {}

    def table(self) -> CodeTable:
        systems = {system.key: place for place, system in enumerate(self._file.system)}
        if len(systems) < len(self._file.system):
            raise DataFileError(self._name, "system", "two systems have the same key")
        columns = np.full((3, CODES), NO_CODE, dtype=np.int64)
        for number, entry in enumerate(self._file.range, start=1):
            first, last = (int(code) for code in encode(entry.codes))
            if NO_CODE in (first, last) or first > last:
                raise DataFileError(self._name, f"range {number}", f"{entry.codes} is no range of codes")
            if entry.system not in systems:
                raise DataFileError(self._name, f"range {number}", f"there is no system {entry.system!r}")
            system = self._file.system[systems[entry.system]]
            urgency = URGENCIES.index(entry.urgency or system.urgency)
            reason = self._reasons.setdefault(entry.reason or system.reason, len(self._reasons))
            columns[:, first : last + 1] = [[systems[entry.system]], [urgency], [reason]]
        if (columns == NO_CODE).any():
            raise DataFileError(self._name, "range", "some codes are in no range")
        system_of, urgency_of, reason_of = columns
        return CodeTable(system_of, urgency_of, reason_of, tuple(self._file.system), tuple(self._reasons))


@cache
def shipped_systems() -> CodeTable:
    """The table that comes with the product."""
    name = "systems.toml"
    return parse_systems((resources.files(__package__) / name).read_text(encoding="utf-8"), name)
