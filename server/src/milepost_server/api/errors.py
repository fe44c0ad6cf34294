"""Everything that api/ raises, and the one shape in which every error leaves the server.

::

    ApiError
    +-- NotFoundError     no such thing, or it belongs to another dealer: the answer is the same
    +-- ConflictError     it contradicts what is stored
    +-- InvalidError      a value that cannot be; says which field

The shape: ``{"error": {"code": "not_found", "message": "...", "field": "vin"}}``; ``field`` only where one is
to blame. In a list, ``field`` begins with the position: ``3.vin``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STATUS_CODES = {
    400: "bad_request",
    401: "not_logged_in",
    403: "not_allowed",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
    429: "too_many_attempts",
}


class ApiError(Exception):
    """Base of all errors of this package."""

    status = 400
    code = "bad_request"

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class NotFoundError(ApiError):
    """Nothing of that kind is stored for this dealer."""

    status = 404
    code = "not_found"

    def __init__(self, noun: str, key: object, *, field: str | None = None) -> None:
        super().__init__(f"There is no {noun} {key}.", field=field)
        self.noun = noun
        self.key = key


class ConflictError(ApiError):
    """What was sent contradicts what is stored; the message says with what."""

    status = 409
    code = "conflict"


class InvalidError(ApiError):
    """A value that cannot be; the message says how to mend it."""

    status = 422
    code = "invalid"


def error_body(code: str, message: str, field: str | None = None) -> dict[str, Any]:
    """The one shape of an error."""
    error = {"code": code, "message": message}
    if field:
        error["field"] = field
    return {"error": error}


def error_response(
    status: int, code: str, message: str, field: str | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The one shape of an error, as an answer."""
    return JSONResponse(error_body(code, message, field), status_code=status, headers=dict(headers or {}))


def first_mistake(errors: Sequence[Any]) -> tuple[str, str | None]:
    """Message and field of the first of pydantic's errors; where there are more, the message says so."""
    first = errors[0]
    # "body", "query" and the tags "one" and "many" are ours, not the sender's.
    place = [str(part) for part in first["loc"] if part not in ("body", "query", "path", "one", "many")]
    field = ".".join(place) or None
    message = str(first["msg"]).removeprefix("Value error, ")
    more = f" ({len(errors) - 1} more mistakes follow.)" if len(errors) > 1 else ""
    return f"{field or 'The body'}: {message}.{more}".replace("..", "."), field
