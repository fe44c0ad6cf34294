"""A car on CAN: what it says by itself, OBD-II, and UDS; through python-can, and never more than reading.

::

    bus            python-can in threads of its own      gate        what may be sent: all that is sent passes
    line           listen while an answer is awaited     exchange    one request and its answers (ISO-TP)
    reader         connect, listen, begin again
    conversation   find units, ask what the plan says    questions   what is asked, and where it goes
    session        ask while that is permitted           trouble     codes with status, of several units
                                                         listening   frames as signals (cantools)
                                                         watch       is the bus awake

The left column does I/O and holds no formula, the right one is pure. Neither python-can nor cantools is
loaded before a ``[[source]]`` of this kind is opened.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from milepost_agent.backoff import Backoff
from milepost_agent.errors import SourceConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from milepost_agent.sources.can.reader import BusReader
    from milepost_agent.sources.can.session import AskingOptions
    from milepost_agent.sources.settings import SettingValue

__all__ = ["open_can"]

EXTRA: Final = ("can", "cantools")
"""What the extra milepost-agent[can] brings."""
IDENTIFIERS: Final = ("auto", "11", "29")
NO_DBC: Final = "none"


def open_can(settings: Mapping[str, SettingValue], jitter: Callable[[], float]) -> BusReader:
    """A CAN source from its settings; the bus is not opened yet, profile and DBC files are read and checked.

    Raises:
        SourceConfigError: python-can is missing, a setting that cannot be, or a profile that cannot be used.
    """
    from importlib.util import find_spec  # noqa: PLC0415  (all below is for an agent on a bus alone)

    missing = [name for name in EXTRA if find_spec(name) is None]
    if missing:
        raise SourceConfigError(
            "kind",
            f'"can" needs {" and ".join(missing)}; install the extra: pip install "milepost-agent[can]"',
        )
    from milepost_agent.sources.can.bus import BusChoice, CanBus, interfaces  # noqa: PLC0415
    from milepost_agent.sources.can.listening import open_listener  # noqa: PLC0415
    from milepost_agent.sources.can.reader import ListeningSource, Surroundings  # noqa: PLC0415
    from milepost_agent.sources.can.session import CanSource  # noqa: PLC0415
    from milepost_agent.vehicles import open_library  # noqa: PLC0415

    interface = str(settings["interface"])
    if interface not in interfaces():
        raise SourceConfigError("interface", f"{interface!r} is none of {', '.join(interfaces())}")
    choice = BusChoice(interface, str(settings["channel"]), int(settings["bitrate"]))
    library = open_library(str(settings["profile"]))
    surroundings = Surroundings(
        lambda gate: CanBus.open(choice, gate, time.monotonic),
        library,
        partial(open_listener, files=_files(str(settings["dbc"]))),
        Backoff(jitter),
    )
    if settings["diagnostics"]:
        return CanSource(surroundings, _options(settings))
    if library.chosen is None or not library.chosen.listens:
        raise SourceConfigError(
            "profile", "listening alone needs a profile, by name or file, that says what to listen to"
        )
    return ListeningSource(surroundings, float(settings["quiet_s"]))


def _options(settings: Mapping[str, SettingValue]) -> AskingOptions:
    from milepost_agent.sources.can.conversation import Limits  # noqa: PLC0415
    from milepost_agent.sources.can.session import AskingOptions  # noqa: PLC0415

    identifiers = str(settings["identifiers"])
    if identifiers not in IDENTIFIERS:
        raise SourceConfigError("identifiers", f"{identifiers!r} is none of {', '.join(IDENTIFIERS)}")
    return AskingOptions(
        quiet_s=float(settings["quiet_s"]),
        limits=Limits(
            identifiers=identifiers,
            fine_interval_s=float(settings["fine_interval_s"]),
            asks_silent_bus=bool(settings["asks_silent_bus"]),
        ),
    )


def _files(setting: str) -> list[str]:
    """The DBC files that a setting names.

    Raises:
        SourceConfigError: one is not there.
    """
    files = [] if setting == NO_DBC else [name.strip() for name in setting.split(",") if name.strip()]
    for name in files:
        if not Path(name).is_file():
            raise SourceConfigError("dbc", f"{name} is no file")
    return files
