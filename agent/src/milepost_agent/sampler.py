"""The sampler: which readings become samples. On change beyond a deadband, between two intervals, by rules.

Fine series (speed, engine speed, temperatures, voltage) stay in the car: they pass only where a collection
profile, which the owner has agreed to, names them, and only as long as that consent lasts.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from milepost_agent.errors import EdgeStateError
from milepost_agent.readings import Reading
from milepost_protocol.errors import ValueRefusedError
from milepost_protocol.signals import SignalClass, catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_protocol.signals import Signal, Value

STATE_SIGNALS_MAX: Final = 1_024


@dataclass(frozen=True, slots=True)
class Rule:
    """When a reading of one signal is worth a sample; see ``sampler.toml``."""

    deadband: float = 0.0
    interval_s_min: float = 0.0
    interval_s_max: float = 0.0
    every: bool = False

    def is_change(self, last: Value, value: Value) -> bool:
        """Whether ``value`` is news after ``last``."""
        if isinstance(value, str | bool) or isinstance(last, str | bool):
            return value != last
        return value != last and abs(value - last) >= self.deadband


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules by path, and by class for the signals that have none of their own."""

    by_signal: Mapping[str, Rule]
    by_class: Mapping[SignalClass, Rule]

    def rule(self, signal: Signal) -> Rule | None:
        """The rule of ``signal``; ``None``: it is not to be sampled."""
        own = self.by_signal.get(signal.path)
        return own if own is not None else self.by_class.get(signal.signal_class)


@cache
def shipped_rules() -> Rules:
    """The rules that this version ships."""
    text = Path(__file__).with_name("sampler.toml").read_text(encoding="utf-8")
    document = tomllib.loads(text)
    by_signal = {catalogue()[path].path: Rule(**row) for path, row in document["signal"].items()}
    by_class = {SignalClass(name): Rule(**row) for name, row in document["class"].items()}
    return Rules(MappingProxyType(by_signal), MappingProxyType(by_class))


