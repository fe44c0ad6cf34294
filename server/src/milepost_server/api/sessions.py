"""Sessions: a token for programs; browsers get theirs as a cookie from /login."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from milepost_server.api.answers import PersonAnswer, SessionAnswer
from milepost_server.api.bodies import LoginBody
from milepost_server.api.services import Parts, Who, address_of

router = APIRouter(tags=["sessions"])
open_router = APIRouter(tags=["sessions"])


@open_router.post("/sessions")
async def log_in(body: LoginBody, request: Request, parts: Parts) -> SessionAnswer:
    """Begin a session: send its token as `Authorization: Bearer TOKEN`."""
    token, end = await parts.logins.login(
        body.email, body.password, address=address_of(request), now=parts.now()
    )
    return SessionAnswer(token=token, expires_at=end)


@router.get("/sessions/current")
async def who_am_i(who: Who) -> PersonAnswer:
    """Who holds this session."""
    return PersonAnswer.model_validate(who)


@router.delete("/sessions/current", status_code=204)
async def log_out(who: Who, parts: Parts) -> Response:
    """End this session at once."""
    await parts.logins.logout(who, parts.now())
    return Response(status_code=204)


@router.delete("/sessions", status_code=204)
async def log_out_everywhere(who: Who, parts: Parts) -> Response:
    """End all sessions of the person who asks, this one too."""
    await parts.logins.logout_everywhere(who, parts.now())
    return Response(status_code=204)
