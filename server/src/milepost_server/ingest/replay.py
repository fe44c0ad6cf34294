"""Replay of a quarantined payload, once what kept it from being understood was mended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_protocol.codec import decode_batch
from milepost_server.errors import ConflictError, ReplayRefusedError
from milepost_server.ingest.arrivals import Arrival, open_arrival
from milepost_server.ingest.coverage import Coverage
from milepost_server.ingest.intake import StreamIntake
from milepost_server.ingest.writes import Writes
from milepost_server.store import archive, devices, quarantine, streams
from milepost_server.store.schema import QuarantineState

if TYPE_CHECKING:
    import datetime as dt

    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_protocol.batch import Batch
    from milepost_server.ingest.projection import Projector
    from milepost_server.store.devices import DeviceRow
    from milepost_server.store.quarantine import QuarantineRow

OVERLAPPING_MAX = 4096


async def replay(
    connection: AsyncConnection, projector: Projector, quarantine_id: int, *, now: dt.datetime
) -> int:
    """Take a held payload in; return the number of seqs that it adds to the archive.

    Seqs that another payload has brought meanwhile stay as that one said.

    Raises:
        NotFoundError: there is no such payload.
        ConflictError: it was replayed or discarded already.
        ReplayRefusedError: it still cannot be understood, or its device may not send.
    """
    row = await held(connection, quarantine_id)
    device, batch = await _understood(connection, row)
    locked = await streams.lock(connection, {(device.dealer_id, device.id, batch.epoch)}, now=now)
    stream = locked[(device.id, batch.epoch)]
    # The receipt has passed its seqs when it was quarantined, so the archive says what is really there.
    rows = await archive.overlapping(
        connection, stream.dealer_id, stream.id, batch.first, batch.last, limit=OVERLAPPING_MAX
    )
    there = Coverage()
    for one in rows:
        there = there.with_span(one.first_seq, one.last_seq)
    spans = list(there.uncovered(batch.first, batch.last))
    if spans:
        places = await devices.installations_of(connection, device.dealer_id, [device.id])
        intake = StreamIntake(stream, Coverage(stream.watermark, stream.ranges), places)
        intake.accept(
            batch,
            row.payload,
            row.received_at,
            projector,
            spans=spans,
            known=there,
            stored=[decode_batch(one.payload) for one in rows],
        )
        writes = Writes()
        await intake.write(connection, now, writes)
        await writes.flush(connection, now)
    await quarantine.settle(connection, row.id, QuarantineState.REPLAYED, now=now)
    return sum(high - low + 1 for low, high in spans)


async def discard(connection: AsyncConnection, quarantine_id: int, *, now: dt.datetime) -> None:
    """Note that nothing is to be done with a held payload; it stays in the table.

    Raises:
        NotFoundError: there is no such payload.
        ConflictError: it was replayed or discarded already.
    """
    row = await held(connection, quarantine_id)
    await quarantine.settle(connection, row.id, QuarantineState.DISCARDED, now=now)


async def held(connection: AsyncConnection, quarantine_id: int) -> QuarantineRow:
    """The payload with this id, which is still held.

    Raises:
        NotFoundError: there is no such payload.
        ConflictError: it was replayed or discarded already.
    """
    row = await quarantine.one(connection, quarantine_id)
    if row.state is not QuarantineState.HELD:
        raise ConflictError("payload in quarantine", quarantine_id, f"was {row.state.value} already")
    return row


async def _understood(connection: AsyncConnection, row: QuarantineRow) -> tuple[DeviceRow, Batch]:
    opened = open_arrival(Arrival(row.topic, row.payload, row.received_at))
    if opened.trouble or not opened.batch or not opened.device_id:
        trouble = opened.trouble
        reason, detail = (trouble.reason, trouble.detail) if trouble else (row.reason, row.detail)
        raise ReplayRefusedError(row.id, reason, detail)
    device = (await devices.known(connection, [opened.device_id])).get(opened.device_id)
    if device is None:
        raise ReplayRefusedError(row.id, "unknown-device", f"register device {opened.device_id} first")
    if device.revoked_at is not None:
        raise ReplayRefusedError(row.id, "revoked", f"device {device.id} is revoked")
    return device, opened.batch
