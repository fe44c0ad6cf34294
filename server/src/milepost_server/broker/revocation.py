"""Disconnects devices that were revoked while they were connected; the callout refuses them from then on."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from typing import TYPE_CHECKING

import structlog
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeoutError

from milepost_server.store import devices

if TYPE_CHECKING:
    from nats.aio.client import Client

    from milepost_server.store.engine import Store

REQUEST_S_MAX = 5.0
CONNECTIONS_A_DEVICE_MAX = 64
# Looked back over again each time: clocks of several servers, and transactions that commit late.
OVERLAP = dt.timedelta(minutes=5)

log = structlog.get_logger(__name__)


class Revocation:
    """Looks for newly revoked devices at an interval and has the broker drop their connections."""

    def __init__(self, store: Store, client: Client, interval_s: float) -> None:
        self._store = store
        self._client = client
        self._interval_s = interval_s
        self._done: set[str] = set()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.sweep(dt.datetime.now(dt.UTC))
            await asyncio.sleep(self._interval_s)

    async def sweep(self, now: dt.datetime) -> list[str]:
        """Drop the connections of all devices that were lately revoked; return the ids not seen before."""
        async with self._store.read() as connection:
            revoked = await devices.revoked_since(connection, now - OVERLAP)
        new = [device for device in revoked if device not in self._done]
        for device in new:
            try:
                dropped = await disconnect(self._client, device)
            except (NatsTimeoutError, NoRespondersError) as error:
                log.warning("revocation_unanswered", device=device, error=str(error))
                continue
            self._done.add(device)
            log.info("device_revoked", device=device, connections=dropped)
        self._done.intersection_update(revoked)
        return new


async def disconnect(client: Client, device: str) -> int:
    """Have the broker drop all connections of ``device``; return their number.

    Raises:
        nats.errors.TimeoutError: the broker did not answer.
    """
    question = json.dumps({"user": device, "auth": True, "limit": CONNECTIONS_A_DEVICE_MAX}).encode()
    answer = await client.request("$SYS.REQ.SERVER.PING.CONNZ", question, timeout=REQUEST_S_MAX)
    found = json.loads(answer.data)
    server = found["server"]["id"]
    connections = [row["cid"] for row in found["data"]["connections"] if row.get("authorized_user") == device]
    for cid in connections:
        await client.request(
            f"$SYS.REQ.SERVER.{server}.KICK", json.dumps({"cid": cid}).encode(), timeout=REQUEST_S_MAX
        )
    return len(connections)
