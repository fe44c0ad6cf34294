"""Pictures of an evaluation as SVG that stands alone: the title states the finding, the axes have units.

Series differ by dashes and marks, not by colour alone, so that they print in black and white.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from milepost_server.signals.flat import Floats
from milepost_server.web.charts import svg
from milepost_server.web.charts.scale import Scale, nice_ticks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markupsafe import Markup

WIDTH, HEIGHT = 720.0, 440.0
LEFT, RIGHT, TOP, BOTTOM = 78.0, 24.0, 92.0, 62.0
SERIES_MAX = 6
TICKS = 6
MARK_RADIUS = 3.2
_LEGEND_GLYPH = 6.8
_STYLE = """
text { font-family: system-ui, sans-serif; font-size: 12px; fill: #1f2933; }
.title { font-size: 16px; font-weight: 600; }
.subtitle, .tick { fill: #52606d; }
.ground { fill: #ffffff; }
.grid { stroke: #e4e7eb; }
.axis { stroke: #7b8794; }
.reference { stroke: #7b8794; stroke-dasharray: 2 4; fill: none; }
.line { fill: none; stroke-width: 2; }
.whisker { stroke-width: 1.3; }
.s0 { stroke: #0b5cad; }
.s1 { stroke: #b44d12; stroke-dasharray: 7 4; }
.s2 { stroke: #2f7d32; stroke-dasharray: 2 3; }
.s3 { stroke: #6b3fa0; stroke-dasharray: 10 3 2 3; }
.s4 { stroke: #8a6d00; stroke-dasharray: 1 5; }
.s5 { stroke: #52606d; stroke-dasharray: 12 4; }
.whisker, .mark { stroke-dasharray: none; }
.mark { fill: #ffffff; stroke-width: 2; }
"""


@dataclass(frozen=True, slots=True)
class Series:
    """N points; ``low`` and ``high`` are the ends of their intervals, where there are any."""

    label: str
    x: Floats  # (N) rising
    y: Floats  # (N)
    low: Floats | None = None
    high: Floats | None = None
    drawn_as: Literal["line", "points", "line and points"] = "line and points"


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture of some series over numbers; ``reference`` is a straight line to compare with."""

    title: str  # what is to be seen, as a sentence
    subtitle: str  # of what data, how many
    x_label: str  # with its unit
    y_label: str
    series: Sequence[Series]
    reference: tuple[svg.Point, svg.Point] | None = None
    y_from_zero: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """Some rows of one figure with its interval, such as methods by their error."""

    title: str
    subtitle: str
    x_label: str
    rows: Sequence[tuple[str, float, float, float]]  # label, value, low, high
    reference: float | None = None


def draw(chart: Chart) -> str:
    """The chart as SVG text. Points that are not finite are left out.

    Raises:
        ValueError: more than ``SERIES_MAX`` series, which nobody could tell apart.
    """
    if len(chart.series) > SERIES_MAX:
        raise ValueError(f"{len(chart.series)} series in one picture; at most {SERIES_MAX}")
    frame = _frame(chart)
    parts = [*_axes(frame, chart), *_legend(chart.series)]
    if chart.reference is not None:
        parts.append(svg.polyline([frame.at(*point) for point in chart.reference], "reference"))
    for place, series in enumerate(chart.series):
        parts += _series(frame, series, f"s{place}")
    return _picture(chart.title, chart.subtitle, HEIGHT, parts)


def draw_comparison(chart: Comparison) -> str:
    """The comparison as SVG text, a row a line. Rows that are not finite keep their label only."""
    rows = len(chart.rows)
    height = TOP + BOTTOM + 34.0 * max(rows, 1)
    left = LEFT + max((len(label) for label, *_ in chart.rows), default=0) * _LEGEND_GLYPH
    values = [value for _, *row in chart.rows for value in row]
    x, ticks = _scale([*values, *([] if chart.reference is None else [chart.reference])], left, WIDTH - RIGHT)
    parts = list(_x_axis(x, ticks, TOP, height - BOTTOM, chart.x_label))
    if chart.reference is not None:
        at = x(chart.reference)
        parts.append(svg.line((at, TOP), (at, height - BOTTOM), "reference"))
    for place, (label, value, low, high) in enumerate(chart.rows):
        y = TOP + 34.0 * (place + 0.5)
        parts.append(svg.text(label, left - 10, y + 4, text_anchor="end"))
        if np.isfinite([low, high]).all():
            parts.append(svg.line((x(low), y), (x(high), y), "whisker s0"))
        if np.isfinite(value):
            parts.append(svg.element("circle", class_="mark s0", cx=x(value), cy=y, r=MARK_RADIUS + 1))
    return _picture(chart.title, chart.subtitle, height, parts)


@dataclass(frozen=True, slots=True)
class _Frame:
    x: Scale
    y: Scale
    x_ticks: list[float]
    y_ticks: list[float]

    def at(self, x: float, y: float) -> svg.Point:
        return self.x(x), self.y(y)


def _frame(chart: Chart) -> _Frame:
    xs = [series.x for series in chart.series]
    ys = [
        values
        for series in chart.series
        for values in (series.y, series.low, series.high)
        if values is not None
    ]
    if chart.reference is not None:
        xs.append(np.array([point[0] for point in chart.reference]))
        ys.append(np.array([point[1] for point in chart.reference]))
    if chart.y_from_zero:
        ys.append(np.zeros(1))
    x, x_ticks = _scale(np.concatenate([*xs, np.zeros(0)]), LEFT, WIDTH - RIGHT)
    y, y_ticks = _scale(np.concatenate([*ys, np.zeros(0)]), HEIGHT - BOTTOM, TOP)
    return _Frame(x, y, x_ticks, y_ticks)


def _scale(values: Sequence[float] | Floats, start: float, end: float) -> tuple[Scale, list[float]]:
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    ticks = nice_ticks(low, high, TICKS)
    return Scale(ticks[0], ticks[-1], start, end), ticks


def _axes(frame: _Frame, chart: Chart) -> Iterator[Markup]:
    for tick in frame.y_ticks:
        y = frame.y(tick)
        yield svg.line((LEFT, y), (WIDTH - RIGHT, y), "grid")
        yield svg.text(_tick(tick, frame.y_ticks), LEFT - 8, y + 4, class_="tick", text_anchor="end")
    yield svg.text(chart.y_label, LEFT - 60, TOP - 12, class_="tick")
    yield from _x_axis(frame.x, frame.x_ticks, HEIGHT - BOTTOM, HEIGHT - BOTTOM, chart.x_label)


def _x_axis(x: Scale, ticks: list[float], top: float, base: float, label: str) -> Iterator[Markup]:
    yield svg.line((x.start, base), (x.end, base), "axis")
    for tick in ticks:
        yield svg.line((x(tick), top), (x(tick), base), "grid")
        yield svg.line((x(tick), base), (x(tick), base + 5), "axis")
        yield svg.text(_tick(tick, ticks), x(tick), base + 20, class_="tick", text_anchor="middle")
    yield svg.text(label, (x.start + x.end) / 2, base + 44, class_="tick", text_anchor="middle")


def _tick(value: float, ticks: list[float]) -> str:
    step = abs(ticks[1] - ticks[0]) if len(ticks) > 1 else 1.0
    digits = max(0, int(np.ceil(-np.log10(step) - 1e-9)))
    if step * 10**digits % 1 > 1e-6:
        digits += 1  # steps of 2.5
    return f"{value:,.{digits}f}"


def _legend(series: Sequence[Series]) -> Iterator[Markup]:
    x = LEFT
    for place, one in enumerate(series):
        yield svg.line((x, 62), (x + 26, 62), f"line s{place}")
        yield svg.text(one.label, x + 32, 66)
        x += 32 + len(one.label) * _LEGEND_GLYPH + 18


def _series(frame: _Frame, series: Series, ink: str) -> Iterator[Markup]:
    known = np.flatnonzero(np.isfinite(series.x) & np.isfinite(series.y))
    points = [frame.at(float(series.x[row]), float(series.y[row])) for row in known]
    if series.drawn_as != "points" and len(points) > 1:
        yield svg.polyline(points, f"line {ink}")
    if series.low is not None and series.high is not None:
        for row, (x, _) in zip(known, points, strict=True):
            low, high = float(series.low[row]), float(series.high[row])
            if np.isfinite([low, high]).all():
                yield svg.line((x, frame.y(low)), (x, frame.y(high)), f"whisker {ink}")
    if series.drawn_as != "line":
        yield from (svg.element("circle", class_=f"mark {ink}", cx=x, cy=y, r=MARK_RADIUS) for x, y in points)


def _picture(title: str, subtitle: str, height: float, parts: Sequence[Markup]) -> str:
    words = [
        svg.text(title, 18, 26, class_="title"),
        svg.text(subtitle, 18, 45, class_="subtitle"),
    ]
    drawn = svg.element(
        "svg",
        [
            svg.element("style", [_STYLE]),
            svg.rect(0, 0, WIDTH, height, "ground"),
            *words,
            *parts,
        ],
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH:g} {height:g}",
        width=WIDTH,
        height=height,
        role="img",
        aria_label=title,
    )
    return f"{drawn}\n"
