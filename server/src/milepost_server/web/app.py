"""The web application: API and pages in one, put together from the parts that it is given."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends, FastAPI
from fastapi.staticfiles import StaticFiles

from milepost_server.api import handlers
from milepost_server.api.router import api_router
from milepost_server.api.services import Services, principal
from milepost_server.people.logins import Logins
from milepost_server.people.passwords import Passwords
from milepost_server.web.pages import (
    access,
    accuracy,
    errors,
    items,
    odometer,
    owners,
    quarantine,
    sales,
    styleguide,
)
from milepost_server.web.security import SecurityMiddleware

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from milepost_server.ingest.projection import Projector
    from milepost_server.store.engine import Store

STATIC = str(resources.files("milepost_server.web").joinpath("static"))


def create_app(
    store: Store,
    *,
    now: Callable[[], dt.datetime],
    secure: bool,
    projector: Projector,
    development: bool = False,
    passwords: Passwords | None = None,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None,
) -> FastAPI:
    """The application over ``store``.

    Args:
        store: the open database; whoever opened it closes it.
        now: the clock, aware of its time zone.
        secure: pages are served by https, so cookies are for https only.
        projector: takes payloads in that are replayed from quarantine.
        development: serve ``/styleguide`` too.
        passwords: for tests, with cheaper parameters.
        lifespan: what is to run while the application does.
    """
    app = FastAPI(
        title="Milepost",
        version="1",
        description="Service-due and registry of one dealer. Errors have one shape: "
        '`{"error": {"code": "...", "message": "...", "field": "..."}}`.',
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
    )
    app.state.services = Services(
        store=store,
        logins=Logins(store, passwords or Passwords()),
        projector=projector,
        now=now,
        secure=secure,
        development=development,
    )
    app.add_middleware(SecurityMiddleware, secure=secure)
    handlers.install(app, errors.error_page)
    app.include_router(access.open_router)
    app.include_router(api_router())
    app.include_router(_closed_pages())
    if development:
        app.include_router(styleguide.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


def _closed_pages() -> APIRouter:
    router = APIRouter(dependencies=[Depends(principal)], include_in_schema=False)
    for part in (access, sales, owners, items, odometer, accuracy, quarantine):
        router.include_router(part.router)
    return router
