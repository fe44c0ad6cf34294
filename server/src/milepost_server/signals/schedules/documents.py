"""The two kinds of schedule files as models: whole generic schedules, and layers that say what differs.

A layer is a maker's (it names a make), a duty's, or a dealer's own (it names the dealer). What an item of a
layer does not say, it takes from what lies below.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from milepost_server.signals.items.item import (
    BANDS_MAX,
    Band,
    Countdown,
    Item,
    Key,
    Table,
    Wear,
    Words,
    check_ages,
)

ITEMS_MAX = 40
NAME_LENGTH_MAX = 64

PowertrainName = Literal["combustion", "hybrid", "ev"]
Duty = Literal["normal", "severe"]
Name = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX)]
Title = Annotated[str, Field(min_length=2, max_length=60)]


def folded(name: str) -> str:
    """A name as it is compared: without differences of case and space."""
    return " ".join(name.split()).casefold()


class Schedule(Table):
    """The items of any car of one powertrain: what holds where nothing more special is known."""

    schema_version: Literal[1] = Field(alias="schema")
    powertrain: PowertrainName
    title: Words
    item: Annotated[list[Item], Field(min_length=1, max_length=ITEMS_MAX)]

    @model_validator(mode="after")
    def _has_each_key_once(self) -> Schedule:
        _once([item.key for item in self.item])
        return self


class ItemPart(Table):
    """What a layer says of one item; a part that is left out is that of the layer below."""

    key: Key
    title: Title | None = None
    interval: list[Band] = Field(default_factory=list, max_length=BANDS_MAX)
    wear: Wear | None = None
    countdown: Countdown | None = None

    @model_validator(mode="after")
    def _says_something(self) -> ItemPart:
        if not self.interval and all(part is None for part in (self.title, self.wear, self.countdown)):
            raise ValueError("says nothing: give an interval, wear, a countdown or a title")
        check_ages(self.interval)
        return self

    def over(self, below: Item | None) -> Item | None:
        """The item with this part on top; None where it has no limit of its own and nothing lies below."""
        given = {
            name: getattr(self, name)
            for name in ("title", "interval", "wear", "countdown")
            if getattr(self, name)
        }
        if below is not None:
            return below.model_copy(update=given)
        is_whole = self.title is not None and len(given) > 1
        return Item.model_validate({"key": self.key, **given}) if is_whole else None


class Layer(Table):
    """What differs from the generic schedule for some cars: those that all of its selectors fit."""

    schema_version: Literal[1] = Field(alias="schema")
    title: Words
    dealer: Name | None = None
    """Whose own schedule it is; it goes before those of makers."""
    powertrain: PowertrainName | None = None
    make: Name | None = None
    model: Name | None = None
    engine: Name | None = None
    duty: Duty | None = None
    without: list[Key] = Field(default_factory=list, max_length=ITEMS_MAX)
    """Items that these cars do not have."""
    item: list[ItemPart] = Field(default_factory=list, max_length=ITEMS_MAX)

    @field_validator("make", "model", "engine", "dealer")
    @classmethod
    def _is_a_name(cls, name: str | None) -> str | None:
        if name is not None and not folded(name):
            raise ValueError("is empty")
        return name

    @model_validator(mode="after")
    def _is_usable(self) -> Layer:
        if self.make is None and (self.model is not None or self.engine is not None):
            raise ValueError("names a model or an engine without its make")
        if self.dealer is None and self.make is None and self.duty is None:
            raise ValueError("names no make, duty or dealer: nothing tells it from a generic schedule")
        if not self.item and not self.without:
            raise ValueError("says nothing: give items, or `without`")
        _once([item.key for item in self.item] + self.without)
        return self

    @property
    def selector(self) -> tuple[str, ...]:
        """What it fits, comparable: dealer or not, powertrain, make, model, engine, duty; empty: any."""
        names = (self.make, self.model, self.engine)
        return (
            "dealer" if self.dealer is not None else "",
            self.powertrain or "",
            *(folded(name) if name is not None else "" for name in names),
            self.duty or "",
        )

    @property
    def is_for_all(self) -> bool:
        """Whether every car fits it."""
        return not any(self.selector[1:])

    @property
    def rank(self) -> tuple[bool, ...]:
        """Rises with how special it is: dealer before make before model, engine, duty, powertrain."""
        dealer, powertrain, make, model, engine, duty = (part != "" for part in self.selector)
        return (dealer, make, model, engine, duty, powertrain)

    @property
    def words(self) -> str:
        """Its title, and whose own it is."""
        return self.title if self.dealer is None else f"{self.title} (own schedule of {self.dealer})"


def _once(keys: list[str]) -> None:
    twice = next((key for place, key in enumerate(keys) if key in keys[:place]), None)
    if twice is not None:
        raise ValueError(f"item {twice!r} stands twice")
