"""Errors as pages: what happened, and what to do, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from fastapi.responses import RedirectResponse

from milepost_server.web.rendering import render

if TYPE_CHECKING:
    from fastapi import Request, Response

    from milepost_server.api.handlers import Answer

TITLES = {
    403: "Your role may not do this",
    404: "Nothing here",
    409: "This cannot be done",
    413: "Too much at once",
    422: "Something in the address or form is not right",
    429: "Too many attempts",
    503: "Busy",
}


async def error_page(request: Request, answer: Answer) -> Response:
    """The page of an error; who is not logged in is led to the form, and back from there."""
    if answer.status == 401:
        onward = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        target = "/login" if request.method != "GET" else f"/login?next={quote(onward, safe='')}"
        return RedirectResponse(target, status_code=303)
    title = TITLES.get(answer.status, "Something went wrong")
    context = {"title": title, "message": answer.message}
    return render(request, "error.html", context, status=answer.status, headers=answer.headers)
