"""Headers that every answer carries, and the refusal of what another site does in a person's name."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders

from milepost_server.api.errors import error_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
SECURITY_HEADERS = MappingProxyType(
    {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    }
)
HSTS = "max-age=31536000"
STATIC_PREFIX = "/static/"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_SITES = frozenset({"same-origin", "none"})
# No name that we keep has one, and PostgreSQL refuses it in a text.
NUL = "\0"
NUL_IN_QUERY = b"%00"
BODY_BYTES_MAX = 2 * 1024 * 1024


def made_by_another_site(headers: Headers) -> bool:
    """Whether a browser says that this request was not made by one of our own pages.

    ``Sec-Fetch-Site`` says it outright; an older browser sends ``Origin``. A program sends neither, and
    carries no cookie that somebody else could use.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in OWN_SITES
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] != headers.get("host")


class SecurityMiddleware:
    """Around everything, so that errors and static files carry the headers too."""

    def __init__(self, app: ASGIApp, *, secure: bool) -> None:
        self._app = app
        self._headers = dict(SECURITY_HEADERS)
        if secure:
            self._headers["Strict-Transport-Security"] = HSTS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, unless another site made it or its body is too large."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                if not scope["path"].startswith(STATIC_PREFIX):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        headers = Headers(scope=scope)
        app = self._app
        if scope["method"] not in SAFE_METHODS and made_by_another_site(headers):
            app = error_response(403, "cross_site", "Another site made this request; make it in Milepost.")
        elif NUL in scope["path"] or NUL_IN_QUERY in scope["query_string"]:
            app = error_response(400, "bad_request", "The address has a NUL character (%00); leave it out.")
        elif "transfer-encoding" in headers:
            app = error_response(411, "length_required", "Say how long the body is: send Content-Length.")
        elif int(headers.get("content-length") or 0) > BODY_BYTES_MAX:
            app = error_response(413, "too_large", f"Send at most {BODY_BYTES_MAX} bytes at once.")
        await app(scope, receive, send_with_headers)
