"""What operators' tools ask: whether the server is well, and what it counts."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Protocol

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

if TYPE_CHECKING:
    from milepost_server.ingest.queue import ArrivalQueue
    from milepost_server.ingest.transport import Transport
    from milepost_server.metrics import Metrics
    from milepost_server.store.engine import Store


class Parts(Protocol):
    """What of the server is looked at."""

    store: Store
    queue: ArrivalQueue
    transport: Transport
    metrics: Metrics


def router(parts: Parts, *, metrics_open: bool) -> APIRouter:
    """``/health``, and ``/metrics``: the latter for this machine alone unless ``metrics_open``."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/health")
    async def health() -> JSONResponse:
        """200 where readings can be taken in and pages be served, else 503; which part is not well."""
        database = await _answers(parts.store)
        broker = parts.transport.connected.is_set()
        body = {
            "status": "ok" if database and broker else "degraded",
            "database": "ok" if database else "does not answer",
            "broker": "connected" if broker else "not connected",
            "queue_payloads": len(parts.queue),
        }
        return JSONResponse(body, status_code=200 if database and broker else 503)

    @routes.get("/metrics")
    async def metrics(request: Request) -> Response:
        """All counters in Prometheus's text format."""
        if not metrics_open and not _is_local(request):
            return Response("metrics are for this machine; see setting http_metrics_open\n", status_code=403)
        return Response(parts.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return routes


async def _answers(store: Store) -> bool:
    try:
        async with store.read() as connection:
            await connection.execute(text("SELECT 1"))
    except SQLAlchemyError:
        return False
    return True


def _is_local(request: Request) -> bool:
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False
