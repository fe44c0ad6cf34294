"""One locked stream while payloads are taken into it: what is accepted, and what that writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from milepost_server.ingest.losses import Loss, losses
from milepost_server.ingest.projection import Projection, Projector
from milepost_server.store import streams
from milepost_server.store.archive import ArchivedBatch

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_protocol.batch import Batch
    from milepost_protocol.receipt import Receipt
    from milepost_server.ingest.coverage import Coverage, Span
    from milepost_server.ingest.writes import Writes
    from milepost_server.store.devices import InstallationRow
    from milepost_server.store.streams import StreamRow


class Accepted(NamedTuple):
    """A batch that brought something new, with what it comes to."""

    row: ArchivedBatch
    projection: Projection
    losses: Sequence[Loss]


@dataclass(slots=True)
class StreamIntake:
    """A stream that the transaction has locked; nothing is written before ``write``."""

    row: StreamRow
    coverage: Coverage
    installations: Sequence[InstallationRow]
    accepted: list[Accepted] = field(default_factory=list)
    asked: list[Span] = field(default_factory=list)
    """What the transaction's payloads cover, whatever became of them: the receipt answers to it."""

    @property
    def changed(self) -> bool:
        """Whether anything is to be written."""
        return (self.coverage.watermark, self.coverage.ranges) != (self.row.watermark, self.row.ranges)

    @property
    def receipt(self) -> Receipt:
        """What the device is told once the transaction is committed."""
        return self.coverage.receipt(self.row.epoch, self.asked)

    def near(self, first: int, last: int) -> list[ArchivedBatch]:
        """What was accepted in this transaction and covers a seq from ``first`` to ``last``."""
        return [one.row for one in self.accepted if one.row.first_seq <= last and one.row.last_seq >= first]

    def accept(
        self,
        batch: Batch,
        payload: bytes,
        received_at: dt.datetime,
        projector: Projector,
        *,
        spans: Sequence[Span],
        known: Coverage,
        stored: Sequence[Batch],
    ) -> None:
        """Take in what of ``batch`` lies in ``spans``, and the losses that ``known`` does not cover.

        ``stored`` are the archived batches that overlap it.
        """
        here = next((place for place in self.installations if place.covers(received_at)), None)
        row = ArchivedBatch(
            dealer_id=self.row.dealer_id,
            stream_id=self.row.id,
            vehicle_id=here.vehicle_id if here else None,
            first_seq=batch.first,
            last_seq=batch.last,
            received_at=received_at,
            payload=payload,
        )
        projection = Projection()
        projector.project(batch, spans, self.installations, received_at, projection)
        found = losses(batch, known, stored, projector.catalogue)
        self.accepted.append(Accepted(row, projection, found))
        self.coverage = self.coverage.with_span(batch.first, batch.last)

    async def write(self, connection: AsyncConnection, now: dt.datetime, into: Writes) -> None:
        """Write what is committed of the stream now, and add all else that is to be written to ``into``."""
        await streams.save(
            connection,
            self.row,
            watermark=self.coverage.watermark,
            ranges=self.coverage.ranges,
            received_at=now,
        )
        for one in self.accepted:
            into.add_batch(one.row, one.losses)
            into.add_projection(self.row, one.projection, one.row.received_at)
