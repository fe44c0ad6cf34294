"""Every route of an application, for tests that hold for all of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from fastapi.routing import APIRoute, iter_route_contexts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI

OPEN = frozenset({"/login", "/api/v1/sessions", "/styleguide"})


class Route(NamedTuple):
    """One method of one path."""

    method: str
    path: str

    @property
    def is_api(self) -> bool:
        """Whether programs call it."""
        return self.path.startswith("/api/")

    @property
    def is_open(self) -> bool:
        """Whether it is for everybody; DELETE /api/v1/sessions ends the asker's own."""
        return self.path in OPEN and self.method != "DELETE"

    @property
    def parameters(self) -> list[str]:
        """Names of the parameters in the path."""
        return re.findall(r"{(\w+)}", self.path)

    def filled(self, values: Mapping[str, object]) -> str:
        """The path with its parameters filled in."""
        return self.path.format(**values)


def all_routes(app: FastAPI) -> list[Route]:
    """Every method of every path, static files aside."""
    found = [
        Route(method, context.path)
        for context in iter_route_contexts(app.routes)
        if isinstance(context.original_route, APIRoute) and context.path is not None
        for method in sorted(context.methods or ())
    ]
    assert len(found) > 20, "the routes were not found"
    return found
