"""All parts of the pages with their states, on one page; served in development only."""

from __future__ import annotations

import datetime as dt

from fastapi import APIRouter, Request, Response

from milepost_server.store.schema import DueState
from milepost_server.web.charts import coverage, gauge, odometer
from milepost_server.web.rendering import render
from milepost_server.web.views import faults, items, life_cycle, readiness

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
        "coverage": coverage.CoverageChart(
            "Of 412 dates that could be checked, 78 of 100 fell inside their interval; 80 were promised.",
            "Told so many days ahead",
            [
                coverage.Share("30", 0.81, 0.74, 0.87, 160),
                coverage.Share("90", 0.78, 0.71, 0.84, 152),
                coverage.Share("180", 0.73, 0.63, 0.81, 100),
            ],
            promised=0.8,
        ),
        "urgencies": list(faults.URGENCY_BADGES.values()),
        "handling": life_cycle.Handling("/styleguide", "guide", "Engine oil", "/styleguide", "booked"),
        "choices": life_cycle.form_choices(),
        "readiness": readiness.ReadinessView(
            score=41,
            says=readiness.chance_words(0.12, 0.21),
            reasons=[
                readiness.ReasonView("+24", "The lease ends in 4 months.", "A new contract.", []),
                readiness.ReasonView(
                    "+21", "Repairs of a tenth of its value are due.", "Having them done.", []
                ),
                readiness.ReasonView(f"{readiness.MINUS}4", "It was serviced 2 months ago.", "", []),
            ],
            basis=readiness.PRIOR,
            is_prior=True,
            model="example",
        ),
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
