"""Runs the product's own derivation over a fleet: it learns from a part of it, then derives all of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_server.derivation.learning.knowledge import FleetSample, Knowledge
from milepost_server.derivation.steps.whole import Derived, derive
from milepost_server.evaluation.truth.inputs import told_before

if TYPE_CHECKING:
    from milepost_server.derivation.configuration import Configuration
    from milepost_server.derivation.fleet import Inputs
    from milepost_server.evaluation.truth.files import Part
    from milepost_server.signals.flat import Ints


@dataclass(frozen=True, slots=True)
class DerivedPart:
    """All of a part as of the beginning of the day ``as_of_d``."""

    as_of_d: float
    reading: Ints  # (N) which of the part's readings each odometer row is; -1 for a service record's
    inputs: Inputs
    results: Derived


class Deriver:
    """Derives a fleet as of one day. What is learned comes from the part that is asked for first.

    A part holds as many vehicles as a large dealer has: more would teach the same, and take longer.
    """

    def __init__(self, as_of_d: float, config: Configuration) -> None:
        self._as_of_d, self._config = as_of_d, config
        self._known: Knowledge | None = None

    def derive(self, part: Part) -> DerivedPart:
        """Derive a part on what was known before the day began."""
        chunk, reading = told_before(part, self._as_of_d, self._config)
        if self._known is None:
            sample = FleetSample(self._config, self._as_of_d, part.vehicles)
            sample.add(chunk)
            self._known = sample.knowledge()
        learned = self._known.of(chunk.vehicles)
        results = derive(chunk.inputs, learned, self._as_of_d, self._config)
        return DerivedPart(self._as_of_d, reading, chunk.inputs, results)
