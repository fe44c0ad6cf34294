"""One transaction for a group of payloads: lock, dedupe, archive, project, quarantine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from milepost_protocol.codec import decode_batch
from milepost_server.ingest.arrivals import Opened, Trouble, printable
from milepost_server.ingest.coverage import Coverage
from milepost_server.ingest.intake import StreamIntake
from milepost_server.ingest.losses import contradiction
from milepost_server.ingest.outcome import Outcome
from milepost_server.ingest.writes import Writes
from milepost_server.store import archive, devices, quarantine, streams
from milepost_server.store.quarantine import HeldPayload

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_protocol.batch import Batch
    from milepost_server.ingest.projection import Projector
    from milepost_server.store.devices import DeviceRow, InstallationRow

OVERLAPPING_MAX = 64
"""Archived batches that a batch with known seqs is compared with."""

TOPIC_CHARACTERS_MAX = 1000


@dataclass(frozen=True, slots=True)
class CommitLimits:
    """Limits of one stream and one device; see the settings of the same names."""

    ranges_max: int
    quarantine_held_max: int


class GroupCommit:
    """Takes one group of opened arrivals into the database, within a transaction of the caller.

    Args:
        connection: of a write transaction; nothing holds before it is committed.
        projector: turns samples into readings.
        limits: of one stream and one device.
        now: when the group is committed.
    """

    def __init__(
        self, connection: AsyncConnection, projector: Projector, limits: CommitLimits, now: dt.datetime
    ) -> None:
        self._connection = connection
        self._projector = projector
        self._limits = limits
        self._now = now
        self._outcome = Outcome()
        self._devices: dict[str, DeviceRow] = {}
        self._streams: dict[tuple[str, str], StreamIntake] = {}
        self._held: dict[str | None, int] = {}

    async def run(self, group: Sequence[Opened]) -> Outcome:
        """Take the group in, in its order; publish the outcome's receipts only after the commit."""
        self._devices = await devices.known(
            self._connection, {opened.device_id for opened in group if opened.device_id}
        )
        await self._lock(group)
        for opened in group:
            await self._take(opened)
        writes = Writes()
        for stream in self._streams.values():
            if stream.changed:
                await stream.write(self._connection, self._now, writes)
            self._count(stream)
        await writes.flush(self._connection, self._now)
        self._outcome.receipts = [(stream.row.device_id, stream.receipt) for stream in self._streams.values()]
        return self._outcome

    async def _lock(self, group: Sequence[Opened]) -> None:
        keys = {
            (device.dealer_id, device.id, opened.header.epoch)
            for opened in group
            if opened.header and (device := self._admitted(opened))
        }
        rows = await streams.lock(self._connection, keys, now=self._now)
        by_dealer: dict[int, set[str]] = {}
        for dealer_id, device_id, _ in keys:
            by_dealer.setdefault(dealer_id, set()).add(device_id)
        places: dict[str, list[InstallationRow]] = {}
        for dealer_id, ids in by_dealer.items():
            for place in await devices.installations_of(self._connection, dealer_id, ids):
                places.setdefault(place.device_id, []).append(place)
        for key, row in rows.items():
            coverage = Coverage(row.watermark, row.ranges)
            self._streams[key] = StreamIntake(row, coverage, places.get(row.device_id, []))

    def _admitted(self, opened: Opened) -> DeviceRow | None:
        device = self._devices.get(opened.device_id or "")
        return device if device and device.revoked_at is None else None

    async def _take(self, opened: Opened) -> None:
        device = self._admitted(opened)
        if device is None and opened.device_id is not None:
            await self._hold(opened, self._stranger(opened.device_id))
        elif opened.header is None:
            assert opened.trouble, "what has no header has a trouble"
            await self._hold(opened, opened.trouble)
        else:
            await self._take_framed(opened, self._streams[(opened.device_id or "", opened.header.epoch)])

    def _stranger(self, device_id: str) -> Trouble:
        if device_id in self._devices:
            return Trouble("revoked", f"device {device_id} was revoked; replay this if that was a mistake")
        return Trouble(
            "unknown-device", f"no device {device_id} is registered; register it, then replay this"
        )

    async def _take_framed(self, opened: Opened, stream: StreamIntake) -> None:
        """Take a payload whose seqs are known, so that a receipt can pass it whatever becomes of it."""
        header = opened.header
        assert header, "checked by the caller"
        stream.asked.append((header.first, header.last))
        spans = list(stream.coverage.uncovered(header.first, header.last))
        trouble = opened.trouble
        stored: list[Batch] = []
        if opened.batch and spans != [(header.first, header.last)]:
            stored = await self._stored(stream, opened)
            if (why := contradiction(opened.batch, stored)) is not None:
                trouble = Trouble("seq-reused", printable(why))
        elif not spans:
            trouble = None
        if not spans and trouble is None:
            self._outcome.payloads["duplicate"] += 1
            return
        wider = stream.coverage.with_span(header.first, header.last)
        if len(wider.ranges) > max(self._limits.ranges_max, len(stream.coverage.ranges)):
            self._drop("ranges")
            return
        if trouble is not None:
            if await self._hold(opened, trouble):
                stream.coverage = wider
            return
        assert opened.batch, "no trouble, so there is a batch"
        stream.accept(
            opened.batch,
            opened.arrival.payload,
            opened.arrival.received_at,
            self._projector,
            spans=spans,
            known=stream.coverage,
            stored=stored,
        )
        self._outcome.payloads["committed"] += 1

    async def _stored(self, stream: StreamIntake, opened: Opened) -> list[Batch]:
        """The archived batches that cover some of the same seqs; none where one is this very payload."""
        assert opened.header, "checked by the caller"
        first, last = opened.header.first, opened.header.last
        rows = await archive.overlapping(
            self._connection, stream.row.dealer_id, stream.row.id, first, last, limit=OVERLAPPING_MAX
        )
        found = [*rows, *stream.near(first, last)]
        if any(row.payload == opened.arrival.payload for row in found):
            return []
        return [decode_batch(row.payload) for row in found]

    async def _hold(self, opened: Opened, trouble: Trouble) -> bool:
        """Keep a payload in quarantine; False where the device has its share of it already."""
        device = self._devices.get(opened.device_id or "")
        key = device.id if device else None
        if key not in self._held:
            self._held[key] = await quarantine.held_count(self._connection, key)
        if self._held[key] >= self._limits.quarantine_held_max:
            self._drop("quarantine-full")
            return False
        new = await quarantine.hold(
            self._connection,
            HeldPayload(
                dealer_id=device.dealer_id if device else None,
                device_id=opened.device_id,
                topic=printable(opened.arrival.topic)[:TOPIC_CHARACTERS_MAX],
                payload=opened.arrival.payload,
                reason=trouble.reason,
                detail=trouble.detail,
                received_at=opened.arrival.received_at,
            ),
        )
        if new:
            self._held[key] += 1
            self._outcome.payloads["quarantined"] += 1
            self._outcome.quarantined[trouble.reason] += 1
        else:
            self._outcome.payloads["duplicate"] += 1
        return True

    def _drop(self, why: str) -> None:
        """Nothing is lost by it: without a receipt the device keeps the payload and sends it again."""
        self._outcome.payloads["dropped"] += 1
        self._outcome.dropped[why] += 1

    def _count(self, stream: StreamIntake) -> None:
        for one in stream.accepted:
            self._outcome.readings += len(one.projection.readings)
            self._outcome.unplaced += one.projection.unplaced
            self._outcome.vin_conflicts += len(one.projection.vin_conflicts)
            for refusal, samples in one.projection.refused.items():
                self._outcome.refused[refusal.reason] += samples
            for loss in one.losses:
                self._outcome.lost[loss.reason] += sum(loss.counts.values())


def as_trouble(opened: Opened, reason: str, detail: str) -> Opened:
    """The same arrival, to be quarantined instead of taken in."""
    return replace(opened, batch=None, trouble=Trouble(reason, printable(detail)))
