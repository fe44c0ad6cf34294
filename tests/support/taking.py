"""Ingest without a broker: payloads in by hand, receipts and outcomes out as lists."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from sqlalchemy import select

from milepost_protocol import topics
from milepost_protocol.codec import encode_batch
from milepost_protocol.signals import catalogue
from milepost_server.ingest.arrivals import Arrival
from milepost_server.ingest.commit import CommitLimits
from milepost_server.ingest.projection import Projector
from milepost_server.ingest.queue import ArrivalQueue
from milepost_server.ingest.worker import Worker
from support.batches import DEVICE

if TYPE_CHECKING:
    from sqlalchemy import Table

    from milepost_protocol.batch import Batch
    from milepost_protocol.receipt import Receipt
    from milepost_server.ingest.outcome import Outcome
    from milepost_server.store.engine import Store

RECEIVED = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
LIMITS = CommitLimits(ranges_max=64, quarantine_held_max=20)


def arrival(batch: Batch | bytes, topic: str | None = None, received_at: dt.datetime = RECEIVED) -> Arrival:
    """A payload on the topic of its device, unless told otherwise."""
    payload = batch if isinstance(batch, bytes) else encode_batch(batch)
    device = DEVICE if isinstance(batch, bytes) else batch.device
    return Arrival(topics.up(device) if topic is None else topic, payload, received_at)


class Taker:
    """A worker with its receipts and outcomes kept for the test to look at."""

    def __init__(self, store: Store, limits: CommitLimits = LIMITS) -> None:
        self.store = store
        self.receipts: list[tuple[str, Receipt]] = []
        self.outcomes: list[Outcome] = []
        self.retries = 0
        self.queue = ArrivalQueue(1000, 10_000_000)
        self.worker = Worker(
            store,
            self.queue,
            self,
            Projector(catalogue(), future_s_max=300),
            limits,
            group_payloads_max=16,
            group_wait_s=0.001,
            retry_s_max=0.2,
            on_commit=lambda outcome, seconds: self.outcomes.append(outcome),
            on_retry=self._retried,
        )

    def _retried(self) -> None:
        self.retries += 1

    async def publish(self, device_id: str, receipt: Receipt) -> None:
        """Keep a receipt."""
        self.receipts.append((device_id, receipt))

    async def take(self, *batches: Batch | bytes | Arrival) -> Outcome:
        """Take one group in; return what the last commit came to."""
        await self.worker.take([one if isinstance(one, Arrival) else arrival(one) for one in batches])
        return self.outcomes[-1]

    @property
    def receipt(self) -> Receipt:
        """The last receipt."""
        return self.receipts[-1][1]

    async def rows(self, table: Table) -> list[dict[str, object]]:
        """All rows of a table, by its primary key."""
        query = select(table).order_by(*table.primary_key.columns)
        async with self.store.read() as connection:
            found = await connection.execute(query.execution_options(across_dealers="a test looks"))
            return [dict(row._mapping) for row in found]
