"""Runs the product's own derivation over a part of a fleet: it learns from the fleet, then it derives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_server.derivation.knowledge import FleetSample
from milepost_server.derivation.steps import Derived, derive
from milepost_server.evaluation.fleet.inputs import told_before

if TYPE_CHECKING:
    from milepost_server.derivation.configuration import Configuration
    from milepost_server.derivation.fleet import Inputs
    from milepost_server.evaluation.fleet.files import Part
    from milepost_server.signals.flat import Ints


@dataclass(frozen=True, slots=True)
class DerivedPart:
    """All of a part as of the beginning of the day ``as_of_d``."""

    as_of_d: float
    reading: Ints  # (N) which of the part's readings each odometer row is; -1 for a service record's
    inputs: Inputs
    results: Derived


def derive_part(part: Part, as_of_d: float, config: Configuration) -> DerivedPart:
    """Derive a part on what was known before the day ``as_of_d`` began; it is a fleet of its own."""
    chunk, reading = told_before(part, as_of_d, config)
    sample = FleetSample(config, as_of_d, part.vehicles)
    sample.add(chunk)
    learned = sample.knowledge().of(chunk.vehicles)
    return DerivedPart(as_of_d, reading, chunk.inputs, derive(chunk.inputs, learned, as_of_d, config))
