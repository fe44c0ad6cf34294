"""Settings of a CAN source."""

from __future__ import annotations

from typing import Final

from milepost_agent.sources.obd.settings import FINE_INTERVAL, PROFILE
from milepost_agent.sources.settings import SourceSetting

CAN_SETTINGS: Final = (
    SourceSetting("interface", None, 'as python-can names it: "socketcan", "slcan", and others'),
    SourceSetting(
        "channel", None, 'the bus, such as "can0", or "/dev/ttyACM0@115200" for slcan', is_device=True
    ),
    SourceSetting(
        "bitrate",
        500_000,
        "bits a second; socketcan has its own from the system",
        minimum=5_000,
        maximum=1_000_000,
    ),
    SourceSetting(
        "diagnostics",
        True,
        "ask control units (reading services only); false: listen only, and never send a frame",
    ),
    SourceSetting(
        "identifiers", "auto", '"11" or "29" bits of diagnostic identifiers; "auto" tries 11 first'
    ),
    PROFILE,
    SourceSetting(
        "dbc", "none", 'DBC files of what the profile listens to, separated by commas; "none": its own'
    ),
    FINE_INTERVAL,
    SourceSetting(
        "quiet_s",
        5.0,
        "seconds without a frame after which the bus is taken to sleep, and is left alone",
        minimum=0.5,
        maximum=600.0,
    ),
    SourceSetting(
        "asks_silent_bus",
        False,
        "ask a bus on which nothing is heard, too, for a connector whose gateway shows no traffic;"
        " false: a sleeping bus stays asleep",
    ),
)
