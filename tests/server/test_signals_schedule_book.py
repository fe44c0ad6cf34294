"""Which schedule holds for which car: the most special one, item by item, and it is named."""

from __future__ import annotations

import pytest

from milepost_server.signals.errors import ScheduleError
from milepost_server.signals.schedules.book import GENERIC, Kind, Plan, ScheduleBook
from milepost_server.signals.schedules.documents import Layer
from milepost_server.signals.schedules.parsing import parse_layer
from milepost_server.signals.schedules.shipped import shipped, shipped_book

SOURCE = 'source = "made up for this test"'


def layer(head: str, *intervals: str) -> Layer:
    """A layer with these selectors, and items of (key, interval)."""
    items = "".join(
        f'[[item]]\nkey = "{key}"\n[[item.interval]]\n{limit}\n{SOURCE}\n'
        for key, _, limit in (text.partition(": ") for text in intervals)
    )
    selectors = head.replace("; ", "\n")
    return parse_layer(f"schema = 1\ntitle = 'Layer {head}'\n{selectors}\n{items}", "layer.toml")


def book(**layers: Layer) -> ScheduleBook:
    return ScheduleBook(tuple(shipped().values()), layers)


def oil_km(plan: Plan) -> float | None:
    return next(item.interval[0].distance_km for item in plan.items if item.key == "engine-oil")


FJELL = Kind("combustion", "Halden", "Fjell", "2.0 T", "severe")
RISING = {
    "any severe": 'duty = "severe"',
    "make": 'make = "Halden"',
    "make, duty": 'make = "Halden"; duty = "severe"',
    "make, engine": 'make = "Halden"; engine = "2.0 T"',
    "make, model": 'make = "Halden"; model = "Fjell"',
    "make, model, powertrain": 'make = "Halden"; model = "Fjell"; powertrain = "combustion"',
    "make, model, duty": 'make = "Halden"; model = "Fjell"; duty = "severe"',
    "make, model, engine": 'make = "Halden"; model = "Fjell"; engine = "2.0 T"',
    "all": 'make = "Halden"; model = "Fjell"; engine = "2.0 T"; duty = "severe"',
    "dealer": 'dealer = "Northgate"',
    "dealer, make": 'dealer = "Northgate"; make = "Halden"',
}


@pytest.mark.parametrize("count", range(1, len(RISING) + 1))
def test_the_most_special_schedule_wins(count: int) -> None:
    heads = list(RISING.values())[:count]
    layers = {
        f"{place}.toml": layer(head, f"engine-oil: distance_km = {place + 1}000")
        for place, head in enumerate(reversed(heads))
    }
    assert oil_km(ScheduleBook(tuple(shipped().values()), layers).plan(FJELL)) == 1_000


@pytest.mark.parametrize(
    "kind",
    [
        Kind("combustion", "Halden", "Dal"),
        Kind("combustion", "Other", "Fjell"),
        Kind("hybrid", "Halden", "Fjell"),
        Kind("combustion", "Halden", ""),
        Kind("combustion", "", "Fjell"),
    ],
)
def test_a_schedule_holds_for_no_other_cars(kind: Kind) -> None:
    head = 'make = "Halden"; model = "Fjell"; powertrain = "combustion"'
    assert oil_km(book(a=layer(head, "engine-oil: distance_km = 1000")).plan(kind)) == 15_000


def test_case_and_space_of_names_do_not_matter() -> None:
    head = 'make = "hALDEN"; model = "fjell  Tur"'
    found = book(a=layer(head, "engine-oil: distance_km = 1000"))
    assert oil_km(found.plan(Kind("combustion", " Halden ", "Fjell Tur"))) == 1_000


@pytest.mark.parametrize(("duty", "expected"), [("", 2_000), ("normal", 2_000), ("severe", 1_000)])
def test_a_car_of_no_known_duty_is_in_normal_duty(duty: str, expected: float) -> None:
    found = book(
        a=layer('make = "Halden"; duty = "severe"', "engine-oil: distance_km = 1000"),
        b=layer('make = "Halden"; duty = "normal"', "engine-oil: distance_km = 2000"),
    )
    assert oil_km(found.plan(Kind("combustion", "Halden", duty=duty))) == expected


