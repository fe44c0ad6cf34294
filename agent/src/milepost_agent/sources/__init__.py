"""Sources: what reads a car. ``open_sources`` makes them from the ``[[source]]`` tables."""

from __future__ import annotations

import random
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from milepost_agent.errors import SourceConfigError
from milepost_agent.sources.can import open_can
from milepost_agent.sources.can.settings import CAN_SETTINGS
from milepost_agent.sources.devices import check_devices
from milepost_agent.sources.elm327 import open_elm327
from milepost_agent.sources.elm327.settings import ELM327_SETTINGS
from milepost_agent.sources.kuksa import open_kuksa
from milepost_agent.sources.kuksa.settings import KUKSA_SETTINGS
from milepost_agent.sources.replay import REPLAY_SETTINGS, open_replay
from milepost_agent.sources.settings import SettingValue, SourceSetting, parse_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from milepost_agent.readings import Source

__all__ = ["KINDS", "SourceConfigError", "SourceKind", "open_source", "open_sources"]


@dataclass(frozen=True, slots=True)
class SourceKind:
    """A kind of source: its settings and how it is made; ``open`` takes them and a jitter in [0, 1)."""

    settings: tuple[SourceSetting, ...]
    open: Callable[[Mapping[str, SettingValue], Callable[[], float]], Source]


KINDS: Final[Mapping[str, SourceKind]] = MappingProxyType(
    {
        "can": SourceKind(CAN_SETTINGS, open_can),
        "elm327": SourceKind(ELM327_SETTINGS, open_elm327),
        "kuksa": SourceKind(KUKSA_SETTINGS, open_kuksa),
        "replay": SourceKind(REPLAY_SETTINGS, open_replay),
    }
)


def open_source(config: Mapping[str, object], jitter: Callable[[], float] = random.random) -> Source:
    """The source that a ``[[source]]`` table describes. Nothing is opened before its readings are asked for.

    Args:
        config: the table, with ``kind`` and the settings of that kind.
        jitter: gives numbers in [0, 1), for backoffs.

    Raises:
        SourceConfigError: unknown kind or setting, missing or bad value; the message says what to do.
    """
    kind = _kind(config)
    return kind.open(parse_settings(kind.settings, config), jitter)


def open_sources(tables: Sequence[Mapping[str, object]]) -> list[Source]:
    """The sources of all ``[[source]]`` tables; as ``open_source``.

    Raises:
        SourceConfigError: as ``open_source``, or two tables for one device.
    """
    sources = [open_source(table) for table in tables]
    check_devices((_kind(table).settings, table) for table in tables)
    return sources


def _kind(config: Mapping[str, object]) -> SourceKind:
    name = config.get("kind")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        what = "is missing, one" if name is None else f"{name!r} is none"
        raise SourceConfigError("kind", f"{what} of {', '.join(sorted(KINDS))}")
    return kind
