"""The way in and out: login, logout, and whether the server is well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import AfterValidator

from milepost_server.api.bodies import without_nul
from milepost_server.api.services import COOKIE, Parts, Who, address_of, token_of
from milepost_server.people.errors import LoginRefusedError, NotLoggedInError, TooManyAttemptsError
from milepost_server.people.sessions import SESSION_AGE_MAX
from milepost_server.web.rendering import render

if TYPE_CHECKING:
    from milepost_server.api.services import Services

HOME = "/owners"
PATH_CHARS_MAX = 1000

open_router = APIRouter(include_in_schema=False)
router = APIRouter()

Field = Annotated[str, AfterValidator(without_nul), Form(max_length=256)]
Next = Annotated[str, Query(alias="next", max_length=PATH_CHARS_MAX)]


def safe_path(path: str) -> str:
    """``path`` where it leads to a page of ours, else the home page."""
    own = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if own and len(path) <= PATH_CHARS_MAX else HOME


@open_router.get("/login")
async def login_form(request: Request, parts: Parts, onward: Next = HOME) -> Response:
    """The form; who is logged in already goes on."""
    try:
        await parts.logins.principal(token_of(request), parts.now())
    except NotLoggedInError:
        return render(request, "login.html", {"onward": safe_path(onward), "email": "", "problem": None})
    return RedirectResponse(safe_path(onward), status_code=303)


@open_router.post("/login")
async def log_in(
    request: Request, parts: Parts, email: Field = "", password: Field = "", onward: Field = HOME
) -> Response:
    """Let a member of staff in; on a mistake the form keeps the mail address."""
    try:
        token, _ = await parts.logins.login(email, password, address=address_of(request), now=parts.now())
    except (LoginRefusedError, TooManyAttemptsError) as error:
        status = 429 if isinstance(error, TooManyAttemptsError) else 401
        context = {"onward": safe_path(onward), "email": email, "problem": str(error)}
        return render(request, "login.html", context, status=status)
    answer = RedirectResponse(safe_path(onward), status_code=303)
    _give_cookie(answer, token, parts)
    return answer


@router.post("/logout")
async def log_out(who: Who, parts: Parts) -> Response:
    """End this session at once, here and in the table."""
    await parts.logins.logout(who, parts.now())
    answer = RedirectResponse("/login", status_code=303)
    answer.delete_cookie(COOKIE, path="/", secure=parts.secure, httponly=True, samesite="lax")
    return answer


@router.get("/")
async def home() -> Response:
    """The work list is the home page."""
    return RedirectResponse(HOME, status_code=303)


def _give_cookie(answer: Response, token: str, parts: Services) -> None:
    answer.set_cookie(
        COOKIE,
        token,
        max_age=int(SESSION_AGE_MAX.total_seconds()),
        path="/",
        secure=parts.secure,
        httponly=True,
        samesite="lax",
    )
