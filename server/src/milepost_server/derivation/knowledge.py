"""What a full derivation learns of a dealer's fleet, and all others use: usage, wear, seasons, coverage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from milepost_server.derivation import priors, wear_priors
from milepost_server.derivation.driving import drive
from milepost_server.derivation.health_steps import battery_readings, no_season
from milepost_server.derivation.priors import Priors, UsageSample
from milepost_server.derivation.steps import Learned, fleet_of
from milepost_server.derivation.wear_priors import ItemWear, WearSample, usual_of
from milepost_server.signals.battery import BatteryReadings, season_of
from milepost_server.signals.fleet.inputs import ItemRules
from milepost_server.signals.usage import published_prior, shrink
from milepost_server.store import calibrations

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.derivation.configuration import Configuration
    from milepost_server.derivation.fleet import Chunk, Vehicle
    from milepost_server.signals.flat import Floats

SEASON = "battery_season"
"""The key of the seasons in the document of a calibration."""
SEASON_READINGS_MAX = 500_000
"""Readings of each measure that a season is made of: more say the same."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is known of a dealer's fleet."""

    priors: Priors
    wear: dict[str, ItemWear] = field(default_factory=dict)  # by item
    season: Sequence[Floats] = field(default_factory=no_season)

    def of(self, vehicles: Sequence[Vehicle]) -> Learned:
        """The same for the vehicles of a chunk."""
        return Learned(usage=self.priors.of(vehicles), wear=usual_of(self.wear, vehicles), season=self.season)


class FleetSample:
    """Collects a fleet chunk by chunk, until `knowledge` is asked for."""

    def __init__(self, config: Configuration, as_of_d: float) -> None:
        self._config = config
        self._as_of_d = as_of_d
        self._usage = UsageSample()
        self._wear = WearSample()
        self._batteries: list[list[BatteryReadings]] = [[] for _ in no_season()]

    def add(self, chunk: Chunk) -> None:
        """Add one chunk."""
        config, inputs = self._config, chunk.inputs
        driven = drive(inputs.odometer, self._as_of_d, config)
        self._usage.add(chunk.vehicles, driven)
        # Where a part was measured the car drove, so its rate between readings is its own.
        usage = shrink(driven.observed, published_prior(inputs.vehicles), config.usage)
        fleet = fleet_of(inputs, driven, usage, config)
        self._wear.add(chunk.vehicles, fleet, self._as_of_d, ItemRules(config.wear, config.due))
        for kept, readings in zip(self._batteries, battery_readings(inputs), strict=True):
            if sum(len(each.value) for each in kept) < SEASON_READINGS_MAX:
                kept.append(readings)

    def knowledge(self) -> Knowledge:
        """What the fleet says of itself."""
        measures = self._config.battery.measures
        return Knowledge(
            priors=self._usage.priors(self._config.usage),
            wear=self._wear.learned(self._config.wear_prior),
            season=[
                season_of(_joined(kept), measure)
                for kept, measure in zip(self._batteries, measures, strict=True)
            ],
        )


def _joined(parts: Sequence[BatteryReadings]) -> BatteryReadings:
    sizes = [np.diff(part.offsets) for part in parts] or [np.zeros(0, dtype=np.int64)]
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(sizes))])
    none = [np.zeros(0)]
    return BatteryReadings(
        offsets=offsets.astype(np.int64),
        time_d=np.concatenate([part.time_d for part in parts] or none),
        value=np.concatenate([part.value for part in parts] or none),
    )


async def save(
    connection: AsyncConnection,
    dealer_id: int,
    as_of: dt.date,
    known: Knowledge,
    config: Configuration,
    *,
    now: dt.datetime,
) -> None:
    """Put what is known as of that date in place of what is there."""
    await priors.save(connection, dealer_id, as_of, known.priors, config)
    await wear_priors.save(connection, dealer_id, as_of, known.wear, config)
    document = {SEASON: [[float(month) for month in season] for season in known.season]}
    await calibrations.put(
        connection,
        dealer_id,
        as_of=as_of,
        document=document,
        coverage=[],
        config_version=config.version,
        now=now,
    )


async def newest(connection: AsyncConnection, dealer_id: int, as_of: dt.date) -> Knowledge:
    """What the newest full derivation up to that date has learned; what is published where there was none."""
    found = await calibrations.newest(connection, dealer_id, as_of)
    seasons = None if found is None else found.document.get(SEASON)
    return Knowledge(
        priors=await priors.newest(connection, dealer_id, as_of),
        wear=await wear_priors.newest(connection, dealer_id, as_of),
        season=[np.array(season) for season in seasons] if seasons else no_season(),
    )
