"""ELM327: an adapter on a serial port, a pseudo-terminal or TCP, and the car behind it.

::

    port       bytes in and out                      framing    the stream, cut at prompts
    adapter    one command, one reply                commands   what may be written: all lines pass
    session    connect, discover, poll, park         reply      lines as messages of ECUs (checksum)

The left column does I/O and holds no formula, the right one is pure. What to ask, and how answers read, is
the same on every way to a car: ``sources/obd``. When to ask is for the permit to say: ``power``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from milepost_agent.backoff import Backoff
from milepost_agent.errors import SourceConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from milepost_agent.sources.elm327.session import Elm327Source
    from milepost_agent.sources.settings import SettingValue

__all__ = ["open_elm327"]


def open_elm327(settings: Mapping[str, SettingValue], jitter: Callable[[], float]) -> Elm327Source:
    """An ELM327 source from its settings; nothing is opened yet.

    Raises:
        SourceConfigError: a port or protocol that cannot be one, or a profile that cannot be used.
    """
    # Not at the top: only an agent with such an adapter pays for it.
    from milepost_agent.sources.elm327.port import port_opener  # noqa: PLC0415
    from milepost_agent.sources.elm327.session import Elm327Source, SessionOptions  # noqa: PLC0415
    from milepost_agent.vehicles import open_library  # noqa: PLC0415

    protocol = str(settings["protocol"])
    if not re.fullmatch("[0-9A-C]", protocol):
        raise SourceConfigError("protocol", f"{protocol!r} should be one of 0 to 9, A, B, C; 0 searches")
    options = SessionOptions(
        protocol=protocol,
        fine_interval_s=float(settings["fine_interval_s"]),
        voltage_offset_v=float(settings["voltage_offset_v"]),
        library=open_library(str(settings["profile"])),
    )
    opener = port_opener(str(settings["port"]), int(settings["baud"]))
    return Elm327Source(opener, Backoff(jitter), options)
