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
    bar = {"y": BAR_TOP, "height": BAR_HEIGHT}
    parts = [
        svg.element("rect", class_="gauge-track", x=0, width=WIDTH, rx=2, **bar),
        svg.element("rect", class_=f"gauge-used is-{gauge.state}", x=0, width=min(used, limit), rx=2, **bar),
    ]
    if used > limit:
        parts.append(svg.element("rect", class_="gauge-beyond", x=limit, width=used - limit, **bar))
    parts.append(svg.line((limit, 0), (limit, HEIGHT), "gauge-limit"))
    return svg.picture(WIDTH, HEIGHT, gauge.words, parts, "gauge")
