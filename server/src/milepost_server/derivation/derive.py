"""Derives vehicles as of a date: one dealer's, all or some, or those of all dealers with something new.

Same data, same configuration, same date: same rows. A full derivation learns from the dealer's fleet first
and then uses what it has learned; a partial one uses what the last full one has learned.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from milepost_server.derivation import knowledge, loading, rows, rows_due, rows_health, writing
from milepost_server.derivation.loading import CHUNK_VEHICLES_MAX
from milepost_server.derivation.schedules import configuration_of
from milepost_server.derivation.steps import derive
from milepost_server.derivation.times import AsOf
from milepost_server.signals.faults.texts import FaultTexts
from milepost_server.store import dealers, dirty

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import AsyncIterator, Sequence

    from milepost_server.derivation.configuration import Configuration
    from milepost_server.derivation.fleet import Chunk
    from milepost_server.derivation.knowledge import Knowledge
    from milepost_server.store.dealers import DealerRow
    from milepost_server.store.dirty import DirtyVehicle
    from milepost_server.store.engine import Store


@dataclass(slots=True)
class Report:
    """How much a derivation did."""

    vehicles: int = 0
    items: int = 0
    judgements: int = 0
    """Odometer readings whose judgement is new or changed."""

    def __iadd__(self, other: Report) -> Report:
        self.vehicles += other.vehicles
        self.items += other.items
        self.judgements += other.judgements
        return self


class Derivation:
    """Derives with one configuration, to which each dealer's own schedules are added.

    ``now`` is written down as the time of derivation; ``texts`` are what trouble codes are called.
    """

    def __init__(
        self, store: Store, config: Configuration, *, now: dt.datetime, texts: FaultTexts | None = None
    ) -> None:
        self._store = store
        self._config = config
        self._now = now
        self._texts = texts or FaultTexts()

    async def dealer(self, dealer: DealerRow, date: dt.date) -> Report:
        """Learn from the dealer's fleet anew, and derive all of its vehicles with that."""
        run = await self._run(dealer, date)
        learned = await run.learn()
        report = Report()
        async for ids in run.all_ids():
            report += await run.chunk(ids, learned)
        # Last, so that a derivation that was cut short is made again.
        async with self._store.write() as connection:
            await knowledge.save(connection, dealer.id, date, learned, run.config, now=self._now)
        return report

    async def vehicles(
        self,
        dealer: DealerRow,
        date: dt.date,
        vehicle_ids: Sequence[int],
        *,
        seen: Sequence[DirtyVehicle] = (),
    ) -> Report:
        """Derive some of the dealer's vehicles; those in ``seen`` are clean afterwards."""
        run = await self._run(dealer, date)
        async with self._store.read() as connection:
            learned = await knowledge.newest(connection, dealer.id, date)
        report = Report()
        for start in range(0, len(vehicle_ids), CHUNK_VEHICLES_MAX):
            ids = vehicle_ids[start : start + CHUNK_VEHICLES_MAX]
            chosen = set(ids)
            clean = [vehicle for vehicle in seen if vehicle.vehicle_id in chosen]
            report += await run.chunk(ids, learned, clean)
        return report

    async def dirty(self, limit: int) -> Report:
        """Derive at most ``limit`` vehicles with something new, of all dealers, the longest waiting first.

        As of the date that it is now where the dealer is.
        """
        async with self._store.read() as connection:
            waiting = sorted(await dirty.oldest(connection, limit))
            known = {dealer.id: dealer for dealer in await dealers.every(connection)}
        report = Report()
        for dealer_id, group in groupby(waiting, key=lambda vehicle: vehicle.dealer_id):
            seen, dealer = list(group), known[dealer_id]
            date = AsOf.at(self._now, dealer.timezone).date
            report += await self.vehicles(dealer, date, [each.vehicle_id for each in seen], seen=seen)
        return report

    async def _run(self, dealer: DealerRow, date: dt.date) -> DealerRun:
        async with self._store.read() as connection:
            config = await configuration_of(connection, dealer.id, self._config)
        stamp = writing.Stamp(dealer.id, date, config.version, self._now)
        return DealerRun(self._store, config, AsOf.of(date, dealer.timezone), stamp, self._texts)


@dataclass(frozen=True, slots=True)
class DealerRun:
    """One derivation of one dealer's vehicles as of one date."""

    store: Store
    config: Configuration
    as_of: AsOf
    stamp: writing.Stamp
    texts: FaultTexts

    async def all_ids(self) -> AsyncIterator[Sequence[int]]:
        """The ids of all vehicles, a chunk at a time."""
        after_id = 0
        while True:
            async with self.store.read() as connection:
                ids = await loading.vehicle_ids(
                    connection, self.stamp.dealer_id, after_id=after_id, limit=CHUNK_VEHICLES_MAX
                )
            if not ids:
                return
            yield ids
            after_id = ids[-1]

    async def learn(self) -> Knowledge:
        """What the dealer's fleet says of itself."""
        async with self.store.read() as connection:
            count = await loading.vehicles_of(connection, self.stamp.dealer_id)
        sample = knowledge.FleetSample(self.config, self.as_of.end_d, count)
        async for ids in self.all_ids():
            chunk = await self._load(ids)
            await asyncio.to_thread(sample.add, chunk)
        return await asyncio.to_thread(sample.knowledge)

    async def chunk(
        self, ids: Sequence[int], learned: Knowledge, seen: Sequence[DirtyVehicle] = ()
    ) -> Report:
        """Derive a chunk of vehicles; those in ``seen`` are clean afterwards."""
        chunk = await self._load(ids)
        prepared = await asyncio.to_thread(self._prepare, chunk, learned)
        async with self.store.write() as connection:
            judgements = await writing.write(connection, prepared, self.stamp)
            await dirty.clear(connection, seen)
        return Report(len(chunk.vehicles), len(prepared.due), judgements)

    async def _load(self, ids: Sequence[int]) -> Chunk:
        async with self.store.read() as connection:
            return await loading.load(connection, self.stamp.dealer_id, ids, self.as_of, self.config)

    def _prepare(self, chunk: Chunk, learned: Knowledge) -> writing.Prepared:
        derived = derive(chunk.inputs, learned.of(chunk.vehicles), self.as_of.end_d, self.config)
        return writing.Prepared(
            [vehicle.id for vehicle in chunk.vehicles],
            list(rows.usage_rows(chunk, derived, self.as_of)),
            list(rows_due.due_rows(chunk, derived)),
            list(rows_health.fault_rows(chunk, derived, self.as_of, self.texts)),
            list(rows_health.health_rows(chunk, derived, self.as_of, self.config)),
            list(rows.judgement_rows(chunk, derived)),
        )
