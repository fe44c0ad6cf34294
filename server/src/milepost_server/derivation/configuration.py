"""All numbers that a derivation depends on, and the version that names them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields
from functools import cache, cached_property
from importlib import resources

from milepost_server.derivation.learning.pace_sample import PaceSampleRules
from milepost_server.derivation.steps.readiness import AskedRules
from milepost_server.signals.faults.clearing import ClearingRules
from milepost_server.signals.faults.fleet import FaultRules
from milepost_server.signals.health.battery import BatteryRules
from milepost_server.signals.health.pack import PackRules
from milepost_server.signals.items.lapse import LapseRules
from milepost_server.signals.items.life_cycle import LifeCycleRules
from milepost_server.signals.items.states import DueRules
from milepost_server.signals.items.wear import WearRules
from milepost_server.signals.items.wear_prior import WearPriorRules
from milepost_server.signals.odometer import OdometerRules
from milepost_server.signals.schedules.book import ScheduleBook
from milepost_server.signals.schedules.shipped import shipped_book, shipped_version
from milepost_server.signals.usage.rate import UsageRules
from milepost_server.signals.usage.regimes import RegimeRules
from milepost_server.signals.value.assessment import AssessmentRules
from milepost_server.signals.value.lifetime import LifetimeRules
from milepost_server.signals.value.plans import PriceList

METHOD = "4"
"""Counts up when the same rules and schedules give other results."""

OF_DEALERS = ("book", "plans")
"""What dealers' own files say."""
DATA_FILES = (
    "faults/systems.toml",
    "health/pack.toml",
    "value/repairs.toml",
    "value/residuals.csv",
    "value/models.csv",
)


@dataclass(frozen=True)
class Configuration:
    """Rules, schedules and plans; equal configurations have equal versions, and give equal results."""

    odometer: OdometerRules = field(default_factory=OdometerRules)
    usage: UsageRules = field(default_factory=UsageRules)
    regimes: RegimeRules = field(default_factory=RegimeRules)
    wear: WearRules = field(default_factory=WearRules)
    wear_prior: WearPriorRules = field(default_factory=WearPriorRules)
    lapse: LapseRules = field(default_factory=LapseRules)
    due: DueRules = field(default_factory=DueRules)
    life_cycle: LifeCycleRules = field(default_factory=LifeCycleRules)
    faults: FaultRules = field(default_factory=FaultRules)
    clearing: ClearingRules = field(default_factory=ClearingRules)
    battery: BatteryRules = field(default_factory=BatteryRules)
    pack: PackRules = field(default_factory=PackRules)
    assessment: AssessmentRules = field(default_factory=AssessmentRules)
    lifetime: LifetimeRules = field(default_factory=LifetimeRules)
    asked: AskedRules = field(default_factory=AskedRules)
    pace_sample: PaceSampleRules = field(default_factory=PaceSampleRules)
    book: ScheduleBook = field(default_factory=shipped_book)
    plans: PriceList = field(default_factory=PriceList)

    @cached_property
    def version(self) -> str:
        """For example ``4.3f9a0c12.73dc52a3``: method, rules, schedules; and a dealer's plans, if any."""
        rules = repr([getattr(self, each.name) for each in fields(self) if each.name not in OF_DEALERS])
        if self.book is shipped_book():
            schedules = shipped_version()
        else:
            schedules = _digest(repr((self.book.generic, sorted(self.book.layers.items()))))
        plans = f".{_digest(repr(self.plans))}" if self.plans.terms else ""
        return f"{METHOD}.{_digest(rules + _data_version())}.{schedules}{plans}"


@cache
def _data_version() -> str:
    """A short name of the tables that come with the product, beside schedules."""
    folder = resources.files("milepost_server.signals")
    return _digest("".join((folder / name).read_text(encoding="utf-8") for name in DATA_FILES))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