def test_what_a_layer_does_not_say_is_taken_from_below() -> None:
    plan = book(a=layer('dealer = "Northgate"', "engine-oil: distance_km = 9000")).plan(Kind("combustion"))
    generic = {item.key: item for item in shipped()["combustion"].item}
    changed = {item.key: item for item in plan.items}
    assert list(changed) == list(generic)
    oil = changed.pop("engine-oil")
    assert (oil.title, oil.wear, oil.countdown) == (
        generic["engine-oil"].title,
        generic["engine-oil"].wear,
        generic["engine-oil"].countdown,
    )
    assert oil.interval[0].time_months is None
    assert changed == {key: item for key, item in generic.items() if key != "engine-oil"}


def test_a_dealer_s_own_number_is_named_as_such() -> None:
    plan = book(a=layer('dealer = "Northgate"', "engine-oil: distance_km = 9000")).plan(
        Kind("combustion", "Kestrel", "Spark")
    )
    assert plan.origins["engine-oil"].endswith("(own schedule of Northgate)")
    assert plan.origins["brake-fluid"] == GENERIC
    assert "own schedule of Northgate" in plan.said
    assert plan.said.endswith("all else: Generic schedule, petrol and diesel.")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Kind("ev", "Kestrel", "Spark E"), "battery electric: there is none for Kestrel Spark E."),
        (Kind("ev", "Kestrel"), "battery electric: the model of this car is not known."),
        (Kind("ev"), "battery electric: the make of this car is not known."),
    ],
)
def test_a_car_that_no_schedule_knows_has_the_generic_one_and_is_told_so(kind: Kind, said: str) -> None:
    plan = shipped_book().plan(kind)
    assert plan.said.endswith(said)
    assert plan.items == tuple(shipped()["ev"].item)
    assert set(plan.origins.values()) == {GENERIC}


def test_items_come_and_go_with_a_layer() -> None:
    plan = shipped_book().plan(Kind("combustion", "Halden", "Fjell", duty="severe"))
    titles = {item.key: item.title for item in plan.items}
    assert "cabin-filter" not in titles
    assert titles["timing-belt"] == "Timing belt"
    oil = next(item for item in plan.items if item.key == "engine-oil").interval[0]
    assert (oil.distance_km, oil.time_months, oil.engine_hours) == (10_000, 6, 250)
    assert plan.said.startswith(
        "Halden Fjell, severe duty (invented); Halden service plan (invented); all else:"
    )
    assert plan.origins["timing-belt"] == "Halden service plan (invented)"


def test_a_layer_for_all_cars_does_not_give_an_ev_an_oil_change() -> None:
    found = book(a=layer('dealer = "Northgate"', "engine-oil: distance_km = 9000"))
    assert "engine-oil" not in found.plan(Kind("ev")).origins


def test_vehicles_of_one_kind_share_a_plan() -> None:
    kinds = [Kind("ev"), Kind("combustion", "Halden", "Fjell"), Kind("ev")]
    plans = shipped_book().plans(kinds)
    assert (len(plans.plans), plans.of.tolist()) == (2, [0, 1, 0])
    assert shipped_book().plans([]).of.shape == (0,)


def test_a_dealer_s_files_go_on_top_of_those_that_ship() -> None:
    own = layer('dealer = "Northgate"; make = "Halden"', "timing-belt: distance_km = 90000")
    plan = shipped_book().with_layers({"northgate": own}).plan(Kind("combustion", "Halden", "Fjell"))
    belt = next(item for item in plan.items if item.key == "timing-belt")
    assert (belt.title, belt.interval[0].distance_km) == ("Timing belt", 90_000)
    with pytest.raises(ScheduleError, match="of this name already"):
        shipped_book().with_layers({"example-halden.toml": own})


def test_two_files_for_the_same_cars_are_an_error() -> None:
    same = ['make = "Halden"; model = "Fjell"', 'make = "HALDEN"; model = " fjell "']
    with pytest.raises(
        ScheduleError, match=r"schedule b: is for the same cars as a; put the two into one file"
    ):
        book(
            **{name: layer(head, "coolant: time_months = 60") for name, head in zip("ab", same, strict=True)}
        )


def test_a_book_has_an_end() -> None:
    one = layer('make = "Halden"', "coolant: time_months = 60")
    with pytest.raises(ScheduleError, match=r"schedule 2000: is one file too many; 2000 may be"):
        ScheduleBook(tuple(shipped().values()), {str(number): one for number in range(2_001)})


