"""Readings made from the archive again: after an installation changed, or the rules of the projection did."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING

import structlog

from milepost_protocol import service
from milepost_protocol.codec import decode_batch
from milepost_server.ingest.coverage import Coverage
from milepost_server.ingest.projection import Projection, service_done
from milepost_server.ingest.writes import Writes
from milepost_server.store import archive, devices, dirty, readings, service_records, streams

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.ingest.projection import Projector
    from milepost_server.store.devices import InstallationRow
    from milepost_server.store.engine import Store
    from milepost_server.store.streams import StreamRow

BATCHES_A_PAGE = 256
DEVICES_A_PASS_MAX = 64
INTERVAL_S = 2.0

log = structlog.get_logger(__name__)


async def reproject_device(
    connection: AsyncConnection, projector: Projector, dealer_id: int, device_id: str, *, now: dt.datetime
) -> int:
    """Make a device's readings, service records and refusals anew; return how many readings.

    In the caller's transaction. The device's streams are locked, so that ingest waits. Gaps are not touched:
    they rest on what was known when they were reported.
    """
    rows = await streams.of_device(connection, dealer_id, device_id)
    await _forget_services(connection, dealer_id, rows)
    lost = await readings.forget_streams(connection, dealer_id, [row.id for row in rows])
    await readings.forget_refusals(connection, dealer_id, device_id)
    places = await devices.installations_of(connection, dealer_id, [device_id])
    made = 0
    for row in rows:
        made += await _reproject_stream(connection, projector, row, places, now)
    await dirty.mark(connection, {(dealer_id, vehicle_id) for vehicle_id in lost}, now=now)
    await devices.mark_stale(connection, dealer_id, device_id, stale=False)
    return made


async def _forget_services(connection: AsyncConnection, dealer_id: int, rows: Sequence[StreamRow]) -> None:
    """Delete the service records that entries in these streams made: they may belong to another vehicle."""
    entries = await readings.texts(connection, dealer_id, [row.id for row in rows], service.SIGNAL)
    for entry in entries:
        done = service_done(entry[0], entry[2], entry[1])
        await service_records.forget_device_record(
            connection, dealer_id, vehicle_id=done.vehicle_id, item=done.item, done_on=done.done_on
        )


async def _reproject_stream(
    connection: AsyncConnection,
    projector: Projector,
    stream: StreamRow,
    places: Sequence[InstallationRow],
    now: dt.datetime,
) -> int:
    covered = Coverage()
    made = after_id = 0
    while page := await archive.page(
        connection, stream.dealer_id, stream.id, after_id=after_id, limit=BATCHES_A_PAGE
    ):
        writes = Writes()
        for after_id, archived in page:  # noqa: B007  (the last id is where the next page begins)
            projection = Projection()
            spans = list(covered.uncovered(archived.first_seq, archived.last_seq))
            batch = decode_batch(archived.payload)
            projector.project(batch, spans, places, archived.received_at, projection)
            writes.add_projection(stream, projection, archived.received_at)
            covered = covered.with_span(archived.first_seq, archived.last_seq)
            made += len(projection.readings)
        await writes.flush(connection, now)
    return made


async def reproject_stale(store: Store, projector: Projector) -> int:
    """One pass over devices whose installation changed; return how many there were."""
    async with store.read() as connection:
        found = await devices.stale(connection, DEVICES_A_PASS_MAX)
    for dealer_id, device_id in found:
        async with store.write() as connection:
            now = dt.datetime.now(dt.UTC)
            made = await reproject_device(connection, projector, dealer_id, device_id, now=now)
        log.info("reprojected", device=device_id, readings=made)
    return len(found)


async def keep_projected(store: Store, projector: Projector) -> None:
    """Look for such devices until cancelled."""
    while True:
        await reproject_stale(store, projector)
        await asyncio.sleep(INTERVAL_S)
