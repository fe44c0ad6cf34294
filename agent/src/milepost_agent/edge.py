"""The edge: accumulators and the sampler as one pure step, from what is read to what is stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from milepost_agent import paths
from milepost_agent.derive.brakes import MASS_KG, Brakes
from milepost_agent.derive.distance import Distance
from milepost_agent.derive.engine import Engine
from milepost_agent.derive.faults import Faults
from milepost_agent.derive.starts import Starts
from milepost_agent.derive.trips import Trips
from milepost_agent.derive.voltage import REST_S, Voltage
from milepost_agent.errors import EdgeStateError
from milepost_agent.readings import Reading
from milepost_agent.sampler import Rule, Sampler

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_agent.derive.accumulator import Accumulator

STATE_VERSION: Final = 1
DERIVED_FROM_OWN_NAME: Final = frozenset({paths.ODOMETER})
"""Read signals that an accumulator gives out again under the same name; only its word is sampled."""


@dataclass(frozen=True, slots=True)
class EdgeConfig:
    """What the edge has to be told about the car.

    ``anchor_odometer_m`` is the odometer reading that a person entered last, ``anchor_at`` says when (any
    text; another reading or another time anchors anew), ``anchor_sigma_m`` how far it may be off by now.
    ``vin`` is the VIN that a person entered, "" for none.
    ``profile`` holds the sampling rules of the collection profile that the owner agreed to; none by default.
    They hold once ``Edge.allow_profile`` was called, for as long as it said.
    """

    anchor_odometer_m: float | None = None
    anchor_at: str = ""
    anchor_sigma_m: float = 1_000.0
    mass_kg: float = MASS_KG
    rest_s: float = REST_S
    vin: str = ""
    profile: Mapping[str, Rule] = field(default_factory=lambda: MappingProxyType({}))


class Edge:
    """Feeds each reading to the accumulators that want it, and what they give to the sampler.

    Pure: the caller brings the time, and saves ``state`` together with the samples of each commit.
    """

    def __init__(self, config: EdgeConfig | None = None) -> None:
        config = EdgeConfig() if config is None else config
        self._accumulators: tuple[Accumulator, ...] = (
            Distance(config.anchor_odometer_m, config.anchor_at, config.anchor_sigma_m),
            Engine(),
            Starts(),
            Brakes(config.mass_kg),
            Voltage(config.rest_s),
            Faults(),
            Trips(),
        )
        self._by_input: dict[str, tuple[Accumulator, ...]] = {
            signal: tuple(a for a in self._accumulators if signal in a.inputs)
            for signal in frozenset().union(*(a.inputs for a in self._accumulators))
        }
        self._sampler = Sampler(profile=config.profile)
        self._entered_vin = config.vin
        self._overruled_vin = ""

    @property
    def refused(self) -> Mapping[str, int]:
        """Values outside the bounds of physics, counted by signal; they were not stored."""
        return MappingProxyType(self._sampler.refused)

    @property
    def withheld(self) -> int:
        """Readings that stay in the car because no collection profile names them."""
        return self._sampler.withheld

    def allow_profile(self, until_mono_s: float) -> None:
        """Sample by the collection profile what is read before ``until_mono_s``; -inf: not at all."""
        self._sampler.allow_profile(until_mono_s)

    def signals(self, mono_s: float) -> list[str]:
        """All signals that may be stored at ``mono_s``, if they are read or derived."""
        return self._sampler.signals(mono_s)

    def begin(self, mono_s: float) -> list[Reading]:
        """What is to be stored because of what a person entered; call it once, after ``restore``.

        An entered VIN counts until the car tells one of its own: two that differ would be taken for two cars
        at each start, and the anchor and the codes be thrown away.
        """
        if self._entered_vin in ("", self._overruled_vin):
            return []
        return self._take(Reading(paths.VIN, self._entered_vin, mono_s))

    def feed(self, reading: Reading) -> list[Reading]:
        """What is to be stored because of ``reading``, which was read from the car."""
        if reading.signal == paths.VIN:
            self._overruled_vin = self._entered_vin
        return self._take(reading)

    def _take(self, reading: Reading) -> list[Reading]:
        derived = [d for a in self._by_input.get(reading.signal, ()) for d in a.feed(reading)]
        if reading.signal in DERIVED_FROM_OWN_NAME:
            return self._sample(derived, reading.mono_s)
        return self._sample([reading, *derived], reading.mono_s)

    def tick(self, mono_s: float) -> list[Reading]:
        """What is to be stored because time has passed; call it about once a second."""
        derived = [d for a in self._accumulators for d in a.tick(mono_s)]
        return [*self._sample(derived, mono_s), *self._sampler.tick(mono_s)]

    def _sample(self, readings: list[Reading], mono_s: float) -> list[Reading]:
        samples = [s for reading in readings for s in self._sampler.feed(reading)]
        trip_ended = any(r.signal == paths.TRIP_IS_ONGOING and r.value is False for r in readings)
        return [*samples, *self._sampler.flush(mono_s)] if trip_ended else samples

    def state(self) -> dict[str, object]:
        """All counters, as JSON can hold them (a few kilobytes)."""
        return {
            "version": STATE_VERSION,
            "sampled": self._sampler.state(),
            "overruled_vin": self._overruled_vin,
            **{a.name: a.state() for a in self._accumulators},
        }

    def restore(self, state: Mapping[str, object]) -> None:
        """Take up what ``state`` gave, in an edge that was fed nothing yet.

        Accumulators that the saved state does not know yet begin at nothing.

        Raises:
            EdgeStateError: of a later version, or not what ``state`` gives; throw the edge away then.
        """
        version = state.get("version")
        if version != STATE_VERSION:
            raise EdgeStateError("edge", f"are of version {version!r}, this agent knows {STATE_VERSION}")
        for accumulator in self._accumulators:
            accumulator.restore(_part(state, accumulator.name))
        self._sampler.restore(_part(state, "sampled"))
        self._overruled_vin = str(state.get("overruled_vin", ""))


def _part(state: Mapping[str, object], name: str) -> Mapping[str, object]:
    part = state.get(name, {})
    if not isinstance(part, dict):
        raise EdgeStateError(name, f"are {str(part)[:64]!r}, not a table")
    return part
