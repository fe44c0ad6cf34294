"""Turns whatever is raised into an answer: JSON of the one shape for programs, a page for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import IntegrityError, OperationalError
from starlette.exceptions import HTTPException

from milepost_server.api.errors import HTTP_CODES, InvalidError, error_response, first_mistake
from milepost_server.errors import ConflictError, NotFoundError, ReplayRefusedError, StoreBusyError
from milepost_server.people.errors import (
    LoginRefusedError,
    NotAllowedError,
    NotLoggedInError,
    TooManyAttemptsError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastapi import FastAPI, Request, Response

API_PREFIX = "/api/"
CONTRADICTION = "Somebody stored something that contradicts this. Look at it, then try again."
OUTAGE = "The database cannot do this now: it is away, or its disk is full. Try again in a minute."
STATUS: dict[type[Exception], tuple[int, str]] = {
    InvalidError: (422, "invalid"),
    IntegrityError: (409, "conflict"),
    NotFoundError: (404, "not_found"),
    ConflictError: (409, "conflict"),
    ReplayRefusedError: (409, "replay_refused"),
    StoreBusyError: (503, "busy"),
    OperationalError: (503, "busy"),
    LoginRefusedError: (401, "login_refused"),
    NotLoggedInError: (401, "not_logged_in"),
    NotAllowedError: (403, "not_allowed"),
    TooManyAttemptsError: (429, "too_many_attempts"),
}
# What the database itself says holds SQL, and people's data.
WORDS: dict[type[Exception], str] = {IntegrityError: CONTRADICTION, OperationalError: OUTAGE}


class Answer(NamedTuple):
    """What is said of an error, before it becomes JSON or a page."""

    status: int
    code: str
    message: str
    field: str | None = None
    headers: dict[str, str] | None = None


def judge(error: Exception) -> Answer:
    """Status, code and words of an error; what is nobody's mistake but ours tells nothing."""
    if isinstance(error, RequestValidationError):
        message, field = first_mistake(error.errors())
        return Answer(422, "invalid", message, field)
    if isinstance(error, HTTPException):
        code = HTTP_CODES.get(error.status_code, "error")
        return Answer(error.status_code, code, _http_words(error), None, dict(error.headers or {}))
    known = next((answer for kind, answer in STATUS.items() if isinstance(error, kind)), None)
    if known is None:
        return Answer(500, "internal", "Something broke on our side; it is in the server's log.")
    words = WORDS.get(type(error)) or _sentence(str(error))
    headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, TooManyAttemptsError) else None
    return Answer(*known, words, getattr(error, "field", None), headers)


def install(app: FastAPI, error_page: Callable[[Request, Answer], Awaitable[Response]]) -> None:
    """Answer every error of ``app``: under ``/api/`` as JSON, elsewhere by ``error_page``."""

    async def handle(request: Request, error: Exception) -> Response:
        answer = judge(error)
        if request.url.path.startswith(API_PREFIX):
            return error_response(*answer)
        return await error_page(request, answer)

    for kind in (RequestValidationError, HTTPException, *STATUS):
        app.add_exception_handler(kind, handle)
    app.add_exception_handler(Exception, handle)


def _http_words(error: HTTPException) -> str:
    if error.status_code == 404:
        return "There is nothing at this address."
    if error.status_code == 405:
        return "This address does not take this method."
    return _sentence(str(error.detail))


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "?", "!")) else ".")
