"""Templates: one environment, strict about what is missing, with the words and pictures that pages need."""

from __future__ import annotations

import hashlib
from functools import cache, partial
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from milepost_server.people.roles import Action, may
from milepost_server.web import words
from milepost_server.web.charts import coverage, gauge, odometer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import Request

VERSION_CHARS = 12
PICTURES = MappingProxyType(
    {
        "coverage_wide": partial(coverage.draw, width=coverage.WIDE),
        "coverage_narrow": partial(coverage.draw, width=coverage.NARROW),
        "gauge": gauge.draw,
        "odometer_wide": partial(odometer.draw, width=odometer.WIDE),
        "odometer_narrow": partial(odometer.draw, width=odometer.NARROW),
    }
)


@cache
def environment() -> Environment:
    """The environment of all templates: a name that a context lacks is an error, not an empty string."""
    made = Environment(
        loader=PackageLoader("milepost_server.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(static=static_url, may=may, Action=Action)
    made.filters.update(words.FILTERS)
    made.filters.update(PICTURES)
    made.filters["breakable"] = breakable
    made.filters["commands"] = commands
    return made


@cache
def static_url(name: str) -> str:
    """The address of a static file; it changes with the content, so browsers may keep it for ever."""
    content = resources.files("milepost_server.web").joinpath("static", name).read_bytes()
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:VERSION_CHARS]}"


def breakable(address: str) -> Markup:
    """A mail address that may be broken after its ``@``, where a column is narrow."""
    return escape(address).replace("@", Markup("@<wbr>"))


def commands(text: str) -> Markup:
    """A sentence in which what stands between backticks is to be typed."""
    parts = (
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part)
        for place, part in enumerate(text.split("`"))
    )
    return Markup("").join(parts)


def render(
    request: Request,
    template: str,
    context: Mapping[str, Any],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """A page; every template may count on ``who`` (None before the login) and ``path``."""
    who = getattr(request.state, "principal", None)
    page = environment().get_template(template)
    html = page.render(who=who, path=request.url.path, **context)
    return HTMLResponse(html, status_code=status, headers=dict(headers or {}))
