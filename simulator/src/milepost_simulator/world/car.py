"""The car of a history: a source whose every reading can be told apart, and the clocks of its gateway."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from milepost_agent.clock import ClockReading, judge
from milepost_agent.readings import Reading
from milepost_agent.sampler import Rule
from milepost_protocol.samples import TimeTrust

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
    from random import Random

    from milepost_protocol.samples import Sample
    from milepost_protocol.signals import Value

TRUE_START_MS: Final = 1_794_000_000_000
"""What a right clock shows at the beginning of a history (November 2026)."""
TEXT_CHARACTERS_MAX: Final = 240


class Carrier(NamedTuple):
    """A signal that scripted readings travel on; no derivation of the edge listens to it.

    Numbers count from ``low`` to ``high``, in steps of 1 / ``per_unit``, and begin anew; texts begin with
    their number.
    """

    signal: str
    low: int = 0
    high: int = 0
    per_unit: int = 1


CARRIERS: Final[Mapping[str, Carrier]] = {
    "series": Carrier("Vehicle.Milepost.Engine.Load", 1, 100),
    "event": Carrier("Vehicle.Milepost.Power.State"),
    "counter": Carrier("Vehicle.Milepost.Trip.Count", 1_000, 4_000_000_000),
    "wear": Carrier("Vehicle.Milepost.Battery.CrankingMinimum", 1, 3_200, 100),
    "odometer": Carrier("Vehicle.Milepost.Odometer.Source"),
    "fault": Carrier("Vehicle.Milepost.Diagnostics.Dtc"),
}
"""One signal of each class, such that the shipped sampling rules let each new value through."""
COUNTER: Final = CARRIERS["counter"].signal
SERIES: Final = CARRIERS["series"].signal
"""The one that needs a profile, and its owner's consent: while that is closed, its readings are withheld."""
PROFILE: Final[Mapping[str, Rule]] = {SERIES: Rule(every=True)}
CONSENT: Final[Mapping[str, str]] = {
    "owner": "customer-1",
    "granted_at": "2026-06-01",
    "expires_at": "2027-05-01",
}
BY_SIGNAL: Final[Mapping[str, Carrier]] = {carrier.signal: carrier for carrier in CARRIERS.values()}


def is_scripted(sample: Sample) -> bool:
    """Whether a sample came from the script, and not from the agent's own derivations."""
    carrier = BY_SIGNAL.get(sample.signal)
    if carrier is None:
        return False
    if isinstance(sample.value, str):
        return sample.value[:1].isdigit()
    return carrier.low <= sample.value * carrier.per_unit <= carrier.high


def is_unique(sample: Sample) -> bool:
    """Whether no other scripted reading has the same signal and value."""
    return is_scripted(sample) and (isinstance(sample.value, str) or sample.signal == COUNTER)


@dataclass(frozen=True, slots=True)
class Script:
    """What a car does.

    Attributes:
        interval_s: between two moments at which it is read.
        burst: readings at each of them.
        text_characters: length of texts, which hardly compress: what fills a buffer.
        weights: how often each class of ``CARRIERS`` comes.
    """

    interval_s: float = 2.0
    burst: int = 2
    text_characters: int = 16
    weights: tuple[int, ...] = (3, 1, 2, 2, 2, 1)


class ScriptedCar:
    """The source. Each reading gets the next of ``numbers``, and is told to ``on_reading`` with its time."""

    name = "script"

    def __init__(
        self,
        script: Script,
        random: Random,
        clocks: Clocks,
        numbers: Iterator[int],
        on_reading: Callable[[str, Value, int], None],
    ) -> None:
        self._script = script
        self._random = random
        self._clocks = clocks
        self._on_reading = on_reading
        self._numbers = numbers
        self._read = 0
        self.is_on = True

    async def readings(self) -> AsyncGenerator[Reading, None]:
        """See ``milepost_agent.readings.Source``."""
        while True:
            await asyncio.sleep(self._pause_s())
            if not self.is_on:
                continue
            for reading in self._burst():
                yield reading

    def _pause_s(self) -> float:
        return self._script.interval_s * self._random.uniform(0.5, 1.5)

    def _now_s(self) -> float:
        return self._clocks().mono_s

    def _burst(self) -> Iterator[Reading]:
        for _ in range(self._script.burst):
            reading = self._next()
            self._on_reading(reading.signal, reading.value, self._clocks.true_ms())
            yield reading

    def _next(self) -> Reading:
        self._read += 1
        number = next(self._numbers)
        name = self._random.choices(list(CARRIERS), self._script.weights)[0]
        carrier = CARRIERS[name]
        value: Value
        if carrier.high:
            step = carrier.low + number % (carrier.high - carrier.low + 1)
            value = step if carrier.per_unit == 1 else step / carrier.per_unit
        else:
            value = f"{number} {self._random.randbytes(self._script.text_characters // 2).hex()}"
        return Reading(carrier.signal, value, self._clocks().mono_s)

    def status(self) -> Mapping[str, Value]:
        """See ``milepost_agent.readings.Source``."""
        return {"read": self._read}


class Clocks:
    """All clocks of the gateway; the wall clock is wrong by ``error_ms`` and drifts from there.

    Args:
        now_s: virtual seconds.
        has_rtc: whether the wall clock outlives a power cut; else it begins at 1970.
    """

    def __init__(self, now_s: Callable[[], float], *, has_rtc: bool) -> None:
        self._now_s = now_s
        self._start_s = now_s()
        self._has_rtc = has_rtc
        self._boots = 0
        self._booted_s = 0.0
        self._set_s = self._start_s
        self._drift = 0.0
        self._last: tuple[float, ClockReading] | None = None
        self.error_ms = 0.0
        self.is_synced = False
        self.boot()

    def boot(self) -> None:
        """Power comes (back): the monotonic clock begins anew, and nobody keeps the wall clock yet."""
        self._boots += 1
        self._booted_s = self._now_s()
        self.is_synced = False
        self._last = None
        if not self._has_rtc:
            self.set(float(-self.true_ms()))

    def set(self, error_ms: float, drift: float = 0.0) -> None:
        """Set the wall clock so that it is wrong by ``error_ms`` and gains ``drift`` seconds a second."""
        self.error_ms, self._drift, self._set_s = error_ms, drift, self._now_s()
        self._last = None

    def sync(self) -> None:
        """A time service sets the wall clock right, and keeps it."""
        self.is_synced = True
        self.set(0.0)

    def unsync(self, error_ms: float, drift: float = 0.0) -> None:
        """The time service is gone, and somebody sets the clock."""
        self.is_synced = False
        self.set(error_ms, drift)

    def true_ms(self) -> int:
        """What a right clock would show."""
        return TRUE_START_MS + round((self._now_s() - self._start_s) * 1000)

    def __call__(self) -> ClockReading:
        now_s = self._now_s()
        if self._last is None or self._last[0] != now_s:
            self._last = now_s, self._read(now_s)
        return self._last[1]

    def _read(self, now_s: float) -> ClockReading:
        mono_s = now_s - self._booted_s + 5.0
        drifted_ms = (now_s - self._set_s) * self._drift * 1000
        wall_ms = max(0, self.true_ms() + round(self.error_ms + drifted_ms))
        return ClockReading(
            wall_ms=wall_ms,
            mono_s=mono_s,
            offset_ms=wall_ms - round(mono_s * 1000),
            trust=judge(wall_ms, synced=self.is_synced),
            boot=f"boot-{self._boots}",
        )


BELIEVED: Final = frozenset({TimeTrust.SYNCED, TimeTrust.REPAIRED})
"""Trust that promises a right time."""
