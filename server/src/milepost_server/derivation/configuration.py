"""All numbers that a derivation depends on, and the version that names them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

from milepost_server.signals.life_cycle import LifeCycleRules
from milepost_server.signals.odometer import OdometerRules
from milepost_server.signals.schedules.book import ScheduleBook
from milepost_server.signals.schedules.shipped import shipped_book, shipped_version
from milepost_server.signals.states import DueRules
from milepost_server.signals.usage import UsageRules
from milepost_server.signals.wear import WearRules

METHOD = "3"
"""Counts up when the same rules and schedules give other results."""


@dataclass(frozen=True)
class Configuration:
    """Rules and schedules; equal configurations have equal versions, and give equal results."""

    odometer: OdometerRules = field(default_factory=OdometerRules)
    usage: UsageRules = field(default_factory=UsageRules)
    wear: WearRules = field(default_factory=WearRules)
    due: DueRules = field(default_factory=DueRules)
    life_cycle: LifeCycleRules = field(default_factory=LifeCycleRules)
    book: ScheduleBook = field(default_factory=shipped_book)

    @cached_property
    def version(self) -> str:
        """For example ``3.3f9a0c12.73dc52a3``: method, rules, schedules."""
        rules = repr((self.odometer, self.usage, self.wear, self.due, self.life_cycle))
        if self.book is shipped_book():
            schedules = shipped_version()
        else:
            schedules = _digest(repr((self.book.generic, sorted(self.book.layers.items()))))
        return f"{METHOD}.{_digest(rules)}.{schedules}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