class Sampler:
    """Thins readings into samples. Holds the last sample of each signal, and changes that wait.

    The rules of ``profile`` go before ``rules``, for what is read before the time that ``allow_profile``
    gave; what waits of them then is thrown away.

    What it holds back is counted: ``refused`` by signal (a value outside the bounds of physics),
    ``withheld`` readings of series without a profile or of no catalogue signal.
    """

    def __init__(self, rules: Rules | None = None, profile: Mapping[str, Rule] | None = None) -> None:
        self._rules = shipped_rules() if rules is None else rules
        known = catalogue()
        # Whoever wrote the profile has checked this already; here it is made sure of.
        self._profile = {
            path: rule
            for path, rule in (profile or {}).items()
            if path in known and known[path].may_be_profiled
        }
        self._profile_until_s = -math.inf
        self._sampled: dict[str, tuple[Value, float | None]] = {}
        self._waiting: dict[str, Reading] = {}
        self._small: dict[str, Reading] = {}
        self.refused: dict[str, int] = {}
        self.withheld = 0

    def allow_profile(self, until_mono_s: float) -> None:
        """Sample by the profile what is read before ``until_mono_s``; -inf: not at all."""
        self._profile_until_s = until_mono_s

    def last(self, path: str) -> Value | None:
        """The last sample of a signal, also of a life before this one; None where there was none."""
        return self._sampled[path][0] if path in self._sampled else None

    def signals(self, mono_s: float) -> list[str]:
        """All signals that have a rule at ``mono_s``, in the catalogue's order."""
        return [path for path in catalogue().signals if self._rule(path, mono_s) is not None]

    def feed(self, reading: Reading) -> list[Reading]:
        """The samples that follow from ``reading``: one or none."""
        if reading.signal not in catalogue():
            self.withheld += 1
            return []
        signal = catalogue()[reading.signal]
        rule = self._rule(signal.path, reading.mono_s)
        if rule is None:
            self.withheld += 1
            return []
        try:
            checked = Reading(signal.path, signal.check(reading.value), reading.mono_s)
        except ValueRefusedError:
            self.refused[signal.path] = self.refused.get(signal.path, 0) + 1
            return []
        return self._sample(checked, rule)

    def sample_at_once(self, reading: Reading, mono_s: float) -> list[Reading]:
        """``reading`` as a sample whatever the rules say: a person entered it, at ``mono_s``."""
        signal = catalogue()[reading.signal]
        return [self._emit(Reading(signal.path, signal.check(reading.value), reading.mono_s), mono_s)]

    def forget(self) -> None:
        """Forget all samples: whatever comes next is news, for it is another car's."""
        for held in (self._sampled, self._waiting, self._small):
            held.clear()

    def tick(self, mono_s: float) -> list[Reading]:
        """Changes that have waited for their minimum interval, each with the time at which it was read."""
        self._drop_withheld(mono_s)
        ripe = [r for r in self._waiting.values() if self._may_sample(r.signal, mono_s)]
        return [self._emit(reading, mono_s) for reading in ripe]

    def flush(self, mono_s: float) -> list[Reading]:
        """Every change that was held back, small ones too: a trip's last metres are part of its total."""
        self._drop_withheld(mono_s)
        return [self._emit(reading, mono_s) for reading in [*self._waiting.values(), *self._small.values()]]

    def _sample(self, reading: Reading, rule: Rule) -> list[Reading]:
        if reading.signal not in self._sampled or rule.every:
            return [self._emit(reading, reading.mono_s)]
        last, at_s = self._sampled[reading.signal]
        if rule.is_change(last, reading.value):
            return self._sample_or_wait(reading)
        self._forget(reading.signal)
        if at_s is None:
            self._sampled[reading.signal] = (last, reading.mono_s)
        elif rule.interval_s_max and reading.mono_s - at_s >= rule.interval_s_max:
            return [self._emit(reading, reading.mono_s)]
        if reading.value != last:
            self._small[reading.signal] = reading
        return []

    def _sample_or_wait(self, reading: Reading) -> list[Reading]:
        if self._may_sample(reading.signal, reading.mono_s):
            return [self._emit(reading, reading.mono_s)]
        self._forget(reading.signal)
        self._waiting[reading.signal] = reading
        return []

    def _emit(self, reading: Reading, mono_s: float) -> Reading:
        self._forget(reading.signal)
        self._sampled[reading.signal] = (reading.value, mono_s)
        return reading

    def _forget(self, path: str) -> None:
        self._waiting.pop(path, None)
        self._small.pop(path, None)

    def _may_sample(self, path: str, mono_s: float) -> bool:
        """Whether the minimum interval since the last sample is over, as it is after a restart."""
        at_s = self._sampled[path][1]
        rule = self._rule(path, mono_s)
        return rule is not None and (at_s is None or mono_s - at_s >= rule.interval_s_min)

    def _drop_withheld(self, mono_s: float) -> None:
        """Forget what waits under a profile that is over: it must not leave the car after that."""
        for path in {*self._waiting, *self._small}:
            if self._rule(path, mono_s) is None:
                self._forget(path)
                self.withheld += 1

    def _rule(self, path: str, mono_s: float) -> Rule | None:
        own = self._profile.get(path) if mono_s < self._profile_until_s else None
        return own if own is not None else self._rules.rule(catalogue()[path])

    def state(self) -> dict[str, object]:
        """The last sample of each signal, so that a restart alone is no news."""
        return {path: value for path, (value, _) in self._sampled.items()}

    def restore(self, state: Mapping[str, object]) -> None:
        """Take up what ``state`` gave.

        Raises:
            EdgeStateError: not what ``state`` gives.
        """
        if len(state) > STATE_SIGNALS_MAX:
            raise EdgeStateError("sampler", f"have {len(state)} signals, more than {STATE_SIGNALS_MAX}")
        restored: dict[str, tuple[Value, float | None]] = {}
        for path, value in state.items():
            if not isinstance(value, str | bool | int | float):
                raise EdgeStateError("sampler", f"have {str(value)[:64]!r} at {path!r}")
            if path in catalogue():
                restored[path] = (value, None)
        self._sampled = restored
