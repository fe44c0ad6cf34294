"""What wears or expires on a fleet's vehicles, with the true limits: the words of the dealer's schedule."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from milepost_simulator.car.models import Powertrain

ENGINES = frozenset({Powertrain.COMBUSTION, Powertrain.HYBRID})
ALL = frozenset(Powertrain)


class Channel(IntEnum):
    """Wear that is measured on the car, as a used share: 0 new, 1 used up."""

    OIL = 0
    FRONT_PADS = 1
    REAR_PADS = 2
    TYRES = 3


class Item(NamedTuple):
    """One item: due at the first of distance, time, and wear reaching ``wear_limit``.

    ``months_young`` is what holds instead of ``months`` after a car's first service of that kind, which for
    an inspection is its registration, up to the age of `YOUNG_MONTHS`.
    """

    key: str
    powertrains: frozenset[Powertrain] = ALL
    distance_km: float = float("inf")
    months: float = float("inf")
    channel: Channel | None = None
    wear_limit: float = 1.0
    months_young: float | None = None


ITEMS: tuple[Item, ...] = (
    Item("engine-oil", ENGINES, 15_000, 12, Channel.OIL),
    Item("front-pads", channel=Channel.FRONT_PADS, wear_limit=0.9),
    Item("rear-pads", channel=Channel.REAR_PADS, wear_limit=0.9),
    Item("tyres", months=120, channel=Channel.TYRES),
    Item("brake-fluid", months=24),
    Item("battery-12v", months=60),
    Item("inspection", months=24, months_young=48),
    Item("air-filter", ENGINES, 60_000, 48),
    Item("cabin-filter", ALL, 30_000, 24),
    Item("coolant", ENGINES, 150_000, 60),
    Item("coolant", frozenset({Powertrain.EV}), months=72),
)
BATTERY = [item.key for item in ITEMS].index("battery-12v")
YOUNG_MONTHS = 42

USED_PER_KM: dict[Powertrain, tuple[float, ...]] = {
    Powertrain.COMBUSTION: (1 / 22_000, 1 / 48_000, 1 / 72_000, 1 / 40_000),
    Powertrain.HYBRID: (1 / 24_000, 1 / 80_000, 1 / 115_000, 1 / 40_000),
    Powertrain.EV: (0.0, 1 / 100_000, 1 / 140_000, 1 / 34_000),
}
"""Share of each channel's life that a usual driver uses in one kilometre. Drivers differ around it."""

OIL_USED_PER_DAY = 1 / 900
TREAD_NEW_MM = 8.0
TREAD_LIMIT_MM = 3.0
