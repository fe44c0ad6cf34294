"""How often intervals held: shares with their own intervals, against what was promised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_server.web.charts import svg
from milepost_server.web.charts.scale import Scale

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markupsafe import Markup

WIDE, NARROW = 880.0, 340.0
HEIGHT = 260.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 18.0, 28.0, 44.0
RADIUS = 4.5
TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True, slots=True)
class Share:
    """One point: of ``n`` cases, the share that held, and the interval in which the true one lies."""

    label: str
    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class CoverageChart:
    """All that the picture shows; ``promised`` is the share that was said to hold."""

    label: str
    x_label: str
    shares: Sequence[Share]
    promised: float


def draw(chart: CoverageChart, width: float = WIDE) -> Markup:
    """The picture as SVG, ``width`` by ``HEIGHT``; needs at least one share."""
    y = Scale(0.0, 1.0, HEIGHT - BOTTOM, TOP)
    step = (width - LEFT - RIGHT) / len(chart.shares)
    parts = [*_axis(y, width), *_promise(y, width, chart.promised)]
    for place, share in enumerate(chart.shares):
        parts += _share(y, LEFT + step * (place + 0.5), share)
    middle = (LEFT + width - RIGHT) / 2
    parts.append(svg.text(chart.x_label, middle, HEIGHT - 6, class_="chart-unit", text_anchor="middle"))
    return svg.picture(width, HEIGHT, chart.label, parts, "chart-coverage")


def _axis(y: Scale, width: float) -> Iterator[Markup]:
    yield svg.text("of 100", 4, TOP - 12, class_="chart-unit")
    for tick in TICKS:
        yield svg.line((LEFT, y(tick)), (width - RIGHT, y(tick)), "chart-grid")
        yield svg.text(f"{tick * 100:.0f}", LEFT - 8, y(tick) + 4, class_="chart-tick", text_anchor="end")


def _promise(y: Scale, width: float, promised: float) -> Iterator[Markup]:
    yield svg.line((LEFT, y(promised)), (width - RIGHT, y(promised)), "promise")
    words = f"promised: {promised * 100:.0f}"
    yield svg.text(words, width - RIGHT, TOP - 12, class_="chart-note", text_anchor="end")


def _share(y: Scale, x: float, share: Share) -> Iterator[Markup]:
    yield svg.line((x, y(share.low)), (x, y(share.high)), "whisker")
    yield svg.element("circle", class_="service", cx=x, cy=y(share.value), r=RADIUS)
    yield svg.text(share.label, x, HEIGHT - BOTTOM + 18, class_="chart-tick", text_anchor="middle")
