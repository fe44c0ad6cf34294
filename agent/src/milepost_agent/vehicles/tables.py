"""Tables of a profile, read key by key: each error says in which file and table, and what should be there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

from milepost_agent.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

T = TypeVar("T")


class Table:
    """One table of a profile. What was not asked for when ``end`` is called should not be there."""

    def __init__(self, profile: str, place: str, content: Mapping[str, Any]) -> None:
        self._profile = profile
        self._place = place
        self._content = content
        self._known: set[str] = set()

    def error(self, key: str, why: str) -> ProfileError:
        """What is wrong with ``key``, to be raised."""
        place = f"{self._place} {key}".strip()
        return ProfileError(self._profile, place, why)

    def has(self, key: str) -> bool:
        """Whether ``key`` is given."""
        return key in self._content

    def text(self, key: str, default: str | None = None) -> str:
        """A text; without a default it must be there, and not empty."""
        value = self._take(key, default, str, "a text in quotes")
        if not value and default is None:
            raise self.error(key, "is empty")
        return value

    def flag(self, key: str) -> bool:
        """True or false; false where it is not given."""
        return self._take(key, False, bool, "true or false")

    def whole(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number between bounds."""
        value = self._take(key, default, int, "a whole number")
        if not low <= value <= high:
            raise self.error(key, f"is {value}; it must be from {low} to {high}")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """A finite number."""
        value: float = self._take(key, default, int | float, "a number")
        if key in self._content and not math.isfinite(value):
            raise self.error(key, "must be finite")
        return float(value)

    def numbers(self, key: str) -> tuple[float, ...]:
        """A list of numbers; empty where it is not given."""
        values: list[Any] = self._take(key, [], list, "a list of numbers")
        if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
            raise self.error(key, "must be a list of numbers")
        return tuple(float(value) for value in values)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; empty where it is not given."""
        values: list[Any] = self._take(key, [], list, "a list of texts")
        if not all(isinstance(value, str) and value for value in values):
            raise self.error(key, "must be a list of texts in quotes")
        return tuple(values)

    def mapping(self, key: str) -> dict[str, Any]:
        """A table as it stands; empty where it is not given."""
        return self._take(key, {}, dict, "a table")

    def table(self, key: str) -> Table | None:
        """The table under ``key``, ``None`` where there is none."""
        content = self.mapping(key)
        return Table(self._profile, f"{self._place} {key}".strip(), content) if content else None

    def tables(self, key: str, count_max: int) -> list[Table]:
        """All tables under ``key``."""
        rows: list[Any] = self._take(key, [], list, f"written as [[{key}]]")
        if len(rows) > count_max:
            raise self.error(key, f"has {len(rows)} tables; at most {count_max}")
        if not all(isinstance(row, dict) for row in rows):
            raise self.error(key, f"must be written as [[{key}]]")
        places = (f"{self._place} {key} {number}".strip() for number in range(1, len(rows) + 1))
        return [Table(self._profile, place, row) for place, row in zip(places, rows, strict=True)]

    def end(self) -> None:
        """Nothing else may be there.

        Raises:
            ProfileError: something is, perhaps a typing mistake.
        """
        for key in self._content:
            if key not in self._known:
                raise self.error(key, f"is unknown; there are {', '.join(sorted(self._known))}")

    def _take(self, key: str, default: T | None, wanted: Any, words: str) -> T:
        self._known.add(key)
        if key not in self._content:
            if default is None:
                raise self.error(key, f"is missing; it must be {words}")
            return default
        value: T = self._content[key]
        is_wanted = isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))
        if not is_wanted:
            raise self.error(key, f"is {value!r:.64}; it must be {words}")
        return value
