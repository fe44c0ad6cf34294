"""Numbers, dates and sentences as an advisor reads them."""

from __future__ import annotations

import datetime as dt

import pytest

from milepost_server.signals.faults import FaultStatus
from milepost_server.signals.items.item import worn_words
from milepost_server.signals.odometer import Verdict
from milepost_server.signals.schedules.book import Kind
from milepost_server.signals.schedules.shipped import shipped_book
from milepost_server.store.condition import DueRow, GapRow
from milepost_server.store.item_actions import ItemActionRow
from milepost_server.store.schema import DueState, ItemActionKind, LifeCycle, RestsOn, Urgency
from milepost_server.store.vehicle_health import FaultRow
from milepost_server.web import words
from milepost_server.web.charts.gauge import Gauge
from milepost_server.web.views import evidence, faults, freshness, items, life_cycle, wear
from milepost_server.web.views.vehicle import finding

AS_OF = dt.date(2027, 2, 12)
PADS = "Vehicle.Chassis.Axle.Row1.Wheel.Left.Brake.PadWear"
NOW = dt.datetime(2027, 2, 12, 8, 0, tzinfo=dt.UTC)


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def due(state: DueState = DueState.OK, dates: tuple[str, str, str] | None = None, **more: object) -> DueRow:
    p10, p50, p90 = (day(text) for text in dates) if dates else (None, None, None)
    values: dict[str, object] = {
        "item": "front-pads",
        "title": "Front brake pads",
        "as_of": AS_OF,
        "state": state,
        "p10_on": p10,
        "p50_on": p50,
        "p90_on": p90,
        "p10_odometer_m": None,
        "p50_odometer_m": None,
        "p90_odometer_m": None,
        "p_30d": 0.1,
        "p_90d": 0.9,
        "worn": 0.8,
        "position": None,
        "due_since_on": None,
        "life_cycle": LifeCycle.NONE,
        "life_cycle_since": None,
        "life_cycle_until": None,
        "reminders": 0,
        "remind_on": None,
        "limits": [],
        "wear": [],
        "basis": "wear",
        "rests_on": RestsOn.MEASURED,
        "limit_text": "pads 90 percent worn: measured, 80% of the way",
        "limit_short": "pads 90 percent worn: measured, 80% of the way",
        "evidence": {},
        "config_version": "1",
        "derived_at": NOW,
    }
    return DueRow(**{**values, **more})


def fault(**more: object) -> FaultRow:
    values: dict[str, object] = {
        "as_of": AS_OF,
        "code": "P0301",
        "title": "Misfire, cylinder 1",
        "system": "ignition",
        "status": FaultStatus.CONFIRMED.value,
        "urgency": Urgency.P1,
        "reason": "it can damage the catalyst",
        "first_seen_at": dt.datetime(2027, 1, 3, 8, tzinfo=dt.UTC),
        "last_seen_at": dt.datetime(2027, 2, 1, 8, tzinfo=dt.UTC),
        "recurrences": 0,
        "cleared_before_visit": False,
        "evidence": {},
        "config_version": "x",
        "derived_at": dt.datetime(2027, 2, 12, tzinfo=dt.UTC),
    }
    return FaultRow(**{**values, **more})


@pytest.mark.parametrize(
    ("metres", "said"),
    [(48_213_400, "48,213 km"), (0, "0 km"), (999, "1 km")],
)
def test_measured_distances_are_exact(metres: float, said: str) -> None:
    assert plain(words.km(metres)) == said


@pytest.mark.parametrize(
    ("metres", "said"),
    [(12_432_000, "12,400 km"), (644_000, "640 km"), (1_049_000, "1,000 km"), (4_000, "0 km")],
)
def test_estimated_distances_claim_no_false_precision(metres: float, said: str) -> None:
    assert plain(words.about_km(metres)) == said


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("2027-03-14", "2027-05-02", "between 14 March and 2 May"),
        ("2027-03-03", "2027-03-20", "between 3 and 20 March"),
        ("2027-12-14", "2028-01-02", "between 14 December 2027 and 2 January 2028"),
        ("2028-03-14", "2028-05-02", "between 14 March and 2 May 2028"),
        ("2027-03-14", "2027-03-14", "on 14 March"),
    ],
)
def test_intervals_say_each_month_and_year_once(first: str, last: str, said: str) -> None:
    assert plain(words.days_between(day(first), day(last), AS_OF)) == said


