"""A scenario: all that makes a history what it is, as one document, which always gives the same history."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from milepost_simulator.errors import ScenarioError
from milepost_simulator.world.broker import Manners
from milepost_simulator.world.car import Script
from milepost_simulator.world.ingest import Pace

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that happens ``at_s`` seconds after the beginning; ``kind`` is a row of ``faults.FAULTS``."""

    at_s: float
    kind: str
    args: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One history before it is played.

    Attributes:
        seed: all chances that the document leaves open follow from it.
        duration_s: how long faults last; then calm, and everything has to arrive.
        settings: of the agent, by section, as in its configuration file.
        buffer_bytes_max: byte cap of the buffer, also below what a configuration may say; 0: its default.
        disk_bytes_max: size of the disk.
        has_rtc: whether the wall clock outlives a power cut.
        is_synced: whether a time service keeps the clock from the beginning.
    """

    seed: int
    duration_s: float = 120.0
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    buffer_bytes_max: int = 0
    disk_bytes_max: int = 1 << 30
    script: Script = field(default_factory=Script)
    pace: Pace = field(default_factory=Pace)
    manners: Manners = field(default_factory=Manners)
    network_delay_s: tuple[float, float] = (0.02, 0.08)
    has_rtc: bool = True
    is_synced: bool = True
    faults: tuple[Fault, ...] = ()


def to_document(scenario: Scenario) -> dict[str, Any]:
    """The scenario as JSON and TOML can hold it."""
    document: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(scenario)))
    return document


def from_document(document: Mapping[str, Any], name: str = "") -> Scenario:
    """The scenario that ``document`` describes; what it leaves out has its default.

    Raises:
        ScenarioError: it has what no scenario has.
    """
    try:
        parts = dict(document)
        made: dict[str, Any] = {
            key: kind(**_tupled(parts.pop(key)))
            for key, kind in (("script", Script), ("pace", Pace), ("manners", Manners))
            if key in parts
        }
        faults = tuple(Fault(**fault) for fault in parts.pop("faults", ()))
        return Scenario(**_tupled(parts), **made, faults=faults)
    except TypeError as error:
        raise ScenarioError(name, str(error)) from error


def _tupled(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
