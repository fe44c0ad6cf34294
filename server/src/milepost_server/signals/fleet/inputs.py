"""What the items of many vehicles are derived from."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from milepost_server.signals.axis import OdometerAxis
from milepost_server.signals.flat import Floats, Ints
from milepost_server.signals.items.starts import ServiceRecords
from milepost_server.signals.items.states import DueRules
from milepost_server.signals.items.wear import UsualWear, WearRules
from milepost_server.signals.schedules.book import Plans
from milepost_server.signals.usage.ahead import Ahead


@dataclass(frozen=True, slots=True)
class SignalRows:
    """Readings of one signal of V vehicles, N rows by vehicle and, within one, in the order of time."""

    vehicle: Ints  # (N) rising
    time_d: Floats  # (N)
    value: Floats  # (N) in the unit of the catalogue


@dataclass(frozen=True, slots=True)
class Fleet:
    """V vehicles and all that their items are derived from."""

    axis: OdometerAxis
    ahead: Ahead
    registered_d: Floats  # (V) first registration; NaN where not known
    plans: Plans
    keys: tuple[str, ...]  # what the item codes of ``records`` and of `Previous` stand for
    records: ServiceRecords
    signals: Mapping[str, SignalRows] = field(default_factory=dict)  # by path


@dataclass(frozen=True, slots=True)
class Previous:
    """The day before: V vehicles, I items by code."""

    state: Ints  # (V, I) of `State`
    start_d: Floats  # (V, I) where each item had begun; NaN where that was not known


UsualOf: TypeAlias = Callable[[str, str, Ints, UsualWear], UsualWear]
"""What wear is usual for an item (by key) and position (by signal) on vehicles (Q), given what their
schedules say: see `wear_sample`."""


@dataclass(frozen=True, slots=True)
class ItemRules:
    """Numbers, and what was learned: how items become due."""

    wear: WearRules = field(default_factory=WearRules)
    due: DueRules = field(default_factory=DueRules)
    lapses_after_d: float = math.inf  # so late, what is on record has probably been done elsewhere: `lapse`
    usual: UsualOf | None = None
