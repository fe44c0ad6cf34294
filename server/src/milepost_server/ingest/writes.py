"""What a transaction is going to write, collected over its payloads and written in few statements."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from milepost_server.ingest.projection import Refusal
from milepost_server.store import archive, dirty, readings, service_records

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.ingest.losses import Loss
    from milepost_server.ingest.projection import Projection, ServiceDone
    from milepost_server.store.archive import ArchivedBatch
    from milepost_server.store.streams import StreamRow

REFUSED_SIGNALS_MAX = 256
"""(signal, reason) counted for a device by name; the rest is counted together."""

OTHER_SIGNALS = "(other signals)"


@dataclass(slots=True)
class _Refused:
    """Refused samples of one device: number, detail of the last one, and when it came."""

    samples: int
    detail: str
    received_at: dt.datetime


@dataclass(slots=True)
class Writes:
    """Rows by table, in the order in which they came."""

    archive: list[ArchivedBatch] = field(default_factory=list)
    gaps: list[dict[str, Any]] = field(default_factory=list)
    readings: list[dict[str, Any]] = field(default_factory=list)
    services: list[tuple[int, ServiceDone, dt.datetime]] = field(default_factory=list)
    dirty: set[tuple[int, int]] = field(default_factory=set)
    refused: dict[tuple[int, str], dict[Refusal, _Refused]] = field(default_factory=dict)
    vin_conflicts: dict[tuple[int, str, int, str], dt.datetime] = field(default_factory=dict)

    def add_batch(self, row: ArchivedBatch, losses: Sequence[Loss]) -> None:
        """A payload for the archive, with the losses that it reports."""
        self.archive.append(row)
        self.gaps += [
            {
                "dealer_id": row.dealer_id,
                "stream_id": row.stream_id,
                "first_seq": loss.first,
                "last_seq": loss.last,
                "vehicle_id": row.vehicle_id,
                "reason": loss.reason,
                "counts": dict(loss.counts),
                "received_at": row.received_at,
            }
            for loss in losses
        ]

    def add_projection(self, stream: StreamRow, projection: Projection, received_at: dt.datetime) -> None:
        """What one payload of ``stream`` was projected to."""
        for reading in projection.readings:
            row = reading._asdict()
            row["dealer_id"] = stream.dealer_id
            row["stream_id"] = stream.id
            row["received_at"] = received_at
            self.readings.append(row)
            self.dirty.add((stream.dealer_id, reading.vehicle_id))
        self.services += [(stream.dealer_id, done, received_at) for done in projection.services]
        for conflict in projection.vin_conflicts:
            key = (stream.dealer_id, stream.device_id, conflict.vehicle_id, conflict.vin_reported)
            self.vin_conflicts[key] = received_at
        if projection.refused:
            mine = self.refused.setdefault((stream.dealer_id, stream.device_id), {})
            for refusal, samples in projection.refused.items():
                before = mine[refusal].samples if refusal in mine else 0
                mine[refusal] = _Refused(before + samples, projection.details[refusal], received_at)

    async def flush(self, connection: AsyncConnection, now: dt.datetime) -> None:
        """Write all of it; the rows of each table in one order for all workers."""
        await archive.add(connection, self.archive)
        await readings.add_gaps(connection, self.gaps)
        await readings.add(connection, self.readings)
        for dealer_id, done, received_at in self.services:
            await service_records.add(
                connection, dealer_id, **done._asdict(), source=service_records.FROM_DEVICE, now=received_at
            )
        await dirty.mark(connection, self.dirty, now=now)
        for (dealer_id, device_id, vehicle_id, vin), received_at in sorted(self.vin_conflicts.items()):
            await readings.note_vin_conflict(
                connection, dealer_id, device_id, vehicle_id=vehicle_id, vin_reported=vin, now=received_at
            )
        for (dealer_id, device_id), refused in sorted(self.refused.items()):
            await _count_refusals(connection, dealer_id, device_id, refused)


async def _count_refusals(
    connection: AsyncConnection, dealer_id: int, device_id: str, refused: dict[Refusal, _Refused]
) -> None:
    counted = await readings.refused_signals(connection, dealer_id, device_id)
    for refusal, found in sorted(refused.items(), key=lambda pair: pair[0]):
        key = refusal
        if refusal not in counted and len(counted) >= REFUSED_SIGNALS_MAX:
            key = Refusal(OTHER_SIGNALS, refusal.reason)
        counted.add(key)
        await readings.count_refusal(
            connection,
            dealer_id,
            device_id,
            signal=key.signal,
            reason=key.reason,
            samples=found.samples,
            detail=found.detail,
            now=found.received_at,
        )
