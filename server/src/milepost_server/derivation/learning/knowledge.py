"""What a full derivation learns of a dealer's fleet, and all others use: usage, pace, wear, seasons."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from milepost_server.derivation.learning import priors, wear_priors
from milepost_server.derivation.learning.pace_sample import PaceSample, coverage_rows
from milepost_server.derivation.learning.priors import Priors, UsageSample
from milepost_server.derivation.learning.wear_priors import WearPriors
from milepost_server.derivation.steps.driving import drive
from milepost_server.derivation.steps.health import battery_readings, no_season
from milepost_server.derivation.steps.whole import Learned, fleet_of
from milepost_server.signals.fleet.inputs import ItemRules
from milepost_server.signals.fleet.late_sample import LateSample
from milepost_server.signals.fleet.wear_sample import WearSample
from milepost_server.signals.health.battery import BatteryReadings, season_of
from milepost_server.signals.readiness import priors as readiness_priors
from milepost_server.signals.readiness.model import Scorecard
from milepost_server.signals.usage.ahead import Ahead
from milepost_server.signals.usage.model import PaceModel, untaught
from milepost_server.signals.usage.rate import published_prior, shrink
from milepost_server.store import calibrations, readiness_models

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.derivation.configuration import Configuration
    from milepost_server.derivation.fleet import Chunk, Vehicle
    from milepost_server.signals.flat import Floats

SEASON, PACE, LAPSE, USUAL_SERVICE = "battery_season", "pace", "lapses_after_d", "usual_service"
"""Keys of the document of a calibration."""
SEASON_READINGS_MAX = 500_000
"""Readings of each measure that a season is made of: more say the same."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is known of a dealer's fleet."""

    priors: Priors
    pace: PaceModel = field(default_factory=untaught)
    wear: WearPriors = field(default_factory=WearPriors)
    season: Sequence[Floats] = field(default_factory=no_season)
    usual_service: float = 0.0  # what one owner's services bring in a year, minor units
    model: Scorecard = field(default_factory=lambda: readiness_priors.shipped()[0])
    lapses_after_d: float = np.inf

    def of(self, vehicles: Sequence[Vehicle]) -> Learned:
        """The same for the vehicles of a chunk."""
        usage, wear = self.priors.of(vehicles), self.wear.of(vehicles)
        return Learned(usage, self.pace, wear, self.season, self.model, self.lapses_after_d)


class FleetSample:
    """Collects a fleet of ``vehicles`` vehicles chunk by chunk, until `knowledge` is asked for."""

    def __init__(self, config: Configuration, as_of_d: float, vehicles: int) -> None:
        self._config = config
        self._as_of_d = as_of_d
        self._usage = UsageSample()
        self._pace = PaceSample(vehicles, config.pace_sample)
        self._wear = WearSample(config.wear_prior)
        self._late = LateSample(config.lapse)
        self._batteries: list[list[BatteryReadings]] = [[] for _ in no_season()]

    def add(self, chunk: Chunk) -> None:
        """Add one chunk."""
        config, inputs = self._config, chunk.inputs
        driven = drive(inputs.odometer, self._as_of_d, config)
        model = self._usage.add(chunk.vehicles, driven)
        self._pace.add(driven.history, model)
        # Where a part was measured the car drove, so its rate between readings is its own.
        usage = shrink(driven.observed, published_prior(inputs.vehicles), config.usage)
        fleet = fleet_of(inputs, driven, Ahead(usage, config.usage))
        self._wear.add(fleet, self._as_of_d, ItemRules(config.wear, config.due), model)
        self._late.add(fleet, self._as_of_d)
        for kept, readings in zip(self._batteries, battery_readings(inputs), strict=True):
            if sum(len(each.value) for each in kept) < SEASON_READINGS_MAX:
                kept.append(readings)

    def knowledge(self, model: Scorecard | None = None, usual_service: float = 0.0) -> Knowledge:
        """What the fleet says of itself, beside what its owners do.

        That is the readiness ``model`` that outcomes taught, if any has, and what services bring in a year.
        """
        config, measures = self._config, self._config.battery.measures
        groups = self._usage.groups
        return Knowledge(
            priors=self._usage.priors(config.usage),
            pace=self._pace.model(len(groups), config),
            wear=WearPriors(dict(groups), self._wear.priors(len(groups))),
            season=[
                season_of(_joined(kept), measure)
                for kept, measure in zip(self._batteries, measures, strict=True)
            ],
            usual_service=usual_service,
            model=model or readiness_priors.shipped()[0],
            lapses_after_d=self._late.lapses_after_d(),
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


def nothing() -> Knowledge:
    """What is known before the first full derivation: what is published."""
    return Knowledge(Priors.published())


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
    await calibrations.put(
        connection,
        dealer_id,
        as_of=as_of,
        document={
            SEASON: [[float(month) for month in season] for season in known.season],
            PACE: known.pace.to_document(),
            LAPSE: known.lapses_after_d if np.isfinite(known.lapses_after_d) else None,
            USUAL_SERVICE: known.usual_service,
        },
        coverage=coverage_rows(known.pace),
        config_version=config.version,
        now=now,
    )


async def newest(connection: AsyncConnection, dealer_id: int, as_of: dt.date) -> Knowledge:
    """What the newest full derivation up to that date has learned; what is published where there was none."""
    found = await calibrations.newest(connection, dealer_id, as_of)
    document: Mapping[str, Any] = {} if found is None else found.document
    return Knowledge(
        priors=await priors.newest(connection, dealer_id, as_of),
        pace=PaceModel.from_document(document[PACE]) if PACE in document else untaught(),
        wear=await wear_priors.newest(connection, dealer_id, as_of),
        season=[np.array(season) for season in document[SEASON]] if SEASON in document else no_season(),
        usual_service=float(document.get(USUAL_SERVICE, 0.0)),
        model=await model_of(connection, dealer_id, as_of),
        lapses_after_d=np.inf if document.get(LAPSE) is None else float(document[LAPSE]),
    )


async def model_of(connection: AsyncConnection, dealer_id: int, as_of: dt.date) -> Scorecard:
    """The readiness model that is in force on that date; the priors before there is one."""
    row = await readiness_models.in_force(connection, dealer_id, as_of)
    return readiness_priors.shipped()[0] if row is None else Scorecard.from_document(row.document)
