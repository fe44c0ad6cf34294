"""What holds for one kind of car: the generic schedule, what its maker says, what the dealer says.

Layers lie on each other, the most special on top: a dealer's own over a maker's, and within each make and
model over make and engine over make over any. An item's parts (interval, wear, countdown, title) come each
from the topmost layer that says them. A car without a model, or of a make that no file names, has the generic
schedule, and the plan says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from milepost_server.signals.errors import ScheduleError
from milepost_server.signals.flat import Ints
from milepost_server.signals.items.item import Item
from milepost_server.signals.schedules.documents import Layer, Schedule, folded

LAYERS_MAX = 2_000
"""Files of makers and dealers in one book."""
GENERIC = ""
"""The origin of an item that is the generic schedule's."""


class Kind(NamedTuple):
    """What a schedule may depend on; empty where it is not known. No duty is normal duty."""

    powertrain: str
    make: str = ""
    model: str = ""
    engine: str = ""
    duty: str = ""

    @property
    def words(self) -> str:
        """For example ``Halden Fjell, 2.0 T, severe duty``."""
        named = " ".join(part for part in (self.make, self.model) if part)
        duty = "severe duty" if self.duty == "severe" else ""
        return ", ".join(part for part in (named, self.engine, duty) if part)


@dataclass(frozen=True)
class Plan:
    """The items of one kind of car, in the order in which they are shown."""

    items: tuple[Item, ...]
    origins: Mapping[str, str]
    """By item: the topmost layer that says anything of it, in words; `GENERIC` where none does."""
    said: str
    """What the plan rests on, in a sentence: a car without a model finds here that it is generic."""

    @property
    def titles(self) -> Mapping[str, str]:
        """Title by key, in the order in which items are shown."""
        return {item.key: item.title for item in self.items}


@dataclass(frozen=True)
class Plans:
    """The plans of V vehicles: few different ones."""

    plans: tuple[Plan, ...]
    of: Ints  # (V) place in ``plans``

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of all items of all plans."""
        return tuple(dict.fromkeys(item.key for plan in self.plans for item in plan.items))


@dataclass(frozen=True)
class ScheduleBook:
    """Generic schedules and the layers above them, by the name of the file that each comes from.

    Raises:
        ScheduleError: two files for the same cars, an item that a layer names and no schedule has, a
            powertrain with two generic schedules, more than `LAYERS_MAX` files.
    """

    generic: tuple[Schedule, ...]
    layers: Mapping[str, Layer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        powertrains = [schedule.powertrain for schedule in self.generic]
        for powertrain in powertrains:
            if powertrains.count(powertrain) > 1:
                raise ScheduleError(powertrain, "there are two generic schedules for this powertrain")
        if len(self.layers) > LAYERS_MAX:
            raise ScheduleError(list(self.layers)[LAYERS_MAX], f"is one file too many; {LAYERS_MAX} may be")
        named: dict[tuple[str, ...], str] = {}
        for name, layer in self.layers.items():
            if (other := named.setdefault(layer.selector, name)) != name:
                raise ScheduleError(name, f"is for the same cars as {other}; put the two into one file")
        self._check_items()

    def _check_items(self) -> None:
        known = {item.key for schedule in self.generic for item in schedule.item}
        whole = {
            part.key for layer in self.layers.values() for part in layer.item if part.over(None) is not None
        }
        for name, layer in self.layers.items():
            for key in (*(part.key for part in layer.item), *layer.without):
                if key not in known | whole:
                    raise ScheduleError(
                        name,
                        f"item {key}: no schedule has it; look for a typo, or give it a title and a limit",
                    )

    def with_layers(self, layers: Mapping[str, Layer]) -> ScheduleBook:
        """The book with more layers, for example a dealer's own.

        Raises:
            ScheduleError: as for the book itself, and where a name is taken.
        """
        for name in layers:
            if name in self.layers:
                raise ScheduleError(name, "there is a schedule of this name already")
        return ScheduleBook(self.generic, {**self.layers, **layers})

    @cached_property
    def titles(self) -> Mapping[str, str]:
        """What items are called, by key; where cars differ in it, the title that holds for most of them.

        That is the one of the topmost file that is for every car; where none has the item, the topmost one.
        """
        titles = {item.key: item.title for schedule in self.generic for item in schedule.item}
        of_some: dict[str, str] = {}
        for layer in sorted(self.layers.values(), key=lambda layer: layer.rank):
            named = {part.key: part.title for part in layer.item if part.title is not None}
            if layer.is_for_all:
                titles = {key: title for key, title in titles.items() if key not in layer.without} | named
            else:
                of_some |= named
        return of_some | titles

    def plan(self, kind: Kind) -> Plan:
        """The plan of one kind of car.

        Raises:
            ScheduleError: there is no generic schedule for its powertrain.
        """
        base = next((each for each in self.generic if each.powertrain == kind.powertrain), None)
        if base is None:
            raise ScheduleError(kind.powertrain or "of a car", "no generic schedule is for this powertrain")
        items: dict[str, Item] = {item.key: item for item in base.item}
        origins = dict.fromkeys(items, GENERIC)
        fitting = (layer for layer in self.layers.values() if _fits(layer, kind))
        used = sorted(fitting, key=lambda layer: layer.rank)
        for layer in used:
            for key in layer.without:
                items.pop(key, None)
            for part in layer.item:
                item = part.over(items.get(part.key))
                if item is not None:
                    items[part.key] = item
                    origins[part.key] = layer.words
        said = _said(base, kind, used, {origins[key] for key in items})
        return Plan(tuple(items.values()), {key: origins[key] for key in items}, said)

    def plans(self, kinds: Sequence[Kind]) -> Plans:
        """The plan of each vehicle (V); vehicles of one kind share one."""
        place = {kind: index for index, kind in enumerate(dict.fromkeys(kinds))}
        of = np.array([place[kind] for kind in kinds], dtype=np.int64)
        return Plans(tuple(self.plan(kind) for kind in place), of)


def _fits(layer: Layer, kind: Kind) -> bool:
    _, powertrain, *wanted, duty = layer.selector
    named = (folded(name) for name in (kind.make, kind.model, kind.engine))
    return (
        powertrain in ("", kind.powertrain)
        and all(want in ("", name) for want, name in zip(wanted, named, strict=True))
        and duty in ("", kind.duty or "normal")
    )


def _said(base: Schedule, kind: Kind, used: Sequence[Layer], origins: set[str]) -> str:
    titles = [layer.words for layer in used]
    if not titles:
        if not kind.make or not kind.model:
            unknown = "model" if kind.make else "make"
            return f"{base.title}: the {unknown} of this car is not known."
        return f"{base.title}: there is none for {kind.words}."
    rest = f"; all else: {base.title}" if GENERIC in origins else ""
    return f"{'; '.join(reversed(titles))}{rest}."
