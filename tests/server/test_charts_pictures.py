"""Pictures as SVG: what they must show, that nothing leaves the frame, and that words are escaped."""

from __future__ import annotations

import datetime as dt
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_server.web.charts import gauge, odometer, svg
from milepost_server.web.charts.odometer import (
    NARROW,
    WIDE,
    Due,
    FanPoint,
    OdometerChart,
    Reading,
    ServiceMark,
)

AS_OF = dt.date(2027, 2, 12)
KM = 1000.0


def ahead(days: int) -> dt.date:
    return AS_OF + dt.timedelta(days=days)


CHART = OdometerChart(
    as_of=AS_OF,
    readings=[Reading(ahead(7 * week), (60_000 + 300 * week) * KM) for week in range(-40, 1)],
    fan=[
        FanPoint(ahead(d), (60_000 + 30 * d) * KM, (60_000 + 43 * d) * KM, (60_000 + 60 * d) * KM)
        for d in (0, 60, 120)
    ],
    services=[ServiceMark(ahead(-200), 51_400 * KM, "Engine oil")],
    due=Due("Engine oil", ahead(50), ahead(70), ahead(95), 63_000 * KM),
    label="Engine oil: most likely 23 April",
)


def parsed(picture: str) -> ET.Element:
    return ET.fromstring(picture)


def of_class(picture: str, name: str) -> list[ET.Element]:
    return [element for element in parsed(picture).iter() if element.get("class", "").split()[:1] == [name]]


def texts(picture: str) -> list[str]:
    return [(element.text or "").replace("\u00a0", " ") for element in parsed(picture).iter("text")]


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_the_picture_shows_history_fan_due_date_today_and_service(width: float) -> None:
    drawn = odometer.draw(CHART, width)
    for name in ("history", "fan", "fan-middle", "due-limit", "due-bar", "due-middle", "today", "service"):
        assert len(of_class(drawn, name)) == 1, name
    said = texts(drawn)
    assert "km" in said
    assert "Today, 12 Feb" in said
    assert "Engine oil at 63,000 km" in said
    assert "due 3 Apr to 18 May" in said
    assert parsed(drawn).get("aria-label") == CHART.label


def test_the_axis_of_time_names_each_year_once() -> None:
    months = [
        text for text in texts(odometer.draw(CHART)) if text[:3] in {"Jan", "May", "Jul", "Sep", "Nov", "Mar"}
    ]
    assert sum("2026" in month for month in months) == 1
    assert sum("2027" in month for month in months) == 1


def test_the_middle_of_the_fan_meets_the_limit_in_the_due_span() -> None:
    drawn = odometer.draw(CHART)
    limit_y = float(of_class(drawn, "due-limit")[0].get("y1", ""))
    points = [
        tuple(map(float, pair.split(",")))
        for pair in of_class(drawn, "fan-middle")[0].get("points", "").split()
    ]
    (x0, y0), *_, (x1, y1) = points
    crossing = x0 + (limit_y - y0) / (y1 - y0) * (x1 - x0)
    middle = float(of_class(drawn, "due-middle")[0].get("cx", ""))
    assert crossing == pytest.approx(middle, abs=3)


def test_a_reading_that_was_not_believed_is_a_cross_within_the_frame() -> None:
    wild = [*CHART.readings, Reading(ahead(-90), 5_600_000 * KM, rejected=True)]
    drawn = odometer.draw(replace(CHART, readings=wild))
    assert len(of_class(drawn, "rejected")) == 2
    assert of_class(drawn, "history")[0].get("points") == of_class(odometer.draw(CHART), "history")[0].get(
        "points"
    )


def test_labels_of_services_do_not_cover_each_other() -> None:
    marks = [
        ServiceMark(ahead(-200 + step), (51_400 + 43 * step) * KM, "Engine oil and filter + 2")
        for step in (0, 8, 16)
    ]
    drawn = odometer.draw(replace(CHART, services=marks))
    assert len(of_class(drawn, "service")) == 3
    assert texts(drawn).count("Engine oil and filter + 2") == 1


