"""Keeps the last that each device said of itself, and tells those that lag behind what is desired of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy.exc import DBAPIError, StatementError

from milepost_protocol.errors import ProtocolError
from milepost_protocol.limits import DOCUMENT_BYTES_MAX
from milepost_server.errors import StoreBusyError
from milepost_server.ingest import said
from milepost_server.ingest.queue import ArrivalQueue
from milepost_server.store import device_configs, device_states, devices
from milepost_server.store.device_facts import has_answered
from milepost_server.store.outages import is_passing
from milepost_server.store.outages import said as error_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from milepost_server.ingest.arrivals import Arrival
    from milepost_server.ingest.said import Said
    from milepost_server.store.device_states import StateRow
    from milepost_server.store.engine import Store

WAITING_MAX: Final = 8192
WAITING_BYTES_MAX: Final = 32 * 1024 * 1024
GROUP_MAX: Final = 64
GROUP_WAIT_S: Final = 0.02
RETRY_FIRST_S: Final = 0.1
RETRY_S_MAX: Final = 30.0

log = structlog.get_logger(__name__)


class Keeper:
    """A bounded queue of state and reported documents, and the task that keeps them.

    A document that is dropped or lost is made up for by the device's next one: what is known of it is late
    then, nothing else depends on it.

    Args:
        store: where they are kept.
        publish_config: publishes a document for a device, retained; whether the broker has it.
        on_document: called with the fate of each: kept, unchanged, unknown, dropped, or why it was refused.
    """

    def __init__(
        self,
        store: Store,
        publish_config: Callable[[str, bytes], Awaitable[bool]],
        on_document: Callable[[str], None],
    ) -> None:
        self._store = store
        self._publish_config = publish_config
        self._on_document = on_document
        self._queue = ArrivalQueue(WAITING_MAX, WAITING_BYTES_MAX)

    def put(self, arrival: Arrival) -> None:
        """Take a document in, if there is room for it."""
        if len(arrival.payload) > DOCUMENT_BYTES_MAX:
            self._on_document("refused-length")
        elif not self._queue.put(arrival):
            self._on_document("dropped")

    def close(self) -> None:
        """Take nothing more; ``run`` ends when what waits is kept."""
        self._queue.close()

    async def run(self) -> None:
        """Work until closed and empty."""
        while group := await self._queue.group(GROUP_MAX, GROUP_WAIT_S):
            await self.take(group)

    async def take(self, group: Sequence[Arrival]) -> None:
        """Keep one group, and tell those devices of it that lag behind."""
        read: list[Said] = []
        for arrival in group:
            try:
                read.append(said.read(arrival))
            except ProtocolError as error:
                log.warning("document_refused", topic=arrival.topic[:120], error=str(error))
                self._on_document(said.reason_of(error))
        try:
            behind = await self._kept(read)
        except (DBAPIError, StatementError) as error:
            if len(read) > 1:
                for one in read:
                    await self.take([one.arrival])
                return
            log.error("document_refused_by_store", device=read[0].device_id, error=error_text(error))
            self._on_document("refused-store")
            return
        for device_id, document in behind.items():
            if await self._publish_config(device_id, document.encode()):
                log.info("config_published", device=device_id)

    async def _kept(self, read: Sequence[Said]) -> dict[str, str]:
        """Keep what was read; the documents for those that lag behind, by device.

        Raises:
            DBAPIError, StatementError: the database does not take it, now or later.
        """
        pause_s = RETRY_FIRST_S
        while read:
            try:
                fates, behind = await self._commit(read)
            except (DBAPIError, StoreBusyError) as error:
                if not is_passing(error):
                    raise
                log.warning("documents_wait", error=error_text(error), again_in_s=round(pause_s, 1))
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, RETRY_S_MAX)
            else:
                for fate in fates:
                    self._on_document(fate)
                return behind
        return {}

    async def _commit(self, read: Sequence[Said]) -> tuple[list[str], dict[str, str]]:
        ids = {one.device_id for one in read}
        fates: list[str] = []
        async with self._store.write() as connection:
            registered = await devices.known(connection, ids)
            rows: dict[str, StateRow] = await device_states.lock(connection, ids)
            news: set[str] = set()
            for one in read:
                device = registered.get(one.device_id)
                if device is None or device.revoked_at is not None:
                    fates.append("unknown")
                    continue
                row = said.after(rows.get(one.device_id), one)
                fates.append("unchanged" if row is None else "kept")
                if row is not None:
                    rows[one.device_id] = row
                    news.add(one.device_id)
            for device_id in sorted(news):
                await device_states.put(
                    connection, registered[device_id].dealer_id, device_id, rows[device_id]
                )
            desired = await device_configs.newest_of(connection, news) if news else {}
        behind = {
            device_id: config.document
            for device_id, config in desired.items()
            if rows[device_id].online and not has_answered(rows[device_id], config)
        }
        return fates, behind