def test_the_sentence_of_the_specification() -> None:
    row = due(DueState.UPCOMING, ("2027-03-14", "2027-04-04", "2027-05-02"), p50_odometer_m=62_400e3)
    said = plain(items.says(row, AS_OF, 50_000e3))
    assert said == "Between 14 March and 2 May, most likely 4 April (12,400 km from now)."


@pytest.mark.parametrize(
    ("state", "dates", "said"),
    [
        (DueState.OVERDUE, ("2026-12-20", "2027-01-03", "2027-01-20"), "Overdue since 3 January."),
        (DueState.OVERDUE, ("2026-12-20", "2026-12-28", "2027-01-20"), "Overdue since 28 December 2026."),
        (DueState.DUE, ("2027-02-01", "2027-02-12", "2027-02-20"), "Due now."),
        (
            DueState.DUE,
            ("2027-02-01", "2027-02-14", "2027-03-02"),
            "Any day until 2 March, most likely 14 February.",
        ),
        (DueState.OK, ("2028-01-24", "2028-01-24", "2028-01-24"), "On 24 January 2028."),
        (DueState.OK, ("2044-01-24", "2046-01-24", "2047-02-12"), "Not before 2044."),
        (
            DueState.OK,
            ("2029-01-24", "2031-01-24", "2047-02-12"),
            "Not before 24 January 2029, most likely 24 January 2031.",
        ),
        (
            DueState.UNKNOWN,
            None,
            "No date: no service is on record. Ask when it was last done, and enter it.",
        ),
    ],
)
def test_each_state_has_its_sentence(state: DueState, dates: tuple[str, str, str] | None, said: str) -> None:
    assert plain(items.says(due(state, dates), AS_OF, None)) == said


@pytest.mark.parametrize(
    ("title", "within"),
    [
        ("Front brake pads", "front brake pads"),
        ("Oil change by Halden", "oil change by Halden"),
        ("12 V battery", "12 V battery"),
        ("AdBlue", "AdBlue"),
        ("DPF cleaning", "DPF cleaning"),
    ],
)
def test_a_title_gives_up_its_capital_within_a_sentence(title: str, within: str) -> None:
    assert items.within(title) == within


def test_a_key_that_has_no_title_is_shown_in_words() -> None:
    assert items.title_of("wash-49", {"wash-49": "Underbody wash"}) == "Underbody wash"
    assert items.title_of("wash-49", {}) == "Wash 49"


def test_what_nothing_measures_is_to_be_looked_at_and_never_promised() -> None:
    row = due(DueState.DUE, ("2026-02-01", "2026-08-12", "2028-02-20"), worn=None, rests_on=RestsOn.USUAL)
    assert items.says(row, AS_OF, None).startswith("Time for a look: nothing measures it")
    assert "due within" not in finding([row], [], AS_OF)
    assert "to be looked at" in finding([row], [], AS_OF)


def test_the_limit_that_decides_is_named() -> None:
    row = due(
        DueState.OVERDUE,
        ("2026-12-20", "2027-01-03", "2027-01-20"),
        item="engine-oil",
        basis="time",
        limit_text="15,000 km or 12 months, whichever comes first, since the service on 3 January 2026",
    )
    assert items.why(row) == (
        "15,000 km or 12 months, whichever comes first, since the service on 3 January 2026; "
        "here the time comes first."
    )


def test_wear_is_never_said_to_be_less_than_none() -> None:
    assert [worn_words(share) for share in (-0.004, -0.2, -0.0, 0.33, 1.02)] == [
        "0%",
        "0%",
        "0%",
        "33%",
        "102%",
    ]


def test_places_are_shown_where_they_are_measured_or_their_wear_is_a_limit() -> None:
    place = {"signal": PADS, "worn": None, "per_1000_km": 0.021, "limit_odometer_m": 106_500_000.0}
    measured = {**place, "worn": -0.003}
    assert evidence.position_views(due(wear=[place], limits=[{"limit": "distance"}])) == []
    (usual,) = evidence.position_views(due(wear=[place], limits=[{"limit": "wear"}]))
    assert (usual.worn, plain(usual.limit)) == ("not measured", "106,500 km")
    (read,) = evidence.position_views(due(wear=[measured]))
    assert read.worn == "0% of the way"


def test_what_has_no_record_is_asked_and_not_claimed() -> None:
    dates = ("2026-12-20", "2027-01-03", "2027-01-20")
    row = due(DueState.DUE, dates, basis="time", rests_on=RestsOn.REGISTRATION)
    assert plain(items.says(row, AS_OF, None)) == (
        "Ask when it was last done: counted from new, it was due on 3 January."
    )
    assert items.badge(row.state, row.rests_on, row.p50_on, AS_OF) == items.Badge("unknown", "Ask")
    assert finding([row], [], AS_OF) == "Front brake pads to be asked about."
    recorded = due(DueState.DUE, dates, basis="time", rests_on=RestsOn.RECORD)
    assert items.badge(DueState.DUE, RestsOn.RECORD, recorded.p50_on, AS_OF) == items.Badge("due", "Due")


