"""The odometer over time: what was read, what is to come, and when the next item is due."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from milepost_server.signals.flat import METRES_PER_KM
from milepost_server.web import words
from milepost_server.web.charts import svg
from milepost_server.web.charts.scale import Scale, month_ticks, nice_ticks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markupsafe import Markup

WIDE, NARROW = 880.0, 340.0
HEIGHT = 320.0
LEFT, RIGHT, TOP, BOTTOM = 62.0, 14.0, 40.0, 54.0
GLYPH_WIDTH = 7.4  # of the labels' type size, on average; labels are kept apart by it
DOTS_MAX = 80
PX_PER_X_TICK = 90
Y_TICKS = 5
DAYS_ROOM = 0.03


@dataclass(frozen=True, slots=True)
class Reading:
    """An odometer reading; a rejected one is drawn as a cross where it would have stood."""

    on: dt.date
    odometer_m: float
    rejected: bool = False


@dataclass(frozen=True, slots=True)
class FanPoint:
    """Quantiles of the odometer on a day to come, in metres."""

    on: dt.date
    p10_m: float
    p50_m: float
    p90_m: float


@dataclass(frozen=True, slots=True)
class ServiceMark:
    """A service that was done."""

    on: dt.date
    odometer_m: float
    label: str


@dataclass(frozen=True, slots=True)
class Due:
    """The item that is due next; ``limit_m`` is the odometer at which it is, where distance decides."""

    label: str
    p10_on: dt.date
    p50_on: dt.date
    p90_on: dt.date
    limit_m: float | None


@dataclass(frozen=True, slots=True)
class OdometerChart:
    """All that the picture shows; distances in metres."""

    as_of: dt.date
    readings: Sequence[Reading]
    fan: Sequence[FanPoint] = ()
    services: Sequence[ServiceMark] = ()
    due: Due | None = None
    label: str = field(default="Odometer history")


@dataclass(frozen=True, slots=True)
class _Frame:
    width: float
    x: Scale
    y: Scale
    first: dt.date
    last: dt.date
    ticks_m: Sequence[float]

    def at(self, on: dt.date, odometer_m: float) -> svg.Point:
        return self.x(on.toordinal()), self.y(odometer_m)

    def day(self, on: dt.date) -> float:
        return min(max(self.x(on.toordinal()), LEFT), self.width - RIGHT)


def draw(chart: OdometerChart, width: float = WIDE) -> Markup:
    """The picture as SVG, ``width`` by ``HEIGHT``; needs at least one kept reading."""
    frame = _frame(chart, width)
    parts = [
        *_y_axis(frame),
        *_x_axis(frame),
        *_due_span(frame, chart.due),
        *_fan(frame, chart),
        *_due(frame, chart),
        *_today(frame, chart.as_of),
        *_history(frame, chart.readings),
        *_services(frame, chart.services),
    ]
    return svg.picture(width, HEIGHT, chart.label, parts, "chart-odometer")


def _frame(chart: OdometerChart, width: float) -> _Frame:
    kept = [reading for reading in chart.readings if not reading.rejected]
    days = [reading.on for reading in kept] + [point.on for point in chart.fan] + [chart.as_of]
    if chart.due is not None:
        days.append(chart.due.p90_on)
    first, last = min(days), max(days)
    room = max(round((last - first).days * DAYS_ROOM), 1)
    last += dt.timedelta(days=room)
    values = [reading.odometer_m for reading in kept] + [point.p90_m for point in chart.fan]
    if chart.due is not None and chart.due.limit_m is not None:
        values.append(chart.due.limit_m)
    ticks = nice_ticks(min(values), max(values), Y_TICKS)
    return _Frame(
        width=width,
        x=Scale(first.toordinal(), last.toordinal(), LEFT, width - RIGHT),
        y=Scale(ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP),
        first=first,
        last=last,
        ticks_m=ticks,
    )


def _y_axis(frame: _Frame) -> Iterator[Markup]:
    yield svg.text("km", LEFT - 8, TOP - 16, class_="chart-unit", text_anchor="end")
    for tick in frame.ticks_m:
        y = frame.y(tick)
        yield svg.line((LEFT, y), (frame.width - RIGHT, y), "chart-grid")
        label = words.number(tick / METRES_PER_KM)
        yield svg.text(label, LEFT - 8, y + 4, class_="chart-tick", text_anchor="end")


def _x_axis(frame: _Frame) -> Iterator[Markup]:
    base = HEIGHT - BOTTOM
    yield svg.line((LEFT, base), (frame.width - RIGHT, base), "chart-axis")
    count_max = max(int((frame.width - LEFT - RIGHT) / PX_PER_X_TICK), 2)
    year = None
    for tick in month_ticks(frame.first, frame.last, count_max):
        x = frame.x(tick.toordinal())
        yield svg.line((x, base), (x, base + 5), "chart-axis")
        label = f"{tick:%b}" if tick.year == year else f"{tick:%b} {tick.year}"
        year = tick.year
        if x + len(label) * GLYPH_WIDTH / 2 <= frame.width:
            yield svg.text(label, x, base + 19, class_="chart-tick", text_anchor="middle")


def _fan(frame: _Frame, chart: OdometerChart) -> Iterator[Markup]:
    if len(chart.fan) < 2:
        return
    low = [frame.at(point.on, point.p10_m) for point in chart.fan]
    high = [frame.at(point.on, point.p90_m) for point in chart.fan]
    yield svg.polygon([*low, *reversed(high)], "fan")
    yield svg.polyline(low, "fan-edge")
    yield svg.polyline(high, "fan-edge")
    yield svg.polyline([frame.at(point.on, point.p50_m) for point in chart.fan], "fan-middle")


def _due_span(frame: _Frame, due: Due | None) -> Iterator[Markup]:
    if due is not None:
        start, end = frame.day(due.p10_on), frame.day(due.p90_on)
        yield svg.rect(start, TOP, max(end - start, 2), HEIGHT - BOTTOM - TOP, "due-span")


def _due(frame: _Frame, chart: OdometerChart) -> Iterator[Markup]:
    due = chart.due
    if due is None:
        return
    base = HEIGHT - BOTTOM
    if due.limit_m is not None:
        y = frame.y(due.limit_m)
        yield svg.line((LEFT, y), (frame.width - RIGHT, y), "due-limit")
        limit = f"{words.number(due.limit_m / METRES_PER_KM)} km"
        label = f"{due.label} at {limit}"
        if LEFT + 6 + len(label) * GLYPH_WIDTH > frame.day(chart.as_of):
            label = limit  # the fan is not to be written over
        yield svg.text(label, LEFT + 6, y - 6, class_="chart-note")
    yield svg.line((frame.day(due.p10_on), base), (frame.day(due.p90_on), base), "due-bar")
    middle = frame.day(due.p50_on)
    yield svg.element("circle", class_="due-middle", cx=middle, cy=base, r=5)
    label = f"due {words.short_range(due.p10_on, due.p90_on, chart.as_of)}"
    half = len(label) * GLYPH_WIDTH / 2
    x = min(max(middle, LEFT + half), frame.width - half)
    yield svg.text(label, x, base + 40, class_="chart-note", text_anchor="middle")


def _today(frame: _Frame, as_of: dt.date) -> Iterator[Markup]:
    x = frame.day(as_of)
    yield svg.line((x, TOP - 8), (x, HEIGHT - BOTTOM), "today")
    anchor = "end" if x > frame.width / 2 else "start"
    shift = 4 if anchor == "start" else -4
    label = f"Today, {words.short_day(as_of, as_of)}"
    yield svg.text(label, x + shift, TOP - 16, class_="chart-note", text_anchor=anchor)


def _history(frame: _Frame, readings: Sequence[Reading]) -> Iterator[Markup]:
    kept = [frame.at(reading.on, reading.odometer_m) for reading in readings if not reading.rejected]
    yield svg.polyline(kept, "history")
    if len(kept) <= DOTS_MAX:
        yield from (svg.element("circle", class_="history-dot", cx=x, cy=y, r=2.2) for x, y in kept)
    for reading in readings:
        if reading.rejected:
            # A reading may be ten times too high: it is drawn at the edge, not left out.
            x = frame.day(reading.on)
            y = min(max(frame.y(reading.odometer_m), TOP), HEIGHT - BOTTOM)
            yield svg.line((x - 4, y - 4), (x + 4, y + 4), "rejected")
            yield svg.line((x - 4, y + 4), (x + 4, y - 4), "rejected")


def _services(frame: _Frame, services: Sequence[ServiceMark]) -> Iterator[Markup]:
    shown = [mark for mark in services if frame.first <= mark.on <= frame.last]
    free_until = frame.width - RIGHT
    for mark in sorted(shown, key=lambda service: service.on, reverse=True):
        x, y = frame.at(mark.on, mark.odometer_m)
        yield svg.polygon([(x, y - 6), (x + 6, y), (x, y + 6), (x - 6, y)], "service")
        # Labels hang to the right below the line, where history never runs. The latest goes first; one that
        # would cover it is left to the table of services.
        end = x + 10 + len(mark.label) * GLYPH_WIDTH
        if end <= free_until and y + 24 < HEIGHT - BOTTOM:
            yield svg.text(mark.label, x + 10, y + 16, class_="chart-note")
            free_until = x - GLYPH_WIDTH
