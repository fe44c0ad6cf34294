"""How much of a dealer's data has been taken in, from the rows that ingest itself works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from milepost_server.store.schema import batches, devices, gaps, owners, stream_ranges, streams, vehicles

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Table
    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class IntakeCounts:
    """Seqs are samples and what was dropped in their place; they are disjoint, nothing is counted twice."""

    owners: int
    vehicles: int
    devices: int
    streams: int
    batches: int
    seqs_receipted: int  # below which nothing is missing, over all streams: what receipts say
    seqs_above: int  # committed above that, with a hole before them
    seqs_dropped: int  # reported as gaps

    @property
    def samples_committed(self) -> int:
        """Samples that are durably stored, or kept whole in quarantine."""
        return self.seqs_receipted + self.seqs_above - self.seqs_dropped


async def of_dealer(connection: AsyncConnection, dealer_id: int) -> IntakeCounts:
    """The dealer's counts, as of this transaction."""

    async def total(table: Table, value: ColumnElement[Any]) -> int:
        query = select(value).select_from(table).where(table.c.dealer_id == dealer_id)
        return int((await connection.execute(query)).scalar_one() or 0)

    dropped = 0
    reports = select(gaps.c.counts).where(gaps.c.dealer_id == dealer_id)
    for (by_class,) in await connection.execute(reports):
        dropped += sum(by_class.values())
    ranges = stream_ranges.c.last_seq - stream_ranges.c.first_seq + 1
    return IntakeCounts(
        owners=await total(owners, func.count()),
        vehicles=await total(vehicles, func.count()),
        devices=await total(devices, func.count()),
        streams=await total(streams, func.count()),
        batches=await total(batches, func.count()),
        seqs_receipted=await total(streams, func.sum(streams.c.watermark)),
        seqs_above=await total(stream_ranges, func.sum(ranges)),
        seqs_dropped=dropped,
    )