def test_an_item_that_no_schedule_has_is_an_error() -> None:
    with pytest.raises(
        ScheduleError, match=r"schedule a: item engin-oil: no schedule has it; look for a typo"
    ):
        book(a=layer('make = "Halden"', "engin-oil: distance_km = 1000"))
    with pytest.raises(ScheduleError, match="item spare-wheel: no schedule has it"):
        book(a=layer('make = "Halden"; without = ["spare-wheel"]'))


def test_a_powertrain_without_a_generic_schedule_and_one_with_two_are_errors() -> None:
    with pytest.raises(ScheduleError, match="no generic schedule is for this powertrain"):
        shipped_book().plan(Kind("steam"))
    with pytest.raises(ScheduleError, match="schedule ev: there are two generic schedules"):
        ScheduleBook((shipped()["ev"], shipped()["ev"]))


@pytest.mark.parametrize(
    ("head", "intervals", "message"),
    [
        ('model = "Fjell"', ["coolant: time_months = 60"], "names a model or an engine without its make"),
        ('engine = "2.0 T"', ["coolant: time_months = 60"], "names a model or an engine without its make"),
        ('powertrain = "ev"', ["coolant: time_months = 60"], "names no make, duty or dealer"),
        ('make = " "', ["coolant: time_months = 60"], "make: is empty"),
        ('make = "Halden"', [], "says nothing: give items, or `without`"),
        ('make = "Halden"; duty = "hard"', ["coolant: time_months = 60"], "duty: Input should be"),
        ('make = "Halden"', ["coolant: time_months = 60"] * 2, "item 'coolant' stands twice"),
        (
            'make = "Halden"; without = ["coolant"]',
            ["coolant: time_months = 60"],
            "item 'coolant' stands twice",
        ),
        (
            'make = "Halden"',
            ["coolant: to_months = 36\ntime_months = 60"],
            "item coolant: intervals end at 36 months of age",
        ),
    ],
)
def test_a_bad_layer_says_what_is_wrong(head: str, intervals: list[str], message: str) -> None:
    with pytest.raises(ScheduleError, match=r"^schedule layer\.toml: ") as caught:
        layer(head, *intervals)
    assert message in str(caught.value)


def test_an_item_of_a_layer_has_to_say_something() -> None:
    text = 'schema = 1\ntitle = "For a test"\nmake = "Halden"\n[[item]]\nkey = "coolant"\n'
    with pytest.raises(ScheduleError, match=r"schedule x: item coolant: says nothing"):
        parse_layer(text, "x")


NAMED = """schema = 1
title = "Titles for a test"
{head}
[[item]]
key = "{key}"
title = "{title}"
[[item.interval]]
time_months = 12
source = "made up for this test"
"""


def named(head: str, key: str, title: str) -> Layer:
    return parse_layer(NAMED.format(head=head, key=key, title=title), "named.toml")


def test_an_item_is_called_as_it_is_for_most_cars() -> None:
    maker, own = 'make = "Halden"', 'dealer = "Northgate"'
    titles = book(
        a=named(maker, "engine-oil", "Halden oil service"),
        b=named(f"{own}\n{maker}", "timing-belt", "Belt of the Halden"),
        c=named(f'{maker}\nmodel = "Fjell"', "timing-belt", "Timing belt"),
        d=named(own, "wash", "Underbody wash"),
        e=named('duty = "severe"', "tyres", "Tyres on gravel"),
    ).titles
    assert titles["engine-oil"] == "Engine oil and filter", "what one make calls it is not what all do"
    assert titles["timing-belt"] == "Belt of the Halden", "nobody else has it: the topmost one"
    assert titles["wash"] == "Underbody wash"
    assert titles["tyres"] == "Tyres"
    assert book(a=named(own, "engine-oil", "Oil")).titles["engine-oil"] == "Oil"


def test_an_item_that_no_car_has_is_called_nothing() -> None:
    without = parse_layer('schema = 1\ntitle = "No filters"\ndealer = "N"\nwithout = ["cabin-filter"]', "n")
    some = parse_layer('schema = 1\ntitle = "No filters"\nmake = "H"\nwithout = ["cabin-filter"]', "n")
    assert "cabin-filter" not in book(a=without).titles
    assert "cabin-filter" in book(a=some).titles
