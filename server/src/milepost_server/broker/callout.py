"""The auth callout: answers nats-server's question about each connecting device from the devices table."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import SQLAlchemyError

from milepost_protocol.errors import TopicError
from milepost_protocol.identity import check_device_id
from milepost_server.broker import credentials, jwt, rules
from milepost_server.store import devices

if TYPE_CHECKING:
    from collections.abc import Callable

    import nkeys
    from nats.aio.client import Client
    from nats.aio.msg import Msg

    from milepost_server.store.engine import Store

SUBJECT = "$SYS.REQ.USER.AUTH"
QUEUE = "milepost-callout"
PENDING_MAX = 4096
CONCURRENT_MAX = 8
MQTT = "mqtt"

log = structlog.get_logger(__name__)


class Callout:
    """Lets registered devices in, each on its own topics, and nobody else.

    Args:
        store: where the devices are.
        key: the account key that the broker's configuration names as issuer.
        on_answer: called with ``granted`` or the word of the refusal, to be counted.
    """

    def __init__(self, store: Store, key: nkeys.KeyPair, on_answer: Callable[[str], None]) -> None:
        self._store = store
        self._key = key
        self._on_answer = on_answer

    async def serve(self, client: Client) -> None:
        """Answer until cancelled; several servers on one broker share the work."""
        subscription = await client.subscribe(SUBJECT, queue=QUEUE, pending_msgs_limit=PENDING_MAX)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(CONCURRENT_MAX):
                    group.create_task(self._answer_all(subscription.messages))
        finally:
            if client.is_connected:
                await subscription.unsubscribe()

    async def _answer_all(self, messages: object) -> None:
        async for message in messages:  # type: ignore[attr-defined]
            await self._answer(message)

    async def _answer(self, message: Msg) -> None:
        try:
            request = jwt.read_request(message.data)
        except jwt.CalloutRequestError as error:
            self._on_answer("malformed")
            log.error("callout_malformed", error=str(error))
            return
        why = await self._refusal(request)
        self._on_answer(why or "granted")
        if why is None:
            answer = jwt.grant(
                self._key,
                request,
                account=rules.ACCOUNT,
                publish=rules.device_publishes(request.user),
                subscribe=rules.device_subscribes(request.user),
                now_s=int(time.time()),
            )
        else:
            log.warning("device_refused", device=request.user[:64], why=why)
            answer = jwt.refuse(self._key, request, why, int(time.time()))
        await message.respond(answer)

    async def _refusal(self, request: jwt.CalloutRequest) -> str | None:
        if request.kind != MQTT:
            return "not-mqtt"
        try:
            check_device_id(request.user)
        except TopicError:
            return "bad-id"
        if request.client_id != request.user:
            # A broker ends the connection that held a client id before: another's id would throw it out.
            # And each id may leave a session behind, on the broker's disk.
            return "client-id"
        try:
            async with self._store.read() as connection:
                stored = await devices.credential(connection, request.user)
        except SQLAlchemyError as error:
            log.error("callout_store", error=str(error))
            return "store"
        if stored is None:
            return "unknown-or-revoked"
        return None if credentials.matches(request.password, stored) else "wrong-password"
