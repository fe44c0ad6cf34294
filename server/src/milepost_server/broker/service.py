"""The embedded broker as the server runs it: the child, its auth callout, and the end of revoked devices."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import nats
import nats.errors
import nkeys
import structlog

from milepost_server import secret_files
from milepost_server.broker import rules
from milepost_server.broker.callout import Callout
from milepost_server.broker.embedded import EmbeddedBroker, default_binary
from milepost_server.broker.nats_config import NatsListeners, NatsSecrets, nats_config
from milepost_server.broker.revocation import Revocation
from milepost_server.errors import BrokerError
from milepost_server.store.outages import through_outages

if TYPE_CHECKING:
    from collections.abc import Callable

    from nats.aio.client import Client

    from milepost_server.settings import Settings
    from milepost_server.store.engine import Store

RESTART_WINDOW_S = 600.0
RESTART_PAUSE_S = 1.0
END_S_MAX = 2.0
FREE_BYTES_MIN = 16 * 1024 * 1024
FREE_LOOK_S = 2.0

log = structlog.get_logger(__name__)


class BrokerService:
    """Keeps the embedded broker up and answers its questions.

    Args:
        settings: ports, paths and limits.
        store: where the devices are.
        on_violation: called with the client id for each publish or subscription that the broker refused.
        on_answer: called with the word of each answer to a connecting device.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        on_violation: Callable[[str], None],
        on_answer: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._store = store
        self._on_violation = on_violation
        self._on_answer = on_answer
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Run until cancelled.

        Raises:
            BrokerError: the child does not start, or ended more often than ``broker_restarts_max`` allows.
        """
        clock = asyncio.get_running_loop().time
        ends: list[float] = []
        has_listened = False
        while True:
            child = self._child()
            try:
                await child.start(self._settings.broker_start_s_max)
                has_listened = True
                why = f"code {await self._serve(child)}"
            except BrokerError as error:
                if not has_listened:
                    raise  # a setting or the machine is wrong: another try would tell the same
                why = str(error)
            finally:
                self.ready.clear()
                await child.stop()
            if child.store_failed.is_set():
                log.warning("broker_restarted", why="its store had failed, and there is room again")
                continue
            ends = [*(end for end in ends if end > clock() - RESTART_WINDOW_S), clock()]
            log.error("broker_ended", why=why, ends=len(ends))
            if len(ends) > self._settings.broker_restarts_max:
                raise BrokerError(f"the broker ended {len(ends)} times in ten minutes, last with {why}")
            await asyncio.sleep(RESTART_PAUSE_S)

    async def _serve(self, child: EmbeddedBroker) -> int:
        """Serve one life of the child; return its exit code.

        A child whose store has failed serves on until there is room on the disk again, and ends then.

        Raises:
            BrokerError: the connection to it is lost, whether it still runs or not.
        """
        settings = self._settings
        key = nkeys.from_seed(secret_files.read(settings.secrets_dir / secret_files.ACCOUNT_SEED).encode())
        async with AsyncExitStack() as links:
            callout = await self._connect(links, rules.CALLOUT_USER, secret_files.CALLOUT_PASSWORD)
            control = await self._connect(links, rules.CONTROL_USER, secret_files.CONTROL_PASSWORD)
            revocation = Revocation(self._store, control, settings.broker_revocation_interval_s)
            tasks = [
                asyncio.create_task(Callout(self._store, key, self._on_answer).serve(callout)),
                asyncio.create_task(through_outages("revocation", revocation.run)),
            ]
            ended = asyncio.create_task(child.ended())
            recovery = asyncio.create_task(_end_when_there_is_room(child, settings.data_dir))
            self.ready.set()
            try:
                await asyncio.wait([ended, *tasks, recovery], return_when=asyncio.FIRST_COMPLETED)
                # The links of a child that was killed may end before its end is known.
                await asyncio.wait([ended], timeout=END_S_MAX)
                if ended.done():
                    return ended.result()
                for task in tasks:
                    if task.done():
                        _check_failure(task.exception())
                raise BrokerError("its connection to the server was lost")
            finally:
                for waiting in (*tasks, recovery, ended):
                    waiting.cancel()
                await asyncio.gather(*tasks, recovery, ended, return_exceptions=True)

    async def _connect(self, links: AsyncExitStack, user: str, password_file: str) -> Client:
        """Connect to the child until ``links`` are closed.

        Raises:
            BrokerError: it does not answer; most likely it has just ended.
        """

        async def on_error(error: Exception) -> None:
            log.warning("broker_connection", user=user, error=str(error) or type(error).__name__)

        try:
            client = await nats.connect(
                f"nats://127.0.0.1:{self._settings.broker_control_port}",
                user=user,
                password=secret_files.read(self._settings.secrets_dir / password_file),
                name=user,
                allow_reconnect=False,
                error_cb=on_error,
            )
        except (nats.errors.Error, OSError) as error:
            raise BrokerError(f"no connection as {user}: {error or type(error).__name__}") from error
        links.push_async_callback(client.close)
        return client

    def _child(self) -> EmbeddedBroker:
        settings = self._settings
        folder = settings.data_dir / "broker"
        seed = secret_files.read(settings.secrets_dir / secret_files.ACCOUNT_SEED)
        secrets = NatsSecrets(
            issuer=nkeys.from_seed(seed.encode()).public_key.decode(),
            ingest_password=secret_files.read(settings.secrets_dir / secret_files.INGEST_PASSWORD),
            callout_password=secret_files.read(settings.secrets_dir / secret_files.CALLOUT_PASSWORD),
            control_password=secret_files.read(settings.secrets_dir / secret_files.CONTROL_PASSWORD),
        )
        listeners = NatsListeners(
            mqtt_host=settings.broker_host,
            mqtt_port=settings.broker_port,
            control_port=settings.broker_control_port,
            tls_cert=settings.broker_tls_cert,
            tls_key=settings.broker_tls_key,
        )
        return EmbeddedBroker(
            Path(settings.broker_binary) if settings.broker_binary else default_binary(),
            folder,
            nats_config(folder, listeners, secrets),
            [
                ("127.0.0.1", settings.broker_control_port),
                (reachable(settings.broker_host), settings.broker_port),
            ],
            self._on_violation,
        )


def reachable(host: str) -> str:
    """An address of this machine by which a listener on ``host`` is reached."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104


async def _end_when_there_is_room(child: EmbeddedBroker, folder: Path) -> None:
    await child.store_failed.wait()
    log.error("broker_store_failed", folder=str(folder), needs_bytes=FREE_BYTES_MIN)
    while shutil.disk_usage(folder).free < FREE_BYTES_MIN:  # noqa: ASYNC110  (no event tells of free room)
        await asyncio.sleep(FREE_LOOK_S)
    await child.stop()


def _check_failure(error: BaseException | None) -> None:
    """Raise what a task failed of, unless that is no more than the loss of its connection."""
    if isinstance(error, BaseExceptionGroup):
        error = error.split((nats.errors.Error, OSError))[1]
    if error is not None and not isinstance(error, (nats.errors.Error, OSError)):
        raise error