def test_the_finding_answers_the_question_in_one_sentence() -> None:
    overdue = due(DueState.OVERDUE, ("2026-12-20", "2027-01-03", "2027-01-20"), title="Engine oil and filter")
    soon = due(DueState.DUE, ("2027-02-20", "2027-02-28", "2027-03-20"))
    later = due(DueState.OK, ("2027-07-20", "2027-08-28", "2027-09-20"), title="12 V battery")
    confirmed, pending = fault(), fault(code="P0420", status="pending")
    assert finding([overdue, soon, later], [confirmed, pending], AS_OF) == (
        "Engine oil and filter overdue; front brake pads due within 30 days; "
        "1 confirmed fault, P0301: see to it this week."
    )
    assert plain(finding([later], [pending], AS_OF)) == (
        "Nothing is due. Next: 12 V battery, between 20 July and 20 September, most likely 28 August."
    )
    assert finding([], [], AS_OF) == "Not known yet what this car needs."


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ("2027-02-12", None),
        ("2027-01-30", None),
        ("2027-01-29", "No word from this car since 29 January; the interval is wider for it."),
        ("2026-02-09", "No word from this car since 9 February 2026; the interval is wider for it."),
        (None, "No word from this car yet. Dates rest on its service records alone."),
    ],
)
def test_silence_is_said_after_two_weeks(last: str | None, said: str | None) -> None:
    sentence = freshness.silence(day(last) if last else None, AS_OF)
    assert sentence == said or plain(sentence or "") == said


def test_a_gap_says_what_was_dropped_and_why() -> None:
    gap = GapRow("car-1", 10, 1010, "disk_budget", {"series": 1000, "odometer": 1}, NOW)
    assert plain(freshness.gap_sentence(gap, "Europe/Berlin", AS_OF)) == (
        "Device car-1 dropped 1,000 fine-grained values and 1 odometer reading, because its room on the disk "
        "was spent (reported on 12 February)."
    )


def test_a_day_is_the_dealers_day() -> None:
    late = dt.datetime(2027, 2, 12, 23, 30, tzinfo=dt.UTC)
    assert words.local_day(late, "Europe/Berlin") == day("2027-02-13")
    assert words.local_day(late, "America/New_York") == AS_OF
    assert plain(words.moment(late, "Europe/Berlin")) == "13 February 2027, 00:30"


@pytest.mark.parametrize(
    ("more", "badge", "says"),
    [
        ({}, "P1: this week", "Confirmed; first seen on 3 January, last on 1 February."),
        (
            {"status": "pending", "urgency": Urgency.P3, "first_seen_at": None, "last_seen_at": None},
            "P3: keep an eye on it",
            "Seen in one drive, not yet confirmed; "
            "the car's clock was not to be trusted, so the day is not known.",
        ),
        (
            {"recurrences": 2},
            "P1: this week",
            "Confirmed; first seen on 3 January, last on 1 February. "
            "It has come back twice after it was cleared.",
        ),
        (
            {"status": "cleared", "cleared_before_visit": True},
            "Cleared",
            "Cleared on 1 February. The codes were cleared shortly before a visit: ask what was done.",
        ),
    ],
)
def test_a_fault_says_how_soon_since_when_and_whether_it_returns(
    more: dict[str, object], badge: str, says: str
) -> None:
    (view,) = faults.fault_views([fault(**more)], "UTC", AS_OF)
    assert (view.badge.words, plain(view.says)) == (badge, says)


def test_faults_that_stand_come_before_those_that_are_gone() -> None:
    views = faults.fault_views(
        [fault(status="cleared"), fault(code="P0302", urgency=Urgency.P3)], "UTC", AS_OF
    )
    assert [view.code for view in views] == ["P0302", "P0301"]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([], ""),
        ([{"status": "pending"}], ""),
        ([{}, {"code": "P0420"}], "2 confirmed faults, P0301: see to it this week"),
        ([{"urgency": Urgency.P2}], "1 confirmed fault"),
        ([{}, {"code": "C0035", "urgency": Urgency.P0}], "2 confirmed faults, C0035: do not drive on"),
    ],
)
def test_the_finding_warns_of_what_must_not_be_driven(rows: list[dict[str, object]], says: str) -> None:
    assert faults.headline([fault(**more) for more in rows]) == says


