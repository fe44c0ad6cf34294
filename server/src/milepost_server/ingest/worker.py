"""The worker: groups of payloads in, commits, and only then receipts out."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Protocol

import structlog
from sqlalchemy.exc import DBAPIError, StatementError

from milepost_server.errors import StoreBusyError
from milepost_server.ingest.arrivals import Arrival, Opened, open_arrival
from milepost_server.ingest.commit import CommitLimits, GroupCommit, as_trouble
from milepost_server.store.outages import is_passing, said

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from milepost_protocol.receipt import Receipt
    from milepost_server.ingest.outcome import Outcome
    from milepost_server.ingest.projection import Projector
    from milepost_server.ingest.queue import ArrivalQueue
    from milepost_server.store.engine import Store

RETRY_FIRST_S = 0.1

# Payloads are bounded in bytes, but a few hundred bytes may hold 4,096 samples, of 800 bytes each as a row.
GROUP_SAMPLES_MAX = 65_536

# Something in one payload that this database does not take: that payload alone goes to quarantine.
POISON = (StatementError, OverflowError)

log = structlog.get_logger(__name__)


class Receipts(Protocol):
    """Where receipts go."""

    async def publish(self, device_id: str, receipt: Receipt) -> None:
        """Tell the device; a receipt that does not arrive is made up for by the next one."""
        ...


class Worker:
    """Commits what waits in the queue, group by group.

    Args:
        store: the database.
        queue: what arrives; several workers may share it.
        receipts: where receipts go, after the commit.
        projector: turns samples into readings.
        limits: of one stream and one device.
        group_payloads_max: payloads that one transaction commits.
        group_wait_s: how long a transaction waits for more.
        retry_s_max: longest pause between tries of a transaction that the database refused.
        on_commit: called with the outcome and the seconds of each commit.
        on_retry: called for each try that the database refused.
    """

    def __init__(
        self,
        store: Store,
        queue: ArrivalQueue,
        receipts: Receipts,
        projector: Projector,
        limits: CommitLimits,
        *,
        group_payloads_max: int,
        group_wait_s: float,
        retry_s_max: float,
        on_commit: Callable[[Outcome, float], None],
        on_retry: Callable[[], None],
    ) -> None:
        self._store = store
        self._queue = queue
        self._receipts = receipts
        self._projector = projector
        self._limits = limits
        self._group_payloads_max = group_payloads_max
        self._group_wait_s = group_wait_s
        self._retry_s_max = retry_s_max
        self._on_commit = on_commit
        self._on_retry = on_retry

    async def run(self) -> None:
        """Work until the queue is closed and empty."""
        while group := await self._queue.group(self._group_payloads_max, self._group_wait_s):
            await self.take(group)

    async def take(self, group: Sequence[Arrival]) -> None:
        """Commit one group, and publish its receipts; of large payloads, in several transactions."""
        opened: list[Opened] = []
        samples = 0
        for arrival in group:
            opened.append(open_arrival(arrival))
            batch = opened[-1].batch
            samples += len(batch.order) if batch else 0
            if samples >= GROUP_SAMPLES_MAX:
                await self._take_together(opened)
                opened, samples = [], 0
        if opened:
            await self._take_together(opened)

    async def _take_together(self, opened: Sequence[Opened]) -> None:
        try:
            await self._commit_and_tell(opened)
        except POISON as error:
            log.warning("group_split", payloads=len(opened), error=said(error))
            for one in opened:
                await self._take_alone(one)

    async def _take_alone(self, opened: Opened) -> None:
        try:
            await self._commit_and_tell([opened])
        except POISON as error:
            log.error("payload_refused_by_store", device=opened.device_id, error=said(error))
            await self._commit_and_tell([as_trouble(opened, "store", said(error))])

    async def _commit_and_tell(self, opened: Sequence[Opened]) -> None:
        clock = asyncio.get_running_loop().time
        pause_s = RETRY_FIRST_S
        while True:
            start_s = clock()
            try:
                outcome = await self._commit(opened)
            except (DBAPIError, StoreBusyError) as error:
                if not is_passing(error):
                    raise
                self._on_retry()
                log.warning("commit_refused", error=said(error), again_in_s=round(pause_s, 1))
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, self._retry_s_max)
            else:
                break
        self._on_commit(outcome, clock() - start_s)
        for device_id, receipt in outcome.receipts:
            await self._receipts.publish(device_id, receipt)

    async def _commit(self, opened: Sequence[Opened]) -> Outcome:
        async with self._store.write() as connection:
            now = dt.datetime.now(dt.UTC)
            return await GroupCommit(connection, self._projector, self._limits, now).run(opened)
