"""The server process: its parts, the table of its tasks, and how it starts and stops."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import fcntl
import signal
import socket
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
import uvicorn

from milepost_protocol.signals import catalogue
from milepost_server import secret_files
from milepost_server.broker import rules
from milepost_server.broker.service import BrokerService, reachable
from milepost_server.derivation.configuration import Configuration
from milepost_server.derivation.fault_texts import texts_of
from milepost_server.derivation.runner import DerivationRunner
from milepost_server.errors import InstallError
from milepost_server.ingest.commit import CommitLimits
from milepost_server.ingest.keeper import Keeper
from milepost_server.ingest.projection import Projector
from milepost_server.ingest.queue import ArrivalQueue
from milepost_server.ingest.reproject import keep_projected
from milepost_server.ingest.transport import BrokerAddress, Transport
from milepost_server.ingest.worker import Worker
from milepost_server.metrics import Metrics
from milepost_server.operations import router as operations_router
from milepost_server.store import migrations, sessions
from milepost_server.store.engine import Store, open_store
from milepost_server.store.outages import through_outages
from milepost_server.web.app import create_app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

    from milepost_server.ingest.outcome import Outcome
    from milepost_server.settings import Settings

DRAIN_S_MAX = 20.0
HTTP_STOP_S_MAX = 5
LOCK_FILE = "server.lock"
LAST_TO_END = ("ingest-worker", "device-documents", "http")
HOUSEKEEPING_INTERVAL_S = 3600.0
SESSIONS_KEPT = dt.timedelta(days=30)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """One long-running task; when any of them ends before the server is told to stop, the server stops."""

    name: str
    run: Callable[[], Coroutine[Any, Any, None]]


class Server:
    """All parts of one server process over one open store."""

    def __init__(self, settings: Settings, store: Store, listener: socket.socket) -> None:
        self._settings = settings
        self.store = store
        self._listener = listener
        self.metrics = Metrics()
        self.projector = Projector(catalogue(), settings.ingest_future_s_max)
        self.queue = ArrivalQueue(settings.ingest_queue_payloads_max, settings.ingest_queue_bytes_max)
        self.metrics.watch_queue(lambda: len(self.queue), lambda: self.queue.waiting_bytes)
        self.broker = BrokerService(
            settings,
            store,
            on_violation=lambda _client: self.metrics.violations.inc(),
            on_answer=lambda word: self.metrics.logins.labels(word).inc(),
        )
        self.keeper = Keeper(
            store, self._publish_config, lambda fate: self.metrics.documents.labels(fate).inc()
        )
        self.transport = Transport(
            broker_address(settings),
            self.queue,
            on_document=self.keeper.put,
            share_group=settings.broker_share_group,
            queue_payloads_max=settings.ingest_queue_payloads_max,
            on_overflow=lambda: self.metrics.dropped.labels("queue-full").inc(),
            on_receipt=lambda sent: self.metrics.receipts.labels("yes" if sent else "no").inc(),
        )
        self.derivation = DerivationRunner(
            store,
            Configuration(),
            now=_now,
            interval_s=settings.derivation_interval_s,
            texts=texts_of(settings.dtc_file),
        )
        self.web = self._web()
        self._http = _Http(
            uvicorn.Config(
                self.web,
                log_config=None,
                access_log=False,
                proxy_headers=bool(settings.http_trusted_proxies),
                forwarded_allow_ips=settings.http_trusted_proxies or None,
                timeout_graceful_shutdown=HTTP_STOP_S_MAX,
            )
        )

    def tasks(self) -> list[TaskSpec]:
        """Everything that runs at the same time in this process."""
        settings = self._settings
        table = [
            TaskSpec("ingest-transport", self._receive),
            *(
                TaskSpec(f"ingest-worker-{number}", self._worker().run)
                for number in range(settings.ingest_workers)
            ),
            TaskSpec("device-documents", self.keeper.run),
            TaskSpec("reprojection", lambda: through_outages("reprojection", self._keep_projected)),
            TaskSpec("derivation", lambda: through_outages("derivation", self.derivation.run)),
            TaskSpec("housekeeping", lambda: through_outages("housekeeping", self._keep_house)),
            TaskSpec("http", lambda: self._http.serve([self._listener])),
        ]
        if settings.broker == "embedded":
            table.insert(0, TaskSpec("broker", self.broker.run))
        return table

    async def run(self, stop: asyncio.Event) -> None:
        """Run until ``stop`` is set or a task ends.

        Raises:
            ExceptionGroup: what ended tasks raised.
        """
        running = {asyncio.create_task(spec.run(), name=spec.name) for spec in self.tasks()}
        stopped = asyncio.create_task(stop.wait(), name="stop")
        log.info(
            "server_started",
            pages=f"http://{self._settings.http_host}:{self._settings.http_port}/",
            tasks=len(running),
        )
        await asyncio.wait({*running, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        failed = [task for task in running if task.done()]
        for task in failed:
            log.error("task_ended", task=task.get_name(), error=str(task.exception() or "ended by itself"))
        await self._drain(running)
        for task in running - {task for task in running if task.get_name() == "http"}:
            task.cancel()
        results = await asyncio.gather(*running, return_exceptions=True)
        errors = [result for result in results if isinstance(result, Exception)]
        log.info("server_stopped", errors=len(errors))
        if errors:
            raise ExceptionGroup("tasks of the server failed", errors)

    async def _drain(self, running: set[asyncio.Task[None]]) -> None:
        """Commit and receipt what has arrived, take no more, and let pages that are being made finish."""
        self.queue.close()
        self.keeper.close()
        self._http.should_exit = True
        last = {task for task in running if task.get_name().startswith(LAST_TO_END)}
        await asyncio.wait(last, timeout=DRAIN_S_MAX)

    async def _receive(self) -> None:
        if self._settings.broker == "embedded":
            await self.broker.ready.wait()
        await self.transport.run()

    async def _publish_config(self, device_id: str, document: bytes) -> bool:
        return await self.transport.publish_config(device_id, document)

    async def _keep_house(self) -> None:
        while True:
            async with self.store.write() as connection:
                await sessions.forget_ended(connection, _now() - SESSIONS_KEPT)
            await asyncio.sleep(HOUSEKEEPING_INTERVAL_S)

    async def _keep_projected(self) -> None:
        await keep_projected(self.store, self.projector)

    def _worker(self) -> Worker:
        settings = self._settings
        return Worker(
            self.store,
            self.queue,
            self.transport,
            self.projector,
            CommitLimits(settings.ingest_ranges_max, settings.ingest_quarantine_held_max),
            group_payloads_max=settings.ingest_group_payloads_max,
            group_wait_s=settings.ingest_group_wait_ms / 1000,
            retry_s_max=settings.ingest_retry_s_max,
            on_commit=self._committed,
            on_retry=self.metrics.retries.inc,
        )

    def _committed(self, outcome: Outcome, seconds: float) -> None:
        self.metrics.committed(outcome, seconds)
        if outcome.readings:
            self.derivation.wake()

    def _web(self) -> FastAPI:
        app = create_app(
            self.store,
            now=_now,
            secure=self._settings.http_secure_cookies,
            projector=self.projector,
            development=self._settings.http_styleguide,
        )
        app.include_router(operations_router(self, metrics_open=self._settings.http_metrics_open))
        return app


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class _Http(uvicorn.Server):
    """uvicorn without its own handling of signals: the process has one place for that."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


