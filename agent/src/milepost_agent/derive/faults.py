"""Faults: sets of trouble codes become events; a falling distance since clearing means codes were cleared.

What a unit tells of a code (its detail) is news once: a source asks for it again after each start.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from milepost_agent import paths
from milepost_agent.derive.accumulator import saved_number_or_none, saved_strings
from milepost_agent.errors import EdgeStateError
from milepost_agent.readings import Reading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_agent.derive.accumulator import State

CODES_MAX: Final = 512
"""Codes remembered per status; a car that reports more is not telling the truth."""
DETAILS_MAX: Final = 256
"""Details remembered; beyond, the oldest is forgotten, and would be told again."""
ABSENT_READS_MIN: Final = 2
"""Reads of each list without a code before it is gone: a unit that missed one request still has its codes."""
STATUS_OF: Final = {
    paths.DTC_CONFIRMED: "confirmed",
    paths.DTC_PENDING: "pending",
    paths.DTC_PERMANENT: "permanent",
}


@dataclass(slots=True)
class _Leaving:
    """A code that is in no list any more: the one that it left last, and how often each was read since."""

    status: str
    reads: Counter[str] = field(default_factory=Counter)


class Faults:
    """Remembers the codes of each status, and says what changed.

    A code that left its last list is 'cleared' only after every list that the car answers was read without
    it, twice: it may just have moved on, from pending to confirmed, or its unit may not have answered.
    """

    name = "faults"
    inputs = frozenset({*STATUS_OF, paths.DISTANCE_SINCE_CLEARED, paths.DTC_DETAIL})

    def __init__(self) -> None:
        self._codes: dict[str, frozenset[str]] = {}
        self._leaving: dict[str, _Leaving] = {}
        self._heard: set[str] = set()
        self._since_cleared_km: float | None = None
        self._details: dict[str, str] = {}

    def feed(self, reading: Reading) -> list[Reading]:
        if reading.signal == paths.DTC_DETAIL:
            return [reading] if self._is_new(str(reading.value)) else []
        if reading.signal == paths.DISTANCE_SINCE_CLEARED:
            return self._feed_since_cleared(float(reading.value), reading.mono_s)
        return self._feed_codes(STATUS_OF[reading.signal], str(reading.value), reading.mono_s)

    def tick(self, mono_s: float) -> list[Reading]:  # noqa: ARG002 - codes have to be read
        return []

    def _is_new(self, detail: str) -> bool:
        """Whether this was not the last that was told of its code by its unit."""
        known = self._details.pop(_subject(detail), None)
        self._details[_subject(detail)] = detail
        while len(self._details) > DETAILS_MAX:
            del self._details[next(iter(self._details))]
        return known != detail

    def _feed_since_cleared(self, km: float, mono_s: float) -> list[Reading]:
        last, self._since_cleared_km = self._since_cleared_km, km
        fell = last is not None and km < last
        return [Reading(paths.CODES_CLEARED, True, mono_s)] if fell else []

    def _feed_codes(self, status: str, joined: str, mono_s: float) -> list[Reading]:
        new = frozenset(sorted(joined.split())[:CODES_MAX])
        old = self._codes.get(status, frozenset())
        self._codes[status] = new
        self._heard.add(status)
        everywhere = frozenset().union(*self._codes.values())
        for code in old - everywhere:
            self._leaving[code] = _Leaving(status)
        events = [f"{code} {status}" for code in sorted(new - old) if not self._is_back(code, status)]
        events += self._cleared(status, everywhere)
        return [Reading(paths.DTC, event, mono_s) for event in events]

    def _is_back(self, code: str, status: str) -> bool:
        """Whether ``code`` was only missed for a while: that is no news."""
        leaving = self._leaving.get(code)
        return leaving is not None and leaving.status == status

    def _cleared(self, status: str, everywhere: frozenset[str]) -> list[str]:
        """Note that ``status`` was read; the events of codes that are now gone for good."""
        gone = []
        for code, leaving in sorted(self._leaving.items()):
            leaving.reads[status] += 1
            if code in everywhere:
                del self._leaving[code]
            elif all(leaving.reads[heard] >= ABSENT_READS_MIN for heard in self._heard):
                del self._leaving[code]
                gone.append(f"{code} cleared")
                self._details = {
                    subject: detail
                    for subject, detail in self._details.items()
                    if subject.partition("-")[0] != code
                }
        return gone

    def state(self) -> State:
        return {
            "codes": {status: sorted(codes) for status, codes in self._codes.items()},
            "leaving": {code: leaving.status for code, leaving in self._leaving.items()},
            "since_cleared_km": self._since_cleared_km,
            "details": list(self._details.values()),
        }

    def restore(self, state: Mapping[str, object]) -> None:
        codes = state.get("codes", {})
        if not isinstance(codes, dict) or not codes.keys() <= set(STATUS_OF.values()):
            raise EdgeStateError(self.name, f"have {str(codes)[:64]!r} as codes")
        restored = {s: frozenset(saved_strings(self.name, c, CODES_MAX)) for s, c in codes.items()}
        leaving = state.get("leaving", {})
        statuses = tuple(STATUS_OF.values())
        if not isinstance(leaving, dict) or not all(status in statuses for status in leaving.values()):
            raise EdgeStateError(self.name, f"have {str(leaving)[:64]!r} as leaving codes")
        details = saved_strings(self.name, state.get("details", []), DETAILS_MAX)
        self._since_cleared_km = saved_number_or_none(self.name, state, "since_cleared_km")
        self._codes = restored
        self._details = {_subject(detail): detail for detail in details}
        self._leaving = {code: _Leaving(status) for code, status in leaving.items()}


def _subject(detail: str) -> str:
    """Of what a detail is: ``P0301-13 unit engine`` of ``P0301-13 unit engine status 2F occurrences 3``."""
    return detail.partition(" status ")[0]
