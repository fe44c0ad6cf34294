"""One locked stream while payloads are taken into it: what is accepted, and what that writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from milepost_server.ingest.losses import Loss, losses
from milepost_server.ingest.projection import Projection, Projector, Refusal
from milepost_server.store import archive, dirty, readings, streams
from milepost_server.store.archive import ArchivedBatch

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_protocol.batch import Batch
    from milepost_server.ingest.coverage import Coverage, Span
    from milepost_server.store.devices import InstallationRow
    from milepost_server.store.streams import StreamRow

REFUSED_SIGNALS_MAX = 256
"""(signal, reason) counted for a device by name; the rest is counted together."""

OTHER_SIGNALS = "(other signals)"


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

    @property
    def changed(self) -> bool:
        """Whether anything is to be written."""
        return (self.coverage.watermark, self.coverage.ranges) != (self.row.watermark, self.row.ranges)

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

    async def write(self, connection: AsyncConnection, now: dt.datetime) -> None:
        """Write coverage, archive, readings, gaps and refusals."""
        await streams.save(
            connection,
            self.row,
            watermark=self.coverage.watermark,
            ranges=self.coverage.ranges,
            received_at=now,
        )
        await archive.add(connection, [one.row for one in self.accepted])
        await readings.add_gaps(
            connection,
            [
                {
                    "dealer_id": self.row.dealer_id,
                    "stream_id": self.row.id,
                    "first_seq": loss.first,
                    "last_seq": loss.last,
                    "vehicle_id": one.row.vehicle_id,
                    "reason": loss.reason,
                    "counts": dict(loss.counts),
                    "received_at": one.row.received_at,
                }
                for one in self.accepted
                for loss in one.losses
            ],
        )
        for one in self.accepted:
            await write_projection(connection, self.row, one.projection, one.row.received_at)


async def write_projection(
    connection: AsyncConnection, stream: StreamRow, projection: Projection, received_at: dt.datetime
) -> None:
    """Write readings, refusals and VIN conflicts of one stream, and mark the vehicles dirty."""
    await readings.add(
        connection,
        [
            {
                **reading._asdict(),
                "dealer_id": stream.dealer_id,
                "stream_id": stream.id,
                "received_at": received_at,
            }
            for reading in projection.readings
        ],
    )
    touched = {(stream.dealer_id, reading.vehicle_id) for reading in projection.readings}
    await dirty.mark(connection, touched, now=received_at)
    for conflict in sorted(projection.vin_conflicts):
        await readings.note_vin_conflict(
            connection,
            stream.dealer_id,
            stream.device_id,
            vehicle_id=conflict.vehicle_id,
            vin_reported=conflict.vin_reported,
            now=received_at,
        )
    if projection.refused:
        await _count_refusals(connection, stream, projection, received_at)


async def _count_refusals(
    connection: AsyncConnection, stream: StreamRow, projection: Projection, now: dt.datetime
) -> None:
    counted = await readings.refused_signals(connection, stream.dealer_id, stream.device_id)
    for refusal, samples in sorted(projection.refused.items()):
        key = refusal
        if refusal not in counted and len(counted) >= REFUSED_SIGNALS_MAX:
            key = Refusal(OTHER_SIGNALS, refusal.reason)
        counted.add(key)
        await readings.count_refusal(
            connection,
            stream.dealer_id,
            stream.device_id,
            signal=key.signal,
            reason=key.reason,
            samples=samples,
            detail=projection.details[refusal],
            now=now,
        )
