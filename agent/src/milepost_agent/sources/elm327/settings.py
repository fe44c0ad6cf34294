"""Settings of an ELM327 source."""

from __future__ import annotations

from typing import Final

from milepost_agent.sources.obd.settings import FINE_INTERVAL, PROFILE
from milepost_agent.sources.settings import SourceSetting

BAUD_DEFAULT: Final = 38_400
"""What an ELM327 speaks as it leaves the factory; many copies want 9600 or 115200."""

ELM327_SETTINGS: Final = (
    SourceSetting("port", None, 'device path (such as "/dev/ttyUSB0"), or "tcp://host:port"', is_device=True),
    SourceSetting("baud", BAUD_DEFAULT, "bits a second of a serial port", minimum=300, maximum=4_000_000),
    SourceSetting("protocol", "0", "ELM327 protocol number 0 to C; 0 searches for the car's own"),
    PROFILE,
    FINE_INTERVAL,
    SourceSetting(
        "voltage_offset_v",
        0.0,
        "volts that the adapter shows too little of the battery's; compare with a meter at the battery",
        minimum=-3.0,
        maximum=3.0,
    ),
)
