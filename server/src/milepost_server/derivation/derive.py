"""Derives vehicles as of a date: one dealer's, all or some, or those of all dealers with something new.

Same data, same configuration, same date: same rows. A full derivation makes the dealer's priors first and
then uses them; a partial one uses the newest that are there.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from milepost_server.derivation import loading, priors, rows, rows_due, writing
from milepost_server.derivation.driving import drive, months_of
from milepost_server.derivation.loading import CHUNK_VEHICLES_MAX
from milepost_server.derivation.steps import Learned, derive
from milepost_server.derivation.times import AsOf
from milepost_server.store import dealers, dirty

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import AsyncIterator, Sequence

    from milepost_server.derivation.configuration import Configuration
    from milepost_server.derivation.fleet import Chunk
    from milepost_server.derivation.priors import Priors
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
    """Derives with one configuration; ``now`` is written down as the time of derivation."""

    def __init__(self, store: Store, config: Configuration, *, now: dt.datetime) -> None:
        self._store = store
        self._config = config
        self._now = now

    async def dealer(self, dealer: DealerRow, date: dt.date) -> Report:
        """Make the dealer's priors anew, and derive all of its vehicles with them."""
        as_of = AsOf.of(date, dealer.timezone)
        found = await self._make_priors(dealer.id, as_of)
        report = Report()
        async for ids in self._all_ids(dealer.id):
            report += await self._chunk(dealer.id, as_of, ids, found)
        # Last, so that a derivation that was cut short is made again.
        async with self._store.write() as connection:
            await priors.save(connection, dealer.id, date, found, self._config)
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
        as_of = AsOf.of(date, dealer.timezone)
        async with self._store.read() as connection:
            found = await priors.newest(connection, dealer.id, date)
        report = Report()
        for start in range(0, len(vehicle_ids), CHUNK_VEHICLES_MAX):
            ids = vehicle_ids[start : start + CHUNK_VEHICLES_MAX]
            chosen = set(ids)
            clean = [vehicle for vehicle in seen if vehicle.vehicle_id in chosen]
            report += await self._chunk(dealer.id, as_of, ids, found, clean)
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

    async def _all_ids(self, dealer_id: int) -> AsyncIterator[Sequence[int]]:
        after_id = 0
        while True:
            async with self._store.read() as connection:
                ids = await loading.vehicle_ids(
                    connection, dealer_id, after_id=after_id, limit=CHUNK_VEHICLES_MAX
                )
            if not ids:
                return
            yield ids
            after_id = ids[-1]

    async def _load(self, dealer_id: int, as_of: AsOf, ids: Sequence[int]) -> Chunk:
        async with self._store.read() as connection:
            return await loading.load(connection, dealer_id, ids, as_of, self._config)

    async def _make_priors(self, dealer_id: int, as_of: AsOf) -> Priors:
        sample = priors.FleetSample()
        async for ids in self._all_ids(dealer_id):
            chunk = await self._load(dealer_id, as_of, ids)
            driven = await asyncio.to_thread(drive, chunk.inputs.odometer, as_of.end_d, self._config)
            sample.add(chunk.vehicles, driven, months_of(driven))
        return sample.priors(self._config.usage)

    async def _chunk(
        self,
        dealer_id: int,
        as_of: AsOf,
        ids: Sequence[int],
        found: Priors,
        seen: Sequence[DirtyVehicle] = (),
    ) -> Report:
        chunk = await self._load(dealer_id, as_of, ids)
        prepared = await asyncio.to_thread(self._prepare, chunk, as_of, found)
        stamp = writing.Stamp(dealer_id, as_of.date, self._config.version, self._now)
        async with self._store.write() as connection:
            judgements = await writing.write(connection, prepared, stamp)
            await dirty.clear(connection, seen)
        return Report(len(chunk.vehicles), len(prepared.due), judgements)

    def _prepare(self, chunk: Chunk, as_of: AsOf, found: Priors) -> writing.Prepared:
        learned = Learned(found.of(chunk.vehicles))
        derived = derive(chunk.inputs, learned, as_of.end_d, self._config)
        return writing.Prepared(
            [vehicle.id for vehicle in chunk.vehicles],
            list(rows.usage_rows(chunk, derived, as_of)),
            list(rows_due.due_rows(chunk, derived)),
            list(rows.judgement_rows(chunk, derived)),
        )
