"""Schedules: what ships is whole and sourced, and each way of writing a bad one has its own message."""

from __future__ import annotations

import pytest

from milepost_server.signals.errors import ScheduleError
from milepost_server.signals.items.item import months_words, position_words
from milepost_server.signals.schedules.documents import Schedule
from milepost_server.signals.schedules.parsing import parse_schedule
from milepost_server.signals.schedules.shipped import shipped, shipped_version
from milepost_server.store.schema import Powertrain

HEAD = 'schema = 1\npowertrain = "ev"\ntitle = "A schedule for a test"\n'
SOURCE = 'source = "made up for this test"\n'


def item(*bands: str, key: str = "brake-fluid", rest: str = "") -> str:
    lines = [f'[[item]]\nkey = "{key}"\ntitle = "Thing"\n']
    lines += [f"[[item.interval]]\n{band}\n{SOURCE}" for band in bands]
    return "".join(lines) + rest


def parse(*items: str) -> Schedule:
    return parse_schedule(HEAD + "".join(items), "test.toml")


def test_every_powertrain_has_a_schedule() -> None:
    assert set(shipped()) == set(Powertrain)
    keys = {powertrain: {item.key for item in schedule.item} for powertrain, schedule in shipped().items()}
    assert "engine-oil" not in keys[Powertrain.EV]
    usual = {"engine-oil", "front-pads", "tyres", "brake-fluid", "battery-12v", "inspection"}
    assert usual <= keys[Powertrain.COMBUSTION]
    assert len(shipped_version()) == 8


def test_intervals_and_wear_read_as_people_say_them() -> None:
    items = {entry.key: entry for entry in shipped()["combustion"].item}
    assert items["engine-oil"].interval[0].words == "15,000 km or 12 months, whichever comes first"
    said = [items[key].interval[0].words for key in ("tyres", "brake-fluid", "inspection")]
    assert said == ["10 years", "2 years", "4 years"]
    assert [months_words(months) for months in (1, 12, 18, 24, 30)] == [
        "1 month",
        "12 months",
        "18 months",
        "2 years",
        "30 months",
    ]
    wear = items["tyres"].wear
    assert wear is not None
    assert wear.words == "tread down to 3 mm"
    assert [wear.worn(depth) for depth in (8.0, 5.5, 3.0)] == [0.0, 0.5, 1.0]


def test_a_wheel_is_named_by_its_signal() -> None:
    wear = next(entry.wear for entry in shipped()["combustion"].item if entry.key == "tyres")
    assert wear is not None
    assert [position_words(path) for path in wear.signals] == [
        "front left",
        "front right",
        "rear left",
        "rear right",
    ]
    assert position_words("Vehicle.Milepost.Engine.OilLife") == ""
    assert wear.noise_share == pytest.approx(0.2 / 5)


def test_all_limits_of_an_interval_are_said() -> None:
    text = item("distance_km = 20000\ntime_months = 12\nengine_hours = 500\nrevolutions = 350_000_000")
    words = parse(text).item[0].interval[0].words
    assert words == (
        "20,000 km or 12 months or 500 engine hours or 350 million revolutions, whichever comes first"
    )


def test_a_countdown_is_told_apart_by_its_units() -> None:
    countdown = next(entry.countdown for entry in shipped()["hybrid"].item if entry.key == "engine-oil")
    assert countdown is not None
    assert countdown.distances == ["Vehicle.Service.DistanceToService"]
    assert countdown.times == [
        "Vehicle.Service.TimeToService",
        "Vehicle.Powertrain.CombustionEngine.EngineOil.LifeRemaining",
    ]


def test_the_interval_follows_the_age_at_the_last_service() -> None:
    inspection = next(entry for entry in shipped()["ev"].item if entry.key == "inspection")
    months = [band.time_months if (band := inspection.band_at(age)) else None for age in (0, 41.9, 42, 600)]
    assert months == [48, 48, 24, 24]


WEAR = """[item.wear]
signals = ["Vehicle.Milepost.Tire.Row1.Left.TreadDepth"]
words = "tread down to 3 mm"
new = 8
limit = {limit}
usual_km = [{usual}]
source = "made up for this test"
"""


@pytest.mark.parametrize(
    ("items", "message"),
    [
        pytest.param(
            [item("to_months = 36\ntime_months = 48", "from_months = 42\ntime_months = 24")],
            "item brake-fluid: intervals leave a hole from 36 to 42 months",
            id="hole",
        ),
        pytest.param(
            [item("from_months = 6\ntime_months = 48")],
            "item brake-fluid: intervals leave a hole from 0 to 6 months",
            id="hole at the beginning",
        ),
        pytest.param(
            [item("to_months = 36\ntime_months = 48", "from_months = 30\ntime_months = 24")],
            "item brake-fluid: intervals overlap at the age of 30 months",
            id="overlap",
        ),
        pytest.param(
            [item("time_months = 48", "from_months = 30\ntime_months = 24")],
            "intervals overlap at the age of 30 months",
            id="overlap with an open end",
        ),
        pytest.param(
            [item("to_months = 36\ntime_months = 48")],
            "intervals end at 36 months of age; leave to_months out",
            id="no interval for old cars",
        ),
        pytest.param(
            [item("time_month = 24")],
            "item brake-fluid, interval, 0, time_month: is not a key that schedules have; look for a typo",
            id="typo",
        ),
        pytest.param([item("from_months = 0")], "has neither distance_km nor time_months", id="no limit"),
        pytest.param([item()], "item brake-fluid: has no limit at all", id="empty item"),
        pytest.param(
            [item("time_months = 24"), item("time_months = 12")],
            "item 'brake-fluid' stands twice",
            id="the same item twice",
        ),
        pytest.param([item("time_months = -3")], "greater than 0", id="negative"),
        pytest.param(
            [item(rest=WEAR.format(limit=8, usual="20000, 60000"))],
            "new and limit are the same",
            id="no wear",
        ),
        pytest.param(
            [item(rest=WEAR.format(limit=3, usual="60000, 20000"))], "usual_km must rise", id="turned around"
        ),
        pytest.param(
            [item(rest=WEAR.format(limit=3, usual="2, 6").replace("Tire.Row1", "Tyre.Row1"))],
            "the catalogue has no signal 'Vehicle.Milepost.Tyre.Row1.Left.TreadDepth'",
            id="unknown signal",
        ),
        pytest.param(
            [item(rest='[item.countdown]\nsignals = ["Vehicle.Milepost.Engine.OilLife"]\n' + SOURCE)],
            "Vehicle.Milepost.Engine.OilLife is in percent; a countdown is in km or s",
            id="not a countdown",
        ),
        pytest.param([item("engine_hours = 0")], "greater than 0", id="no hours"),
        pytest.param(["[[item]\n"], "is no TOML", id="no TOML"),
        pytest.param(["# " + "x" * 300_000], "is longer than 262144 bytes", id="endless"),
        pytest.param([], "item: Field required", id="no item"),
    ],
)
def test_a_bad_schedule_says_what_is_wrong_and_where(items: list[str], message: str) -> None:
    with pytest.raises(ScheduleError, match=r"^schedule test\.toml: ") as caught:
        parse(*items)
    assert message in str(caught.value)
