"""All parts of the pages with their states, on one page; served in development only."""

from __future__ import annotations

import datetime as dt

from fastapi import APIRouter, Request, Response

from milepost_server.store.schema import DueState
from milepost_server.web.charts import gauge, odometer
from milepost_server.web.rendering import render
from milepost_server.web.views import items

router = APIRouter(include_in_schema=False)

AS_OF = dt.date(2027, 2, 12)


@router.get("/styleguide")
async def styleguide(request: Request) -> Response:
    """Every macro, every state."""
    return render(request, "styleguide.html", examples())


def examples() -> dict[str, object]:
    """Made-up values that show each part at its ends."""
    return {
        "states": [(state.value, items.STATE_WORDS[state]) for state in reversed(DueState)],
        "gauges": [
            gauge.Gauge(2_000, 15_000, "2,000 of 15,000 km", "ok"),
            gauge.Gauge(13_400, 15_000, "13,400 of 15,000 km", "upcoming"),
            gauge.Gauge(14_900, 15_000, "14,900 of 15,000 km", "due"),
            gauge.Gauge(19_200, 15_000, "19,200 of 15,000 km", "overdue"),
        ],
        "charts": [
            _chart("Engine oil: between 14 March and 2 May, most likely 4 April.", 63_200e3),
            _chart("Inspection: between 14 March and 2 May, most likely 4 April.", None),
        ],
        "as_of": AS_OF,
    }


def _chart(title: str, limit_m: float | None) -> odometer.OdometerChart:
    start = dt.date(2026, 4, 1)
    weeks = [start + dt.timedelta(days=7 * week) for week in range(46)]
    readings = [odometer.Reading(day, 48_000e3 + 290e3 * number) for number, day in enumerate(weeks)]
    readings.append(odometer.Reading(dt.date(2026, 9, 3), 530_000e3, rejected=True))
    ahead = [(AS_OF + dt.timedelta(days=days), days / 7 * 290e3) for days in range(0, 120, 7)]
    last_m = 48_000e3 + 290e3 * 45
    return odometer.OdometerChart(
        as_of=AS_OF,
        readings=sorted(readings, key=lambda reading: reading.on),
        fan=[odometer.FanPoint(on, last_m + m * 0.7, last_m + m, last_m + m * 1.4) for on, m in ahead],
        services=[odometer.ServiceMark(dt.date(2026, 5, 20), 50_030e3, "Engine oil and filter + 2")],
        due=odometer.Due(
            "Engine oil", dt.date(2027, 3, 14), dt.date(2027, 4, 4), dt.date(2027, 5, 2), limit_m
        ),
        label=title,
    )