def action(kind: ItemActionKind, on: dt.date | None = None, until: dt.date | None = None) -> ItemActionRow:
    return ItemActionRow(1, 1, "front-pads", kind, NOW, 1, "Ulrike Sommer", on, until, "")


@pytest.mark.parametrize(
    ("row", "last", "says"),
    [
        (due(), None, ""),
        (due(DueState.UPCOMING, life_cycle=LifeCycle.OPEN, life_cycle_since=day("2027-02-10")), None, ""),
        (
            due(
                DueState.DUE,
                life_cycle=LifeCycle.OPEN,
                life_cycle_since=day("2027-02-10"),
                remind_on=day("2027-02-17"),
            ),
            None,
            "Nobody has acted on it since 10 February; it comes up again on 17 February.",
        ),
        (
            due(DueState.DUE, life_cycle=LifeCycle.OPEN, life_cycle_since=AS_OF, remind_on=day("2027-02-19")),
            None,
            "It came up today; it comes up again on 19 February.",
        ),
        (
            due(
                DueState.OVERDUE,
                life_cycle=LifeCycle.REMINDED,
                life_cycle_since=day("2027-01-20"),
                reminders=2,
            ),
            None,
            "Nobody has acted on it since 20 January, and it has come up again twice.",
        ),
        (
            due(life_cycle=LifeCycle.BOOKED),
            action(ItemActionKind.BOOKED, on=day("2027-03-01")),
            "Booked for 1 March by Ulrike Sommer.",
        ),
        (
            due(life_cycle=LifeCycle.CLEARED, life_cycle_since=day("2027-02-01")),
            None,
            "Settled on 1 February without anybody's doing: the car no longer says that it needs this.",
        ),
    ],
)
def test_an_item_says_how_far_the_work_has_come(row: DueRow, last: ItemActionRow | None, says: str) -> None:
    assert plain(life_cycle.stands(row, last, AS_OF)) == says


def since(**more: object) -> wear.Since:
    values: dict[str, object] = {
        "as_of": AS_OF,
        "started_on": day("2026-08-12"),
        "started_m": 40_000e3,
        "born_on": day("2021-04-12"),
        "odometer_m": 51_200e3,
        "wear": {},
    }
    return wear.Since(**{**values, **more})


def gauges(key: str, basis: str, known: wear.Since) -> list[Gauge]:
    item = items.item_of(key, shipped_book().plan(Kind("combustion")))
    assert item is not None
    return wear.gauges_of(item, basis, DueState.OK, known)


def test_gauges_show_what_comes_first_in_its_own_unit() -> None:
    pads = {
        f"Vehicle.Chassis.Axle.Row1.Wheel.{side}.Brake.PadWear": worn
        for side, worn in (("Left", 71), ("Right", 64))
    }
    tread = {"Vehicle.Milepost.Tire.Row2.Left.TreadDepth": 4.1}
    by_distance, by_time = (gauges("engine-oil", basis, since()) for basis in ("distance", "time"))
    assert [one.words for one in by_distance + by_time] == ["11,200 of 15,000 km", "6 of 12 months"]
    assert gauges("front-pads", "wear", since(wear=pads)) == [
        Gauge(71, 90, "Front left: 71% worn, limit 90%", "ok"),
        Gauge(64, 90, "Front right: 64% worn, limit 90%", "ok"),
    ]
    (tyres,) = gauges("tyres", "wear", since(wear=tread))
    assert (round(tyres.used, 1), tyres.limit, tyres.words) == (3.9, 5, "4.1\u00a0mm left, limit 3\u00a0mm")


def test_no_gauge_is_drawn_of_what_is_not_known() -> None:
    assert gauges("front-pads", "wear", since()) == []
    assert gauges("engine-oil", "distance", since(started_on=None, started_m=None)) == []


@pytest.mark.parametrize(
    ("parts", "said"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_lists_are_read_as_a_sentence(parts: list[str], said: str) -> None:
    assert words.listed(parts) == said


def test_every_verdict_on_an_odometer_has_a_sentence_that_says_whether_it_counts() -> None:
    spoken = {verdict.word: verdict.kept for verdict in Verdict if verdict is not Verdict.KEPT}
    assert set(evidence.CLEANING_WORDS) == set(spoken)
    for word, sentence in evidence.CLEANING_WORDS.items():
        assert sentence.startswith("Used " if spoken[word] else "Not used: ")
        assert sentence.endswith(".")
