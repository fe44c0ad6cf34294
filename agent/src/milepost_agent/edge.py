"""The edge: accumulators and the sampler as one pure step, from what is read to what is stored."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from milepost_agent import paths
from milepost_agent.arbiter import Arbiter
from milepost_agent.counters import Counters, state_part
from milepost_agent.derive.brakes import MASS_KG
from milepost_agent.derive.distance import Distance
from milepost_agent.derive.voltage import REST_S
from milepost_agent.errors import EdgeStateError
from milepost_agent.readings import Reading
from milepost_agent.sampler import Rule, Sampler
from milepost_protocol.errors import ValueRefusedError, VinError
from milepost_protocol.identity import check_vin
from milepost_protocol.signals import catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_agent.derive.distance import Belief
    from milepost_protocol.signals import Value

STATE_VERSION: Final = 1
CARS_MAX: Final = 4
"""Cars whose counters are kept: the one that is driven, and those that the device sat in before."""
DERIVED_FROM_OWN_NAME: Final = frozenset({paths.ODOMETER, paths.DTC_DETAIL})
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

    Pure: the caller brings the time, and saves ``state`` together with the samples of each commit. Counters
    belong to a car: when another VIN is told they begin at nothing, and are taken up again when the first one
    comes back. A VIN that the car tells where a person entered one before is the same car, better known.
    """

    def __init__(self, config: EdgeConfig | None = None) -> None:
        self._config = EdgeConfig() if config is None else config
        self._counters = self._fresh()
        self._sampler = Sampler(profile=self._config.profile)
        self._refused: Counter[str] = Counter()
        self._vin = ""
        self._vin_is_told = False
        self._overruled_vin = ""
        self._others: dict[str, Mapping[str, object]] = {}
        self.arbiter = Arbiter()

    @property
    def refused(self) -> Mapping[str, int]:
        """Values outside the bounds of physics, counted by signal; nothing was made of them."""
        return MappingProxyType(self._refused + Counter(self._sampler.refused))

    @property
    def withheld(self) -> int:
        """Readings that stay in the car because no collection profile names them."""
        return self._sampler.withheld

    @property
    def missed_dips(self) -> int:
        """Starts whose dip of the 12 V system fell between two readings."""
        return self._counters.voltage.missed

    @property
    def odometer(self) -> Belief | None:
        """What the odometer is taken to show now; ``None``: nothing is known."""
        return self._counters.distance.odometer

    def allow_profile(self, until_mono_s: float) -> None:
        """Sample by the collection profile what is read before ``until_mono_s``; -inf: not at all."""
        self._sampler.allow_profile(until_mono_s)

    def last(self, path: str) -> Value | None:
        """The last sample of a signal, also of a life before this one; None where there was none."""
        return self._sampler.last(path)

    def signals(self, mono_s: float) -> list[str]:
        """All signals that may be stored at ``mono_s``, if they are read or derived."""
        return self._sampler.signals(mono_s)

    def origins(self) -> dict[str, dict[str, int]]:
        """For each accumulator the signals that it was fed, with the rank of the source that speaks."""
        heard = {
            name: {signal: self.arbiter.speaker(signal) for signal in sorted(inputs)}
            for name, inputs in self._counters.inputs().items()
        }
        return {
            name: {signal: rank for signal, rank in ranks.items() if rank is not None}
            for name, ranks in heard.items()
        }

    def begin(self, mono_s: float) -> list[Reading]:
        """What is to be stored because of what a person entered; call it once, after ``restore``.

        An entered VIN counts until the car tells one of its own.
        """
        entered = self._config.vin
        if entered in ("", self._overruled_vin):
            return []
        return self._take(Reading(paths.VIN, entered, mono_s), is_told=False)

    def feed(self, reading: Reading, rank: int = 0) -> list[Reading]:
        """What is to be stored because of ``reading``, which the source of ``rank`` read from the car."""
        sound = self._sound(reading)
        if sound is None or not self.arbiter.admits(sound, rank):
            return []
        if sound.signal == paths.VIN:
            self._overruled_vin = self._config.vin
        return self._take(sound, is_told=True)

    def _sound(self, reading: Reading) -> Reading | None:
        """``reading`` as its signal's own type; ``None``, and counted, where no car can have it."""
        if reading.signal not in catalogue():
            return reading
        try:
            value = catalogue()[reading.signal].check(reading.value)
            if reading.signal == paths.VIN:
                value = check_vin(str(value))
        except (ValueRefusedError, VinError):
            self._refused[reading.signal] += 1
            return None
        return Reading(reading.signal, value, reading.mono_s)

    def _take(self, reading: Reading, *, is_told: bool) -> list[Reading]:
        last: list[Reading] = []
        if reading.signal == paths.VIN:
            last = self._identify(str(reading.value), reading.mono_s, is_told=is_told)
        derived = self._counters.feed(reading)
        if reading.signal in DERIVED_FROM_OWN_NAME:
            return self._sample(derived, reading.mono_s)
        return [*last, *self._sample([reading, *derived], reading.mono_s)]

    def _identify(self, vin: str, mono_s: float, *, is_told: bool) -> list[Reading]:
        """Take up the counters of the car ``vin``; what was held back of the car before, if it is another."""
        before, was_told = self._vin, self._vin_is_told
        self._vin, self._vin_is_told = vin, is_told or (was_told and vin == before)
        is_better_known = is_told and not was_told and vin not in self._others
        if before in ("", vin) or is_better_known:
            return []
        last = self._sampler.flush(mono_s)
        self._sampler.forget()
        self._put_by(before, self._counters.state())
        self._counters = self._fresh()
        if is_told and vin != self._config.vin:
            self._counters.distance.ignore_entry()
        if vin in self._others:
            self._counters.restore(self._others.pop(vin))
        return last

    def _put_by(self, vin: str, counters: Mapping[str, object]) -> None:
        self._others[vin] = counters
        while len(self._others) >= CARS_MAX:
            del self._others[next(iter(self._others))]

    def enter_odometer(
        self, odometer_m: float, sigma_m: float, mono_s: float, at_mono_s: float | None = None
    ) -> list[Reading]:
        """What is to be stored because a person read the instrument just now; distance goes on from there.

        Args:
            odometer_m: what it shows, in metres.
            sigma_m: how far that may be off, one standard deviation.
            mono_s: now.
            at_mono_s: when the instrument showed it, where that was long ago: what was driven since is not
                known, so distance does not go on from there.
        """
        distance = self._counters.distance
        if at_mono_s is None:
            distance.anchor(odometer_m, sigma_m)
        entered = distance.entered(odometer_m, sigma_m, mono_s if at_mono_s is None else at_mono_s)
        return [sample for reading in entered for sample in self._sampler.sample_at_once(reading, mono_s)]

    def tick(self, mono_s: float) -> list[Reading]:
        """What is to be stored because time has passed; call it about once a second."""
        return [*self._sample(self._counters.tick(mono_s), mono_s), *self._sampler.tick(mono_s)]

    def _sample(self, readings: list[Reading], mono_s: float) -> list[Reading]:
        samples = [s for reading in readings for s in self._sampler.feed(reading)]
        trip_ended = any(r.signal == paths.TRIP_IS_ONGOING and r.value is False for r in readings)
        return [*samples, *self._sampler.flush(mono_s)] if trip_ended else samples

    def _fresh(self) -> Counters:
        config = self._config
        distance = Distance(config.anchor_odometer_m, config.anchor_at, config.anchor_sigma_m)
        return Counters(distance, config.mass_kg, config.rest_s)

    def state(self) -> dict[str, object]:
        """All counters, as JSON can hold them (a few kilobytes)."""
        return {
            "version": STATE_VERSION,
            "sampled": self._sampler.state(),
            "vin": self._vin,
            "vin_is_told": self._vin_is_told,
            "overruled_vin": self._overruled_vin,
            "others": dict(self._others),
            **self._counters.state(),
        }

    def restore(self, state: Mapping[str, object]) -> None:
        """Take up what ``state`` gave, in an edge that was fed nothing yet.

        Raises:
            EdgeStateError: of a later version, or not what ``state`` gives; throw the edge away then.
        """
        version = state.get("version")
        if version != STATE_VERSION:
            raise EdgeStateError("edge", f"are of version {version!r}, this agent knows {STATE_VERSION}")
        others = {vin: state_part(state_part(state, "others"), vin) for vin in state_part(state, "others")}
        for counters in others.values():
            self._fresh().restore(counters)
        # Before VINs were kept here, the distance had the last one.
        vin = str(state.get("vin", state_part(state, "distance").get("vin") or ""))
        overruled_vin = str(state.get("overruled_vin", ""))
        if vin and self._config.vin not in ("", vin, overruled_vin):
            self._counters.distance.ignore_entry()
        self._counters.restore(state)
        self._sampler.restore(state_part(state, "sampled"))
        self._vin, self._vin_is_told = vin, state.get("vin_is_told") is True
        self._overruled_vin = overruled_vin
        self._others.update(others)
