"""One derivation of one dealer's vehicles as of one date, a chunk at a time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_server.derivation import writing
from milepost_server.derivation.carried import Carried
from milepost_server.derivation.learning import knowledge
from milepost_server.derivation.loading import owners as load_owners
from milepost_server.derivation.loading import vehicles as loading
from milepost_server.derivation.loading.owners import CHUNK_OWNERS_MAX
from milepost_server.derivation.loading.vehicles import CHUNK_VEHICLES_MAX
from milepost_server.derivation.rows import due as rows_due
from milepost_server.derivation.rows import health as rows_health
from milepost_server.derivation.rows import readiness as rows_readiness
from milepost_server.derivation.rows import usage as rows
from milepost_server.derivation.steps.owner import owner_rows
from milepost_server.derivation.steps.whole import derive
from milepost_server.signals.value.lifetime import DAYS_PER_YEAR, memory_d, usual_service
from milepost_server.store import dirty

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from milepost_server.derivation.configuration import Configuration
    from milepost_server.derivation.fleet import Chunk
    from milepost_server.derivation.learning.knowledge import Knowledge
    from milepost_server.derivation.learning.readiness_check import ModelWatch
    from milepost_server.derivation.steps.whole import Derived
    from milepost_server.derivation.times import AsOf
    from milepost_server.signals.faults.texts import FaultTexts
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


@dataclass(frozen=True, slots=True)
class DealerRun:
    """One derivation of one dealer's vehicles as of one date."""

    store: Store
    config: Configuration
    as_of: AsOf
    stamp: writing.Stamp
    texts: FaultTexts
    currency: str

    async def all_ids(self) -> AsyncIterator[Sequence[int]]:
        """The ids of all vehicles, a chunk at a time."""
        after_id = 0
        while True:
            async with self.store.read() as connection:
                ids = await loading.vehicle_ids(
                    connection, self.stamp.dealer_id, self.as_of, after_id=after_id, limit=CHUNK_VEHICLES_MAX
                )
            if not ids:
                return
            yield ids
            after_id = ids[-1]

    async def learn(self) -> Knowledge:
        """What the dealer's fleet says of itself."""
        async with self.store.read() as connection:
            chosen = await loading.sample_ids(connection, self.stamp.dealer_id, self.as_of)
            model = await knowledge.model_of(connection, self.stamp.dealer_id, self.stamp.as_of)
            rules = self.config.lifetime
            services = await load_owners.services(
                connection, self.stamp.dealer_id, self.as_of, memory_d=memory_d(rules)
            )
        usual = usual_service(*services, self.as_of.end_d, rules)
        sample = knowledge.FleetSample(self.config, self.as_of.end_d, len(chosen))
        for start in range(0, len(chosen), CHUNK_VEHICLES_MAX):
            chunk = await self._load(chosen[start : start + CHUNK_VEHICLES_MAX])
            await asyncio.to_thread(sample.add, chunk)
        return await asyncio.to_thread(sample.knowledge, model, usual)

    async def chunk(
        self,
        ids: Sequence[int],
        learned: Knowledge,
        carried: Carried | None = None,
        *,
        watch: ModelWatch | None = None,
    ) -> Report:
        """Derive a chunk of vehicles, with what the day before left: ``carried``, or as the store has it.

        ``watch`` sees what the readiness model makes of them.
        """
        chunk = await self._load(ids, carried)
        prepared = await asyncio.to_thread(self._prepare, chunk, learned, watch)
        async with self.store.write() as connection:
            judgements = await writing.write(connection, prepared, self.stamp)
            if watch is not None and watch.notes:
                await watch.note(connection, self.stamp, prepared.vehicle_ids, prepared.readiness)
        return Report(len(chunk.vehicles), len(prepared.due), judgements)

    async def carry(self, ids: Sequence[int], learned: Knowledge, carried: Carried) -> Carried:
        """What the day leaves of a chunk of vehicles to the next one; nothing is written."""
        chunk = await self._load(ids, carried)
        return await asyncio.to_thread(lambda: Carried.of(chunk, self._derived(chunk, learned)))

    async def all_owner_ids(self) -> AsyncIterator[Sequence[int]]:
        """The ids of all owners, a chunk at a time."""
        after_id = 0
        while True:
            async with self.store.read() as connection:
                ids = await load_owners.owner_ids(
                    connection, self.stamp.dealer_id, self.as_of, after_id=after_id, limit=CHUNK_OWNERS_MAX
                )
            if not ids:
                return
            yield ids
            after_id = ids[-1]

    async def owners_of(
        self, vehicle_ids: Sequence[int], learned: Knowledge, seen: Sequence[DirtyVehicle]
    ) -> None:
        """Take together the vehicles of all whom these vehicles are, or were; ``seen`` are clean then."""
        async with self.store.read() as connection:
            ids = await load_owners.owners_touched(connection, self.stamp.dealer_id, vehicle_ids)
        for start in range(0, len(ids), CHUNK_OWNERS_MAX):
            await self.owners(ids[start : start + CHUNK_OWNERS_MAX], learned)
        async with self.store.write() as connection:
            await dirty.clear(connection, seen)

    async def owners(self, ids: Sequence[int], learned: Knowledge) -> None:
        """Take the vehicles of a chunk of owners together, as they were derived."""
        horizon_d = self.config.lifetime.horizon_years * DAYS_PER_YEAR
        async with self.store.read() as connection:
            chunk = await load_owners.load(
                connection, self.stamp.dealer_id, ids, self.as_of, horizon_d=horizon_d
            )
        found = list(owner_rows(chunk, learned.usual_service, self.as_of, self.config, self.currency))
        async with self.store.write() as connection:
            await writing.write_owners(connection, ids, found, self.stamp)

    async def _load(self, ids: Sequence[int], carried: Carried | None = None) -> Chunk:
        dealer_id, as_of = self.stamp.dealer_id, self.as_of
        async with self.store.read() as connection:
            return await loading.load(connection, dealer_id, ids, as_of, self.config, carried=carried)

    def _derived(self, chunk: Chunk, learned: Knowledge) -> Derived:
        return derive(chunk.inputs, learned.of(chunk.vehicles), self.as_of.end_d, self.config)

    def _prepare(self, chunk: Chunk, learned: Knowledge, watch: ModelWatch | None) -> writing.Prepared:
        derived = self._derived(chunk, learned)
        if watch is not None:
            watch.see(derived.readiness)
        return writing.Prepared(
            [vehicle.id for vehicle in chunk.vehicles],
            list(rows.usage_rows(chunk, derived, self.as_of)),
            list(rows_due.due_rows(chunk, derived)),
            list(rows_health.fault_rows(chunk, derived, self.as_of, self.texts)),
            list(rows_health.health_rows(chunk, derived, self.as_of, self.config)),
            list(
                rows_readiness.readiness_rows(chunk, derived, learned.model, self.as_of.end_d, self.currency)
            ),
            list(rows.judgement_rows(chunk, derived)),
        )
