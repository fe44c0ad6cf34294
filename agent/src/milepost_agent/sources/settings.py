"""The declared settings of a source: one list per kind, from which checks, help and documentation come."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_agent.errors import SourceConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SettingValue = str | int | float | bool


@dataclass(frozen=True, slots=True)
class SourceSetting:
    """One key of a ``[[source]]`` table; without a default it must be given. Bounds are inclusive.

    ``is_device``: it names the device or bus, which has one reader.
    """

    name: str
    default: SettingValue | None
    help: str
    minimum: float = -math.inf
    maximum: float = math.inf
    is_device: bool = False

    def parse(self, value: object) -> SettingValue:
        """``value`` as this setting's own type, that of its default (text where there is none).

        Raises:
            SourceConfigError: another type, or out of bounds.
        """
        if isinstance(self.default, bool):
            if not isinstance(value, bool):
                raise SourceConfigError(self.name, f"{value!r} should be true or false")
            return value
        if not isinstance(self.default, int | float):
            if not isinstance(value, str) or not value:
                raise SourceConfigError(self.name, f"{value!r} should be a text in quotes")
            return value
        return self._number(value)

    def _number(self, value: object) -> SettingValue:
        whole = isinstance(self.default, int)
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            raise SourceConfigError(self.name, f"{value!r} should be a {'whole ' if whole else ''}number")
        if not self.minimum <= value <= self.maximum:
            raise SourceConfigError(self.name, f"{value} should be from {self.minimum:g} to {self.maximum:g}")
        return value


def parse_settings(
    settings: Sequence[SourceSetting], config: Mapping[str, object]
) -> dict[str, SettingValue]:
    """All ``settings`` by name, from ``config`` or by default; the key ``kind`` is the caller's.

    Raises:
        SourceConfigError: an unknown key, a missing one, or a bad value.
    """
    known = {setting.name: setting for setting in settings}
    for key in config:
        if key != "kind" and key not in known:
            raise SourceConfigError(key, f"no such setting; there are {', '.join(sorted(known))}")
    values: dict[str, SettingValue] = {}
    for name, setting in known.items():
        if name in config:
            values[name] = setting.parse(config[name])
        elif setting.default is None:
            raise SourceConfigError(name, f"is missing: {setting.help}")
        else:
            values[name] = setting.default
    return values