async def run(settings: Settings) -> None:
    """Open the store and run a server until SIGTERM or SIGINT.

    Raises:
        StoreVersionError: the database needs a migration.
        InstallError: another server runs on the data directory, or the port for the pages is taken.
        ExceptionGroup: a task failed.
    """
    store = open_store(settings.database)
    try:
        await migrations.check(store)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        with alone_in(settings.data_dir), _bound(settings.http_host, settings.http_port) as listener:
            await Server(settings, store, listener).run(stop)
    finally:
        await store.close()


@contextlib.contextmanager
def alone_in(data_dir: Path) -> Iterator[None]:
    """Keep other servers off ``data_dir`` for the block: a second one would end the broker of the first.

    Raises:
        InstallError: another one runs.
    """
    with (data_dir / LOCK_FILE).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InstallError(
                f"another server runs on {data_dir}; stop it, or give this one a data directory of its own"
            ) from None
        yield


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise InstallError(
            f"cannot listen on {host} port {port} ({error.strerror}); see settings http_host and http_port"
        ) from error
    return listener


def broker_address(settings: Settings) -> BrokerAddress:
    """Where the broker is for this installation's own account.

    Raises:
        SettingsError: ``broker_url`` is none.
    """
    path = settings.broker_password_file or settings.secrets_dir / secret_files.INGEST_PASSWORD
    password = secret_files.read(Path(path))
    if settings.broker == "external":
        return BrokerAddress.of_url(
            settings.broker_url, settings.broker_user, password, settings.broker_tls_ca
        )
    tls = None
    if settings.broker_tls_cert:
        tls = ssl.create_default_context(cafile=settings.broker_tls_ca or settings.broker_tls_cert)
        tls.check_hostname = False  # the certificate is for the name that devices use, this is 127.0.0.1
    return BrokerAddress(
        reachable(settings.broker_host), settings.broker_port, rules.INGEST_USER, password, tls
    )
