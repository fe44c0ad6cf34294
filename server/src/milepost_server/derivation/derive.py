"""Derives vehicles as of a date: one dealer's, all or some, or those of all dealers with something new.

Same data, same configuration, same date: same rows. A full derivation learns from the dealer's fleet first
and then uses what it has learned; a partial one uses what the last full one has learned.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from milepost_server.derivation import writing
from milepost_server.derivation.dealer_files import configuration_of
from milepost_server.derivation.dealer_run import DealerRun, Report
from milepost_server.derivation.learning import knowledge, readiness_check
from milepost_server.derivation.loading.vehicles import CHUNK_VEHICLES_MAX
from milepost_server.derivation.progress import Progress, Tell, silent
from milepost_server.derivation.times import AsOf
from milepost_server.signals.faults.texts import FaultTexts
from milepost_server.store import dealers, derived_days, dirty

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.derivation.configuration import Configuration
    from milepost_server.store.dealers import DealerRow
    from milepost_server.store.dirty import DirtyVehicle
    from milepost_server.store.engine import Store

__all__ = ["Derivation", "Report"]


class Derivation:
    """Derives with one configuration, to which each dealer's own schedules are added.

    ``now`` is written down as the time of derivation; ``texts`` are what trouble codes are called; ``tell``
    is called with the steps of a full derivation that are done, and that there are.
    """

    def __init__(
        self,
        store: Store,
        config: Configuration,
        *,
        now: dt.datetime,
        texts: FaultTexts | None = None,
        tell: Tell = silent,
    ) -> None:
        self._store = store
        self._config = config
        self._now = now
        self._texts = texts or FaultTexts()
        self._tell = tell

    async def dealer(self, dealer: DealerRow, date: dt.date) -> Report:
        """Learn from the dealer's fleet anew, and derive all of its vehicles with that."""
        run = await self._run(dealer, date)
        vehicles = [ids async for ids in run.all_ids()]
        owners = [ids async for ids in run.all_owner_ids()]
        progress = Progress(self._tell, 1 + len(vehicles) + len(owners))
        learned = await run.learn()
        progress.step()
        watch = await readiness_check.watch(self._store, run.stamp, learned.model)
        report = Report()
        for ids in vehicles:
            report += await run.chunk(ids, learned, watch=watch)
            progress.step()
        for ids in owners:
            await run.owners(ids, learned)
            progress.step()
        await readiness_check.check(self._store, run.stamp, watch, dealer.timezone)
        # Last, so that a derivation that was cut short is made again.
        async with self._store.write() as connection:
            await knowledge.save(connection, dealer.id, date, learned, run.config, now=self._now)
            await self._note(connection, dealer, run, learned=True)
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
            report += await run.chunk(ids, learned)
            await run.owners_of(ids, learned, clean)
        async with self._store.write() as connection:
            await self._note(connection, dealer, run, learned=False)
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

    async def _note(
        self, connection: AsyncConnection, dealer: DealerRow, run: DealerRun, *, learned: bool
    ) -> None:
        """Note what the list of today rests on; of a past day, that was noted on the day."""
        if run.as_of.date == AsOf.at(self._now, dealer.timezone).date:
            version = run.config.version
            await derived_days.note(
                connection, dealer.id, run.as_of.date, config_version=version, now=self._now, learned=learned
            )

    async def _run(self, dealer: DealerRow, date: dt.date) -> DealerRun:
        async with self._store.read() as connection:
            config = await configuration_of(connection, dealer.id, self._config)
        stamp = writing.Stamp(dealer.id, date, config.version, self._now)
        as_of = AsOf.of(date, dealer.timezone)
        return DealerRun(self._store, config, as_of, stamp, self._texts, dealer.currency)
