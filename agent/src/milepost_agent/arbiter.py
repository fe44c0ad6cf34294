"""Several sources at once: which of them speaks for a signal. Pure.

The order of the ``[[source]]`` tables is their rank. Of the sources that read a signal, the first speaks for
it; another is heard only once the better ones have been silent about this signal for ``SILENCE_S``. So what
is integrated is never integrated twice, and two odometers never take turns. Two signals have rules of their
own: who has told the VIN is believed as long as the agent runs, and no source may say that the car is off
while another one sees it in use, for it may only have lost its own connection.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Final

from milepost_agent import paths
from milepost_agent.thresholds import MOVING_KMH_MIN, RUNNING_RPM_MIN

if TYPE_CHECKING:
    from milepost_agent.readings import Reading

SILENCE_S_MAX: Final = 900.0
"""The slowest signals are read every ten minutes."""
SILENCE_S: Final = {
    paths.SPEED: 10.0,
    paths.RPM: 10.0,
    paths.VOLTAGE: 30.0,
    paths.COOLANT: 60.0,
    paths.OIL_TEMPERATURE: 60.0,
    paths.RUN_TIME: 90.0,
    paths.VIN: math.inf,
}
"""A few times as long as a source takes between two readings of the signal."""
IN_USE_S: Final = 10.0
IN_USE_FROM: Final = {paths.SPEED: MOVING_KMH_MIN, paths.RPM: RUNNING_RPM_MIN}


class Arbiter:
    """Lets through the readings of the source that speaks for a signal, and counts the others.

    Sources go by rank: 0 is the first table, and the one to be believed before all others.
    """

    def __init__(self) -> None:
        self._speakers: dict[str, tuple[int, float]] = {}
        self._in_use_at_s: dict[int, float] = {}
        self.overruled: Counter[int] = Counter()

    def admits(self, reading: Reading, rank: int) -> bool:
        """Whether ``reading``, of the source of ``rank``, counts."""
        if reading.signal in IN_USE_FROM and abs(float(reading.value)) >= IN_USE_FROM[reading.signal]:
            self._in_use_at_s[rank] = reading.mono_s
        if self._speaks(reading, rank):
            self._speakers[reading.signal] = (rank, reading.mono_s)
            return True
        self.overruled[rank] += 1
        return False

    def speaker(self, signal: str) -> int | None:
        """The rank of the source that spoke for ``signal`` last; ``None``: none did."""
        return self._speakers[signal][0] if signal in self._speakers else None

    def _speaks(self, reading: Reading, rank: int) -> bool:
        if reading.signal == paths.SYSTEM_STATE:
            return reading.value != paths.STATE_OFF or not self._another_sees_use(rank, reading.mono_s)
        best, heard_s = self._speakers.get(reading.signal, (rank, reading.mono_s))
        return rank <= best or reading.mono_s - heard_s > SILENCE_S.get(reading.signal, SILENCE_S_MAX)

    def _another_sees_use(self, rank: int, mono_s: float) -> bool:
        return any(mono_s - at_s <= IN_USE_S for other, at_s in self._in_use_at_s.items() if other != rank)
