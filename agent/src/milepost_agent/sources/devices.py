"""Which device or bus each source reads: it has one reader, for two would steal each other's answers."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from milepost_agent.errors import SourceConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from milepost_agent.sources.settings import SourceSetting

_BAUD: Final = re.compile(r"@\d+$")


def check_devices(tables: Iterable[tuple[Sequence[SourceSetting], Mapping[str, object]]]) -> None:
    """Check that no two of the ``tables``, each with the settings of its kind, read the same device.

    Raises:
        SourceConfigError: two do.
    """
    taken: set[tuple[str, str]] = set()
    for settings, table in tables:
        for setting in settings:
            text = table.get(setting.name)
            if not setting.is_device or not isinstance(text, str):
                continue
            device = _device(text, str(table.get("interface", "")))
            if device in taken:
                raise SourceConfigError(
                    setting.name, f"{text!r} is read by a table before this one; each has one reader"
                )
            taken.add(device)


def _device(text: str, interface: str) -> tuple[str, str]:
    """The device that ``text`` names: the same for a link to it, and at another baud rate."""
    if "://" in text:
        return "", text.lower()
    if "/" in text:
        return "", os.path.realpath(_BAUD.sub("", text))
    return interface, text
