"""Settings that all sources share which ask a car."""

from __future__ import annotations

from typing import Final

from milepost_agent.sources.settings import SourceSetting

PROFILE: Final = SourceSetting(
    "profile",
    "auto",
    "vehicle profile: a shipped one by name, a file, or a folder to choose from by VIN;"
    ' "auto": from the shipped ones by VIN',
)
FINE_INTERVAL: Final = SourceSetting(
    "fine_interval_s",
    0.0,
    "seconds between readings that only a collection profile needs (load, manifold pressure); 0: never",
    minimum=0.0,
    maximum=3_600.0,
)
