"""The one shape in which every error leaves the server, and what api/ adds to the server's own errors.

The shape: ``{"error": {"code": "not_found", "message": "...", "field": "vin"}}``; ``field`` only where one is
to blame. In a list, ``field`` begins with the position: ``3.vin``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.responses import JSONResponse

from milepost_server.errors import ServerError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HTTP_CODES = {
    400: "bad_request",
    401: "not_logged_in",
    403: "not_allowed",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    422: "invalid",
    429: "too_many_attempts",
}
# Where a value stands in a request is ours to know, not the sender's.
_PLACES = frozenset({"body", "query", "path", "one", "many"})


class InvalidError(ServerError):
    """A value that cannot be; the message says how to mend it."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


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
    field = ".".join(str(part) for part in first["loc"] if part not in _PLACES) or None
    words = str(first["msg"]).removeprefix("Value error, ").rstrip(".")
    more = f" ({len(errors) - 1} more to mend.)" if len(errors) > 1 else ""
    return f"{field or 'The body'}: {words}.{more}", field
