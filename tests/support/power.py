"""A parked car and its policy, minute by minute, in a time that a test makes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from milepost_agent import paths
from milepost_agent.power.limits import PowerLimits
from milepost_agent.power.permit import Permits
from milepost_agent.power.stance import Stance
from milepost_agent.readings import Reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from milepost_agent.power.permit import BusPermit
    from milepost_agent.power.policy import PowerPolicy

HOUR_S = 3_600.0
DAY_S = 86_400.0
ADAPTER = "elm327"


@dataclass
class Parking:
    """One source under a policy: obeys its permit as a source does, with the voltage that the test sets.

    ``answers``: whether the bus answers a probe; ``changes`` are the stances with the time of each.
    """

    limits: PowerLimits = field(default_factory=PowerLimits)
    volts: float | None = 12.6
    answers: bool = False
    now_s: float = 0.0
    probes: list[float] = field(default_factory=list)
    changes: list[tuple[float, Stance]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.permits = Permits(self.limits, self.now_s)
        self.permit: BusPermit = self.permits.permit(ADAPTER)
        self.permits.on_told = self._note
        self._open_since_s = self.now_s

    @property
    def policy(self) -> PowerPolicy:
        return self.permits.policy

    @property
    def stance(self) -> Stance:
        return self.policy.stance

    def read(self, signal: str, value: float) -> None:
        """A reading of the car, now."""
        self.permit.feed(Reading(signal, value, self.now_s))

    def park(self) -> None:
        """The ignition is off and nobody answers."""
        self.permit.silent(self.now_s)

    def drive(self, seconds: float, volts: float = 14.2) -> None:
        """Drive: the car answers, the engine runs, the generator charges."""
        self.permit.answered(self.now_s)
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self.read(paths.RPM, 2000.0)
            self.read(paths.VOLTAGE, volts)
            self.now_s += 1.0

    def live(self, seconds: float, volts: Callable[[float], float | None] | None = None) -> None:
        """Let time pass; ``volts`` is the voltage by the time since the beginning of this call."""
        begin_s = self.now_s
        while self.now_s < begin_s + seconds:
            if volts is not None:
                self.volts = volts(self.now_s - begin_s)
            self.permits.tell(self.now_s, lambda policy, at_s: None)
            self._obey()
            self.now_s += self._pause_s(begin_s + seconds)

    def _obey(self) -> None:
        if not self.permit.is_open:
            return
        if self.permit.may_ask and not self.policy._asking[ADAPTER].is_answering:
            self.probes.append(self.now_s)
            if self.answers:
                self.permit.answered(self.now_s)
            else:
                self.permit.silent(self.now_s)
        if self.volts is None:
            self.permit.no_voltage(self.now_s)
        else:
            self.permit.feed(Reading(paths.VOLTAGE, self.volts, self.now_s))

    def _pause_s(self, end_s: float) -> float:
        if self.permit.is_open:
            return self.permit.look_interval_s
        return max(0.1, min(self.policy.next_look_s(), end_s) - self.now_s)

    def _note(self) -> None:
        if not self.changes or self.changes[-1][1] is not self.stance:
            self.changes.append((self.now_s, self.stance))


def coarse(limits: PowerLimits | None = None) -> PowerLimits:
    """The same limits with a look a minute: for days in no time."""
    return replace(limits or PowerLimits(), rest_look_s=60.0)