def test_a_long_label_is_cut_to_its_number_before_it_covers_the_fan() -> None:
    assert CHART.due is not None
    long = replace(CHART, due=replace(CHART.due, label="Roadworthiness inspection"))
    assert "Roadworthiness inspection at 63,000 km" in texts(odometer.draw(long, WIDE))
    assert "63,000 km" in texts(odometer.draw(long, NARROW))


def test_an_item_due_by_time_has_a_span_and_no_line() -> None:
    assert CHART.due is not None
    drawn = odometer.draw(replace(CHART, due=replace(CHART.due, limit_m=None)))
    assert of_class(drawn, "due-limit") == []
    assert len(of_class(drawn, "due-span")) == 1


def test_a_car_with_one_reading_and_nothing_else_can_be_drawn() -> None:
    drawn = odometer.draw(OdometerChart(AS_OF, [Reading(AS_OF, 12 * KM)]))
    assert of_class(drawn, "fan") == []


@given(
    readings=st.lists(
        st.tuples(st.integers(-3000, 0), st.floats(0, 4e9), st.booleans()), min_size=1, max_size=40
    ),
    due=st.tuples(st.integers(0, 2000), st.integers(0, 2000), st.integers(0, 2000)),
    width=st.sampled_from([WIDE, NARROW]),
)
def test_nothing_is_drawn_outside_the_picture(
    readings: list[tuple[int, float, bool]], due: tuple[int, int, int], width: float
) -> None:
    first, *others = [Reading(ahead(days), metres, rejected) for days, metres, rejected in sorted(readings)]
    kept = replace(first, rejected=False)
    p10, p50, p90 = (ahead(days) for days in sorted(due))
    drawn = odometer.draw(OdometerChart(AS_OF, [kept, *others], due=Due("Tyres", p10, p50, p90, None)), width)
    for element in parsed(drawn).iter():
        for key in ("x", "x1", "x2", "cx"):
            assert -1 <= float(element.get(key, "0")) <= width + 1, (element.tag, element.attrib)
        for key in ("y", "y1", "y2", "cy"):
            assert -1 <= float(element.get(key, "0")) <= odometer.HEIGHT + 1, (element.tag, element.attrib)


def test_words_in_pictures_are_escaped() -> None:
    nasty = '<script>"&'
    drawn = odometer.draw(
        replace(CHART, label=nasty, services=[ServiceMark(ahead(-200), 51_400 * KM, nasty)])
    )
    assert "<script>" not in drawn
    assert nasty in texts(drawn)
    assert parsed(drawn).get("aria-label") == nasty


@pytest.mark.parametrize(
    ("used", "beyond"), [(0.0, 0), (7_000.0, 0), (15_000.0, 0), (15_001.0, 1), (90_000.0, 1), (-5.0, 0)]
)
def test_a_gauge_draws_its_limit_and_what_lies_beyond(used: float, beyond: int) -> None:
    drawn = gauge.draw(gauge.Gauge(used, 15_000.0, "words", "due"))
    assert len(of_class(drawn, "gauge-limit")) == 1
    assert len(of_class(drawn, "gauge-beyond")) == beyond
    for rect in parsed(drawn).iter("rect"):
        assert 0 <= float(rect.get("x", "")) + float(rect.get("width", "")) <= gauge.WIDTH + 0.1


def test_a_half_used_gauge_is_half_way_to_its_limit() -> None:
    drawn = gauge.draw(gauge.Gauge(7_500.0, 15_000.0, "7,500 of 15,000 km", "ok"))
    used = float(of_class(drawn, "gauge-used")[0].get("width", ""))
    limit = float(of_class(drawn, "gauge-limit")[0].get("x1", ""))
    assert used * 2 == pytest.approx(limit, abs=0.2)
    assert parsed(drawn).get("aria-label") == "7,500 of 15,000 km"


def test_elements_name_their_attributes_as_svg_does() -> None:
    drawn = svg.element("text", ["1 < 2"], class_="note", text_anchor="end", x=1.0, y=2.25)
    assert drawn == '<text class="note" text-anchor="end" x="1" y="2.2">1 &lt; 2</text>'
