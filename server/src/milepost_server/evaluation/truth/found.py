"""Goes through a fleet part by part and day by day, and puts what was said beside what is true."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_server.derivation.configuration import Configuration
from milepost_server.evaluation.truth import cleaning, due, pace
from milepost_server.evaluation.truth.asked import asked
from milepost_server.evaluation.truth.derive import Deriver
from milepost_server.evaluation.truth.files import Facts, read_parts
from milepost_server.evaluation.truth.ranking import Candidates, candidates, joined

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from milepost_server.evaluation.truth.files import Part
    from milepost_server.signals.flat import Ints


@dataclass(frozen=True, slots=True)
class Found:
    """All of a fleet, as of all days."""

    days: Ints  # rising
    items: due.DueRows
    ahead: pace.AheadRows
    changes: pace.ChangeRows
    readings: cleaning.ReadingRows  # as of the last day
    owned: Candidates


def find(folder: Path, facts: Facts, days: Ints, say: Callable[[str], None]) -> Found:
    """Derive all parts of the fleet as of all ``days``; ``say`` hears of progress.

    Raises:
        EvaluationError: a part cannot be read.
    """
    config = Configuration()
    gatherers = [_Gatherer(number, float(day), config) for number, day in enumerate(days)]
    for number, part in enumerate(read_parts(folder, facts)):
        for gatherer in gatherers:
            gatherer.add(part, with_readings=gatherer is gatherers[-1])
        say(f"{number + 1} of {facts.parts} parts")
    return Found(
        days=days,
        items=due.joined([rows for each in gatherers for rows in each.items]),
        ahead=pace.joined([rows for each in gatherers for rows in each.ahead]),
        changes=pace.joined_changes([rows for each in gatherers for rows in each.changes]),
        readings=cleaning.joined(gatherers[-1].readings),
        owned=joined([rows for each in gatherers for rows in each.owned]),
    )


class _Gatherer:
    """Collects one day of a fleet."""

    def __init__(self, number: int, day: float, config: Configuration) -> None:
        self._number, self._day, self._config = number, day, config
        self._deriver = Deriver(day, config)
        self.items: list[due.DueRows] = []
        self.ahead: list[pace.AheadRows] = []
        self.changes: list[pace.ChangeRows] = []
        self.readings: list[cleaning.ReadingRows] = []
        self.owned: list[Candidates] = []

    def add(self, part: Part, *, with_readings: bool) -> None:
        """Add a part."""
        derived = self._deriver.derive(part)
        ahead = pace.ahead_of(derived, self._config)
        self.items.append(due.compare(part, derived, self._number))
        self.ahead.append(pace.compare(part, derived, ahead))
        self.changes.append(pace.changes(part, derived, ahead))
        self.owned.append(candidates(part, asked(part, derived), self._day, self._number))
        if with_readings:
            self.readings.append(cleaning.compare(part, derived))
