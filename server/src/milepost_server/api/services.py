"""What every route needs, as one object, and who is asking, as a dependency."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Depends, Request

from milepost_server.api.errors import InvalidError
from milepost_server.ingest.projection import Projector
from milepost_server.people.logins import Logins
from milepost_server.people.roles import Action, check_may
from milepost_server.people.sessions import Principal
from milepost_server.store.engine import Store

COOKIE = "milepost_session"
BEARER = "bearer "


@dataclass(frozen=True, slots=True)
class Services:
    """The parts that routes work with; made once, by ``web.app.create_app``."""

    store: Store
    logins: Logins
    projector: Projector
    now: Callable[[], dt.datetime]
    secure: bool
    development: bool

    def today(self, principal: Principal) -> dt.date:
        """The day that it is at the dealer's."""
        return self.now().astimezone(ZoneInfo(principal.timezone)).date()

    def day(self, principal: Principal, asked: dt.date | None) -> dt.date:
        """The day that is asked for; today where none is.

        Raises:
            InvalidError: a day to come.
        """
        today = self.today(principal)
        if asked is not None and asked > today:
            raise InvalidError(f"Nothing is known yet of a day to come: it is {today}.", field="as_of")
        return asked or today


def services(request: Request) -> Services:
    """The parts of this application."""
    parts: Services = request.app.state.services
    return parts


Parts = Annotated[Services, Depends(services)]


def token_of(request: Request) -> str | None:
    """The token of a request: the bearer's, else the cookie's."""
    header = request.headers.get("authorization", "")
    if header[: len(BEARER)].lower() == BEARER:
        return header[len(BEARER) :].strip()
    return request.cookies.get(COOKIE)


def address_of(request: Request) -> str:
    """The peer's address, by which login attempts are counted; behind a proxy uvicorn puts the real one."""
    return request.client.host if request.client else "unknown"


async def principal(request: Request, parts: Parts) -> Principal:
    """Who is asking.

    Raises:
        NotLoggedInError: nobody whom we know.
    """
    who = await parts.logins.principal(token_of(request), parts.now())
    request.state.principal = who
    return who


Who = Annotated[Principal, Depends(principal)]


def allowed(action: Action) -> Callable[[Principal], Principal]:
    """A dependency: who is asking, and may do ``action``."""

    def check(who: Who) -> Principal:
        check_may(who.role, action)
        return who

    return check


Viewer = Annotated[Principal, Depends(allowed(Action.SEE_OWNERS))]
Registrar = Annotated[Principal, Depends(allowed(Action.REGISTER))]
Recorder = Annotated[Principal, Depends(allowed(Action.RECORD_SERVICE))]
Handler = Annotated[Principal, Depends(allowed(Action.HANDLE_ITEMS))]
Planner = Annotated[Principal, Depends(allowed(Action.SET_SCHEDULES))]
Pricer = Annotated[Principal, Depends(allowed(Action.SET_PLANS))]
Confirmer = Annotated[Principal, Depends(allowed(Action.CONFIRM_OWNERS))]
Forecaster = Annotated[Principal, Depends(allowed(Action.SEE_READINESS))]
Closer = Annotated[Principal, Depends(allowed(Action.RECORD_DEALS))]
Warden = Annotated[Principal, Depends(allowed(Action.HANDLE_QUARANTINE))]
