"""All items of many cars at once: each limit by hand, together as alone, and whatever the readings are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_server.signals.axis import OdometerAxis
from milepost_server.signals.flat import offsets_of
from milepost_server.signals.fleet.inputs import Fleet, ItemRules, Previous, SignalRows
from milepost_server.signals.fleet.results import ItemResult, item_results, wear_lines
from milepost_server.signals.fleet.wear_sample import Part, WearSample, usual_of
from milepost_server.signals.items.due import FirstLimit
from milepost_server.signals.items.limits import add_months
from milepost_server.signals.items.starts import ServiceRecords
from milepost_server.signals.items.states import State
from milepost_server.signals.items.wear import UsualWear, usual_wear
from milepost_server.signals.schedules.book import Kind
from milepost_server.signals.schedules.shipped import shipped_book
from milepost_server.signals.usage.ahead import Ahead
from milepost_server.signals.usage.rate import History, Usage, UsageRules

KM = 1_000.0
NOW_D = 20_000.0
NAN = float("nan")
OIL_LIFE = "Vehicle.Milepost.Engine.OilLife"
PADS = [f"Vehicle.Chassis.Axle.Row1.Wheel.{side}.Brake.PadWear" for side in ("Left", "Right")]
TO_SERVICE = ("Vehicle.Service.DistanceToService", "Vehicle.Service.TimeToService")
HOURS = "Vehicle.Powertrain.CombustionEngine.EngineHours"
VALE = Kind("combustion", "Aldermoor", "Vale")


@dataclass
class Car:
    """A car of 40 km a day at 54,000 km, three years old; days count from now, distances are km."""

    kind: Kind = VALE
    odometer: Sequence[tuple[float, float]] = ((-200, 46_000), (-100, 50_000), (0, 54_000))
    registered: float = -1_095.0
    records: Sequence[tuple[str, float, float]] = ()
    signals: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)


def fleet_of(*cars: Car) -> Fleet:
    plans = shipped_book().plans([car.kind for car in cars])
    keys = plans.keys
    odometers = [row for car in cars for row in car.odometer]
    history = History(
        offsets_of(np.array([len(car.odometer) for car in cars], dtype=np.int64)),
        np.array([NOW_D + days for days, _ in odometers]),
        np.array([km * KM for _, km in odometers]),
    )
    size = len(cars)
    usage = Usage(np.full(size, 40 * KM), np.full(size, 0.01), np.full(size, 0.01), np.ones(size))
    last = [car.odometer[-1] if car.odometer else (NAN, NAN) for car in cars]
    records = [(place, *record) for place, car in enumerate(cars) for record in car.records]
    paths = sorted({path for car in cars for path in car.signals})
    rows = {
        path: [(place, *row) for place, car in enumerate(cars) for row in car.signals.get(path, ())]
        for path in paths
    }
    return Fleet(
        axis=OdometerAxis(
            history,
            usage.rate_m_per_d,
            np.array([NOW_D + days for days, _ in last]),
            np.array([km * KM for _, km in last]),
            np.array([0.0 if car.odometer else NAN for car in cars]),
        ),
        ahead=Ahead(usage, UsageRules()),
        registered_d=np.array([NOW_D + car.registered for car in cars]),
        plans=plans,
        keys=keys,
        records=ServiceRecords(
            np.array([record[0] for record in records], dtype=np.int64),
            np.array([keys.index(r[1]) if r[1] in keys else -1 for r in records], dtype=np.int64),
            np.array([NOW_D + record[2] for record in records]),
            np.array([record[3] * KM for record in records]),
        ),
        signals={
            path: SignalRows(
                np.array([row[0] for row in found], dtype=np.int64),
                np.array([NOW_D + row[1] for row in found]),
                np.array([row[2] for row in found], dtype=np.float64),
            )
            for path, found in rows.items()
        },
    )


def items(
    *cars: Car, previous: Previous | None = None, rules: ItemRules | None = None
) -> dict[str, ItemResult]:
    found = item_results(fleet_of(*cars), NOW_D + 1, rules or ItemRules(), previous)
    return {result.key: result for result in found}


def oil(car: Car) -> ItemResult:
    return items(car)["engine-oil"]


def first(result: ItemResult) -> FirstLimit:
    return FirstLimit(int(result.due.first_limit[0]))


def state(result: ItemResult) -> State:
    return State(int(result.due.state[0]))


SERVICED = [("engine-oil", -100.0, 50_000.0)]


def test_every_car_has_the_items_of_its_own_plan() -> None:
    found = items(Car(), Car(Kind("ev", "Kestrel", "Spark E")), Car(Kind("combustion", "Halden", "Fjell")))
    vehicles = {key: result.starts.vehicle.tolist() for key, result in found.items()}
    assert vehicles["engine-oil"] == [0, 2]
    assert vehicles["brake-fluid"] == [0, 1, 2]
    assert vehicles["timing-belt"] == [2]
    assert vehicles["cabin-filter"] == [0, 1]
    kilometres = [found["engine-oil"].items[n].interval[0].distance_km for n in found["engine-oil"].which]
    assert kilometres == [15_000, 20_000]


def test_each_car_is_due_by_its_own_interval() -> None:
    found = items(Car(records=SERVICED), Car(Kind("combustion", "Halden", "Dal"), records=SERVICED))[
        "engine-oil"
    ]
    # Twelve months both, but 65,000 against 70,000 km; 40 km a day.
    expected = add_months(np.array([NOW_D - 100]), np.array([12.0]))[0]
    assert found.due.odometer_m[1] / KM == pytest.approx([54_000 + 40 * (expected - NOW_D)] * 2, rel=0.01)
    reached = {each.kind: each.time_d[1] for each in found.due.reached}
    assert reached[FirstLimit.DISTANCE] - NOW_D == pytest.approx([275, 400], rel=0.01)


def test_measured_oil_life_can_come_first() -> None:
    life = [(-90.0, 95.0), (-60.0, 65.0), (-30.0, 35.0), (0.0, 5.0)]
    result = oil(Car(records=SERVICED, signals={OIL_LIFE: life}))
    assert first(result) is FirstLimit.WEAR
    assert result.due.time_d[1, 0] - NOW_D == pytest.approx(5, abs=3)
    assert result.wear is not None
    assert result.wear.limit.last_row[0] == 3


def test_the_countdown_of_the_car_can_come_first() -> None:
    result = oil(Car(records=SERVICED, signals={TO_SERVICE[0]: [(-50.0, 4_000.0), (0.0, 2_000.0)]}))
    assert first(result) is FirstLimit.COUNTDOWN
    assert result.due.time_d[1, 0] - NOW_D == pytest.approx(50, rel=0.02)
    result = oil(Car(records=SERVICED, signals={TO_SERVICE[1]: [(-2.0, 12 * 86_400.0)]}))
    assert first(result) is FirstLimit.COUNTDOWN
    assert result.due.time_d[:, 0].tolist() == [NOW_D + 10] * 3
    # Neither a record nor a registration is needed for what the car says itself, nor an odometer for days.
    alone = oil(Car(registered=NAN, odometer=(), signals={TO_SERVICE[1]: [(-2.0, -12 * 86_400.0)]}))
    assert (first(alone), state(alone)) == (FirstLimit.COUNTDOWN, State.OVERDUE)


def test_engine_hours_can_come_first() -> None:
    # 10 km/h in a town: 500 hours are 5,000 km, of which 4,000 are gone.
    hours = [(float(day), 1_000 + (day + 200) * 4.0) for day in range(-200, 1, 10)]
    result = oil(Car(Kind("combustion", "Halden", "Dal"), records=SERVICED, signals={HOURS: hours}))
    assert first(result) is FirstLimit.ENGINE_HOURS
    assert result.due.time_d[1, 0] - NOW_D == pytest.approx(25, abs=2)


def test_the_wheel_that_decides_is_named_with_its_readings() -> None:
    signals = {
        PADS[0]: [(-100.0, 20.0), (0.0, 30.0)],
        PADS[1]: [(-100.0, 40.0), (-50.0, 50.0), (0.0, 60.0)],
    }
    pads = items(Car(), Car(signals=signals))["front-pads"].wear
    assert pads is not None
    assert pads.signals[pads.position[1]] == PADS[1]
    assert (pads.limit.first_row[1], pads.limit.last_row[1]) == (0, 2)
    assert [each.worn[1] for each in pads.each] == pytest.approx([30 / 90, 60 / 90])
    assert pads.limit.first_row[0] == -1


def test_a_renewal_that_nobody_noted_starts_the_whole_item_anew() -> None:
    life = [(-300.0, 20.0), (-200.0, 5.0), (-60.0, 99.0), (0.0, 70.0)]
    result = oil(Car(records=[("engine-oil", -500.0, NAN)], signals={OIL_LIFE: life}))
    assert result.starts.seen is not None
    assert (result.starts.seen[0], result.record[0]) == (True, -1)
    assert result.starts.time_d[0] == NOW_D - 60
    assert state(result) is State.OK


@pytest.mark.parametrize("days", [-300.0, -60.0, -63.0])
def test_a_renewal_that_is_on_record_is_the_record_s(days: float) -> None:
    """It may be dated between the readings, on the day of the second, or some days before the work."""
    life = [(-301.0, 20.0), (-299.0, 5.0) if days != -300 else (-300.5, 5.0), (-60.0, 99.0), (0.0, 70.0)]
    result = oil(Car(records=[("engine-oil", days, NAN)], signals={OIL_LIFE: life}))
    assert (result.starts.time_d[0], result.record[0]) == (NOW_D + days, 0)


def test_a_countdown_that_was_set_back_is_a_service_too() -> None:
    left = [(-150.0, 1_000.0), (-100.0, 100.0), (-50.0, 14_000.0), (0.0, 12_000.0)]
    result = oil(Car(records=[("engine-oil", -400.0, NAN)], signals={TO_SERVICE[0]: left}))
    assert result.starts.time_d[0] == NOW_D - 50
    assert state(result) is State.OK


def test_one_new_tyre_makes_no_new_set() -> None:
    treads = [f"Vehicle.Milepost.Tire.Row1.{side}.TreadDepth" for side in ("Left", "Right")]
    new, old = [(-100.0, 4.0), (-50.0, 8.0)], [(-100.0, 6.0), (-50.0, 5.8)]
    one = items(Car(signals={treads[0]: new, treads[1]: old}))["tyres"]
    both = items(Car(signals={treads[0]: new, treads[1]: new}))["tyres"]
    assert one.starts.time_d[0] == NOW_D - 1_095
    assert both.starts.time_d[0] == NOW_D - 50


def test_a_late_record_resets_the_item_at_its_own_odometer_and_date() -> None:
    before = oil(Car(records=[("engine-oil", -390.0, NAN)]))
    late = oil(Car(records=[("engine-oil", -390.0, NAN), ("engine-oil", -150.0, 47_500.0)]))
    assert (state(before), state(late)) == (State.OVERDUE, State.OK)
    assert (late.starts.time_d[0], late.starts.odometer_m[0]) == (NOW_D - 150, 47_500 * KM)


def previous_of(fleet: Fleet, of: State, start: float) -> Previous:
    shape = (len(fleet.registered_d), len(fleet.keys))
    return Previous(np.full(shape, int(of)), np.full(shape, start))


def test_yesterday_s_state_holds_within_the_margin_but_not_over_a_new_start() -> None:
    car = Car(records=[("brake-fluid", -697.0, NAN)])  # two years later is 33 days from the end of today
    fresh = items(car)["brake-fluid"]
    held, anew = (
        items(car, previous=previous_of(fleet_of(car), State.DUE, start))["brake-fluid"]
        for start in (NOW_D - 697, NOW_D - 1_095)
    )
    ahead_d = fresh.due.time_d[1, 0] - NOW_D - 1
    assert 30 < ahead_d < 37
    assert (state(fresh), state(held), state(anew)) == (State.UPCOMING, State.DUE, State.UPCOMING)
    assert [bool(each.began_anew[0]) for each in (fresh, held, anew)] == [False, False, True]


def test_a_replay_of_days_is_the_same_as_the_days() -> None:
    cars = [Car(records=[("engine-oil", float(-days), NAN)]) for days in range(230, 380, 5)]
    fleet = fleet_of(*cars)

    def day(end_d: float, before: Previous | None) -> Previous:
        state_ = np.zeros((len(cars), len(fleet.keys)), dtype=np.int64)
        start_d = np.full(state_.shape, NAN)
        for result in item_results(fleet, end_d, ItemRules(), before):
            place = (result.starts.vehicle, fleet.keys.index(result.key))
            state_[place], start_d[place] = result.due.state, result.starts.time_d
        return Previous(state_, start_d)

    first_run: list[Previous] = []
    for end_d in NOW_D + 1 + np.arange(5.0):
        first_run.append(day(end_d, first_run[-1] if first_run else None))
    again = first_run[1]
    for number, end_d in enumerate(NOW_D + 3 + np.arange(3.0), start=2):
        again = day(end_d, again)
        np.testing.assert_array_equal(again.state, first_run[number].state)
    assert len(np.unique(first_run[-1].state)) > 2


def test_what_a_fleet_learned_of_wear_goes_before_the_schedule() -> None:
    car = Car(signals={PADS[0]: [(0.0, 45.0)]})
    fast = ItemRules(
        usual=lambda key, signal, vehicle, usual: UsualWear(1e-7, 0.1) if key == "front-pads" else usual
    )
    slow, fast_found = (items(car, rules=rules)["front-pads"].due.time_d[1, 0] for rules in (None, fast))
    assert fast_found < slow
    lines = [(group.key, line) for group, _, line in wear_lines(fleet_of(car), NOW_D + 1, ItemRules())]
    assert [line.last_row.tolist() for key, line in lines if key == "front-pads"] == [[0], [-1]]


def test_a_fleet_learns_the_wear_of_each_position_and_model() -> None:
    """Two models that wear one twice as fast as the other, left pads twice as fast as right ones."""
    rng = np.random.default_rng(8)
    models, cars = np.repeat([0, 1], 60), []
    for model in models:
        a_km = np.array([90, 45]) / (12_000 * (1 + model)) * rng.gamma(20, 1 / 20)
        days = (-180.0, -120.0, -60.0, 0.0)
        cars.append(
            Car(
                records=[("front-pads", -200.0, 46_000.0)],
                signals={
                    path: [(day, (day + 200) * 40 * rate + rng.normal(0, 1)) for day in days]
                    for path, rate in zip(PADS, a_km, strict=True)
                },
            )
        )
    sample = WearSample()
    sample.add(fleet_of(*cars), NOW_D + 1, ItemRules(), models)
    priors = sample.priors(2)
    left, right = (priors[Part("front-pads", path)] for path in PADS)
    usual = usual_wear(15_000 * KM, 80_000 * KM)
    # Leaning on the fleet and on the schedule, a few parts each.
    expected = np.array([1 / 12_000, 1 / 24_000]) / KM / usual.per_m
    assert left.ratio == pytest.approx(expected, rel=0.1)
    assert right.ratio == pytest.approx(expected / 2, rel=0.1)
    unread = usual_of(priors, np.array([1]))("front-pads", PADS[0], np.array([0]), usual)
    assert unread.per_m == pytest.approx(usual.per_m * left.ratio[1])
    assert usual_of({}, np.array([1]))("front-pads", PADS[0], np.array([0]), usual) is usual


def test_no_vehicle_has_no_item() -> None:
    assert items() == {}


STRANGE = {
    "no reading": Car(odometer=(), registered=NAN),
    "registered only": Car(odometer=()),
    "one reading": Car(odometer=((0, 54_000),), registered=NAN),
    "service before the first reading": Car(records=[("engine-oil", -900.0, 10.0)]),
    "service in the future": Car(records=[("engine-oil", 30.0, 60_000.0)]),
    "service above the latest reading": Car(records=[("engine-oil", -1.0, 900_000.0)]),
    "service before the registration": Car(records=[("engine-oil", -4_000.0, NAN)]),
    "service of an unknown item": Car(records=[("flux-capacitor", -10.0, NAN)]),
    "registered in the future": Car(registered=100.0),
    "two readings at one time": Car(odometer=((-10, 50_000), (-10, 50_100), (0, 51_000))),
    "a car that stands": Car(odometer=((-100, 50_000), (0, 50_000))),
    "figures that mean nothing": Car(
        signals={
            TO_SERVICE[0]: [(-3.0, 1e9), (-2.0, NAN)],
            TO_SERVICE[1]: [(-3.0, 2.0**31)],
            OIL_LIFE: [(-3.0, 0.0), (-2.0, 100.0), (-1.0, 0.0)],
            PADS[0]: [(-3.0, 100.0), (-3.0, 0.0)],
            HOURS: [(-3.0, 5.0), (-2.0, 0.0)],
        }
    ),
    "readings of tomorrow": Car(signals={OIL_LIFE: [(5.0, 1.0)], TO_SERVICE[1]: [(5.0, 0.0)]}),
}


def check(result: ItemResult) -> None:
    """What holds of any item of any car."""
    found = result.due
    known = found.state != State.UNKNOWN
    assert np.isin(found.state, list(State)).all()
    assert (np.isfinite(found.time_d) == known).all()
    assert ((found.first_limit != FirstLimit.NONE) == known).all()
    for odds in (found.p_30d, found.p_90d):
        assert (np.isfinite(odds) == known).all()
        assert ((odds[known] >= 0) & (odds[known] <= 1)).all()
    assert (np.diff(found.time_d[:, known], axis=0) >= -1e-6).all()
    assert (found.p_30d[known] <= found.p_90d[known]).all()
    assert not np.isinf(found.odometer_m).any()


@pytest.mark.parametrize("name", STRANGE)
def test_strange_cars_have_clear_states(name: str) -> None:
    for result in items(STRANGE[name]).values():
        check(result)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("no reading", State.UNKNOWN),
        ("service before the first reading", State.OVERDUE),
        ("service in the future", State.UNKNOWN),
        ("service above the latest reading", State.OK),
        ("service of an unknown item", State.UNKNOWN),
    ],
)
def test_what_strange_services_come_to(name: str, expected: State) -> None:
    assert state(oil(STRANGE[name])) is expected


def test_cars_together_are_as_cars_alone() -> None:
    cars = [*STRANGE.values(), Car(records=SERVICED), Car(Kind("ev")), Car(Kind("combustion", "Halden"))]
    together = items(*cars)
    for place, car in enumerate(cars):
        alone = items(car)
        assert set(alone) == {key for key, found in together.items() if place in found.starts.vehicle}
        for key, expected in alone.items():
            row = together[key].starts.vehicle.tolist().index(place)
            for name in ("time_d", "odometer_m", "p_30d", "p_90d", "state", "first_limit"):
                found = getattr(together[key].due, name)[..., row]
                np.testing.assert_allclose(
                    found, getattr(expected.due, name)[..., 0], err_msg=f"{key} {name}"
                )


DAYS = st.floats(-1_500, 20)
ROWS = st.lists(st.tuples(DAYS, st.floats(-10, 110)), max_size=6).map(sorted)
CARS = st.builds(
    Car,
    kind=st.sampled_from(
        [Kind("combustion"), Kind("hybrid", "X"), Kind("ev"), Kind("combustion", "Halden", "Fjell")]
    ),
    odometer=st.lists(st.tuples(st.floats(-1_500, 0), st.floats(0, 2e5)), max_size=5).map(
        lambda rows: list(zip(sorted(r[0] for r in rows), sorted(r[1] for r in rows), strict=True))
    ),
    registered=st.just(NAN) | st.floats(-5_000, 100).map(np.floor),
    records=st.lists(
        st.tuples(
            st.sampled_from(["engine-oil", "tyres", "brake-fluid", "inspection"]),
            DAYS.map(np.floor),
            st.just(NAN) | st.floats(0, 3e5),
        ),
        max_size=4,
    ),
    signals=st.dictionaries(st.sampled_from([OIL_LIFE, *PADS, *TO_SERVICE, HOURS]), ROWS, max_size=4),
)


@given(cars=st.lists(CARS, max_size=3))
def test_any_cars_have_clear_states(cars: list[Car]) -> None:
    for result in items(*cars).values():
        check(result)
