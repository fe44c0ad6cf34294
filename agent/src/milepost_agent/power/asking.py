"""May this source ask its bus now? When a parked car is asked whether it is in use after all. Pure.

Each such probe may wake a sleeping bus, so all that calls for one is limited: hints at once, but only so many
in a time; what stays (a charger, silence of a bus beside one that answers) ever more rarely.
"""

from __future__ import annotations

from typing import Final

from milepost_agent.credit import Credit

PROBE_S_MIN: Final = 60.0
PROBE_FACTOR: Final = 2.0
BLIND_PROBE_S_MAX: Final = 3_600.0
HINTS_MAX: Final = 6
"""Hints in a row that are followed at once: several starts of a stalling engine, a door and then the key."""
HINT_S: Final = 600.0
"""After that one hint in so many seconds: a loose contact or a cloudy sky must not keep the bus awake."""
TRAFFIC_GAP_S: Final = 30.0
"""A bus that was quiet for so long had gone to sleep: what is heard on it after that has woken it."""
PROBE_OPEN_S_MAX: Final = 120.0
"""A probe whose outcome is not heard of by then is over."""


class Asking:
    """One source that asks a bus. It may from the start; whoever made it says when the car is left alone."""

    def __init__(self, probe_s_max: float, blind_probe_s: float, at_s: float) -> None:
        self._probe_s_max = probe_s_max
        self._blind_probe_s = blind_probe_s
        self._probe_s = PROBE_S_MIN
        self._blind_s = blind_probe_s
        self._asked_at_s = at_s
        self._hints = Credit(HINTS_MAX, HINT_S)
        self._traffic_at_s = -float("inf")
        self.may_ask = True
        self.is_answering = False
        self.is_doubtful = False
        """Whether nothing has just happened that a car in use would do: it is only time to ask again."""
        self.looks_left = 0
        """Readings of the battery that are wanted while all is closed."""
        self.probes = 0
        """How often a bus that was left alone was asked."""

    def answered(self) -> bool:
        """The bus answers; whether that is news."""
        was, self.is_answering = self.is_answering, True
        return not was

    def driven(self) -> None:
        """Engine or wheels turn: whatever was asked in vain before is forgotten."""
        self._hints.refill()
        self._probe_s = PROBE_S_MIN
        self._blind_s = self._blind_probe_s

    def leave_alone(self, at_s: float) -> None:
        """No more questions: nobody answers, or the car is parked."""
        self.may_ask = self.is_answering = False
        self._asked_at_s = at_s

    def ask(self, at_s: float, *, is_doubtful: bool = False) -> None:
        """Ask once more, whatever was before."""
        if not self.may_ask:
            self.may_ask = True
            self.is_doubtful = is_doubtful
            self._asked_at_s = at_s
            self.probes += 1

    def hint(self, at_s: float) -> None:
        """Something has just happened that a car in use would do."""
        if not self.may_ask and self._hints.take(at_s):
            self.ask(at_s)

    def lasting(self, at_s: float) -> None:
        """Something lasts that a car in use would show, or one that is not."""
        if not self.may_ask and at_s - self._asked_at_s >= self._probe_s:
            self._probe_s = min(self._probe_s * PROBE_FACTOR, self._probe_s_max)
            self.ask(at_s, is_doubtful=True)

    def blind(self, at_s: float) -> None:
        """Nothing at all tells of the car but asking it."""
        if self._blind_probe_s and not self.may_ask and at_s - self._asked_at_s >= self._blind_s:
            self._blind_s = min(self._blind_s * PROBE_FACTOR, BLIND_PROBE_S_MAX)
            self.ask(at_s, is_doubtful=True)

    def traffic(self, at_s: float) -> None:
        """Frames that nobody asked for: a hint, where the bus had been asleep."""
        gap_s, self._traffic_at_s = at_s - self._traffic_at_s, at_s
        if gap_s >= TRAFFIC_GAP_S:
            self.hint(at_s)

    def looked(self) -> None:
        """The voltmeter gave a reading, or said that it cannot."""
        self.looks_left = max(0, self.looks_left - 1)

    def look(self, at_s: float) -> None:
        """Time has passed: a probe of a parked car does not last for ever."""
        if self.may_ask and at_s - self._asked_at_s > PROBE_OPEN_S_MAX:
            self.leave_alone(at_s)
