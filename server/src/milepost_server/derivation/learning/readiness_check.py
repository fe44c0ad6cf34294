"""Checks in each full derivation whether readiness models still fit: whom they meet, what came of their odds.

What the model in force foretells is noted on a day in each quarter and kept until the 90 days after it are
known, so that nothing has to be derived again, and outcomes that come late count from the next day on.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np

from milepost_server.derivation import times
from milepost_server.derivation.learning.after import after
from milepost_server.derivation.times import AsOf
from milepost_server.signals.flat import DAYS_PER_MONTH
from milepost_server.signals.readiness.advice import bin_words, score_bin_words
from milepost_server.signals.readiness.check import NOTHING_CAME, came_true
from milepost_server.signals.readiness.hazard import NEAR_MONTHS, at_risk
from milepost_server.signals.readiness.model import POINTS
from milepost_server.store import readiness_checks, readiness_foretold
from milepost_server.store.readiness_checks import CheckRow
from milepost_server.store.readiness_foretold import Foretold, NotedDay

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.derivation.rows.usage import Row
    from milepost_server.derivation.steps.readiness import Readiness
    from milepost_server.derivation.writing import Stamp
    from milepost_server.signals.flat import Floats, Ints
    from milepost_server.signals.readiness.check import CameTrue
    from milepost_server.signals.readiness.drift import Drift
    from milepost_server.signals.readiness.model import Scorecard
    from milepost_server.store.engine import Store

BACK_D = 460
"""How far back what was foretold is held against what came: five quarters, of which a year is known."""
_CARS_AT_ONCE = 2_000


class ModelWatch:
    """Watches the model in force while it scores a dealer's cars, a chunk at a time."""

    def __init__(self, model: Scorecard, *, notes: bool) -> None:
        self._model = model
        self.notes = notes
        self._counts: dict[str, Ints] = {}

    def see(self, found: Readiness) -> None:
        """Count the owned cars of a chunk."""
        owned = {name: values[found.is_owned] for name, values in found.columns.items()}
        for name, counted in self._model.counts(owned).items():
            self._counts[name] = self._counts.get(name, 0) + counted

    async def note(
        self, connection: AsyncConnection, stamp: Stamp, vehicle_ids: Sequence[int], rows: Iterable[Row]
    ) -> None:
        """Note what ``rows`` of ``readiness`` foretell of these vehicles."""
        day = NotedDay(stamp.as_of, self._model.version)
        foretold = [Foretold(row["vehicle_id"], row["owner_id"], row["p_90d"]) for row in rows]
        await readiness_foretold.put(
            connection, stamp.dealer_id, day, vehicle_ids=vehicle_ids, foretold=foretold
        )

    @property
    def version(self) -> str:
        """Of the model."""
        return self._model.version

    @property
    def vehicles(self) -> int:
        """How many it has scored."""
        return int(self._counts[POINTS].sum()) if self._counts else 0

    def drift(self) -> list[dict[str, Any]]:
        """As ``readiness_checks.drift``."""
        words = {
            column.name: [bin_words(column, place) for place in range(column.size)]
            for column in self._model.card.columns
        }
        return [
            _drift(name, found, score_bin_words(found.bin) if name == POINTS else words[name][found.bin])
            for name, found in self._model.drifted(self._counts).items()
        ]


async def watch(store: Store, stamp: Stamp, model: Scorecard) -> ModelWatch:
    """A watch over the model that is in force on the day."""
    async with store.read() as connection:
        wanted = await readiness_foretold.is_wanted(connection, stamp.dealer_id, model.version, stamp.as_of)
    return ModelWatch(model, notes=wanted)


async def check(store: Store, stamp: Stamp, seen: ModelWatch, timezone: str) -> None:
    """Write down whether each model still fits: the one in force, and those that have foretold something."""
    since = stamp.as_of - dt.timedelta(days=BACK_D)
    async with store.read() as connection:
        days = await readiness_foretold.days(connection, stamp.dealer_id, stamp.as_of)
    days = [day for day in days if day.as_of >= since]
    rows = []
    for version in sorted({seen.version, *(day.model_version for day in days)}):
        mine = [day for day in days if day.model_version == version]
        is_seen = version == seen.version
        rows.append(
            CheckRow(
                as_of=stamp.as_of,
                model_version=version,
                vehicles=seen.vehicles if is_seen else 0,
                foretold_on=mine[0].as_of if mine else None,
                drift=seen.drift() if is_seen else [],
                came=(await _came_of(store, stamp, mine, timezone)).to_document(),
                config_version=stamp.config_version,
                derived_at=stamp.derived_at,
            )
        )
    async with store.write() as connection:
        await readiness_checks.put(connection, stamp.dealer_id, rows)


async def _came_of(store: Store, stamp: Stamp, days: Sequence[NotedDay], timezone: str) -> CameTrue:
    """What came of what was foretold on those of the days whose 90 days are over."""
    parts = []
    for day in days:
        as_of = AsOf.of(day.as_of, timezone)
        if (times.start_d(stamp.as_of) - as_of.end_d) / DAYS_PER_MONTH < NEAR_MONTHS:
            continue
        after_id = 0
        while True:
            async with store.read() as connection:
                page = await readiness_foretold.page(
                    connection, stamp.dealer_id, day, after_id=after_id, limit=_CARS_AT_ONCE
                )
                if not page:
                    break
                parts.append(await _came_of_cars(connection, stamp, page, as_of))
            after_id = page[-1].vehicle_id
    if not parts:
        return NOTHING_CAME
    foretold, events = (np.concatenate(each) for each in zip(*parts, strict=True))
    return came_true(foretold, events)


async def _came_of_cars(
    connection: AsyncConnection, stamp: Stamp, cars: Sequence[Foretold], as_of: AsOf
) -> tuple[Floats, Floats]:
    """What was foretold of cars, and whether it came, of those that could be followed for 90 days."""
    owner_of = {car.vehicle_id: car.owner_id for car in cars}
    found = await after(connection, stamp.dealer_id, owner_of, day=as_of.date, today=stamp.as_of)
    near = at_risk(*found.followed([car.vehicle_id for car in cars], as_of), 0, NEAR_MONTHS)
    known = (near.months >= NEAR_MONTHS) | (near.events > 0)
    return np.array([car.p_90d for car in cars])[known], near.events[known]


def _drift(name: str, found: Drift, words: str) -> dict[str, Any]:
    figures = {"index": found.index, "chance": found.chance, "move": found.move.value}
    return {"column": name, **figures, "bin": words, "then": found.then, "now": found.now}
