"""Wear as a bar with its limit drawn in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_server.web.charts import svg

if TYPE_CHECKING:
    from markupsafe import Markup

WIDTH = 240.0
HEIGHT = 20.0
BAR_TOP = 5.0
BAR_HEIGHT = 10.0
# The limit never stands at the very end: what lies beyond it has to be seen too.
ROOM_BEYOND_LIMIT = 1.15


@dataclass(frozen=True, slots=True)
class Gauge:
    """How much is used of what is allowed; ``used`` and ``limit`` in one unit, any.

    ``words`` says the same: "11,200 of 15,000 km". ``state`` is the item's, and picks the ink.
    """

    used: float
    limit: float
    words: str
    state: str


def draw(gauge: Gauge) -> Markup:
    """The gauge as SVG, ``WIDTH`` by ``HEIGHT``."""
    most = max(gauge.limit * ROOM_BEYOND_LIMIT, gauge.used)
    per_unit = WIDTH / most if most > 0 else 0.0
    used, limit = max(gauge.used, 0.0) * per_unit, gauge.limit * per_unit
    parts = [
        svg.rect(0, BAR_TOP, WIDTH, BAR_HEIGHT, "gauge-track"),
        svg.rect(0, BAR_TOP, min(used, limit), BAR_HEIGHT, f"gauge-used is-{gauge.state}"),
    ]
    if used > limit:
        parts.append(svg.rect(limit, BAR_TOP, used - limit, BAR_HEIGHT, "gauge-beyond"))
    parts.append(svg.line((limit, 0), (limit, HEIGHT), "gauge-limit"))
    return svg.picture(WIDTH, HEIGHT, gauge.words, parts, "gauge")
