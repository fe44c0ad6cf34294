"""The clean odometer: each kind of dirt by hand, and what must hold for any readings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_server.signals.flat import offsets_of
from milepost_server.signals.odometer import (
    CleanOdometer,
    OdometerReadings,
    OdometerRules,
    Overrule,
    Verdict,
    clean_odometer,
    identity,
)

RULES = OdometerRules()
AS_OF_D = 20_600.0
KM = 1_000.0


def readings(
    *cars: list[tuple[float, float]], trusted: bool = True, overruled: list[int] | None = None
) -> OdometerReadings:
    """Cars as lists of (day, kilometres)."""
    rows = [row for car in cars for row in car]
    return OdometerReadings(
        offsets=offsets_of(np.array([len(car) for car in cars], dtype=np.int64)),
        time_d=np.array([day for day, _ in rows], dtype=np.float64),
        odometer_m=np.array([km * KM for _, km in rows], dtype=np.float64),
        trusted=np.full(len(rows), trusted),
        plausible=np.full(len(rows), True),
        tolerance_m=np.full(len(rows), RULES.fall_m_max),
        overruled=None if overruled is None else np.array(overruled, dtype=np.int64),
    )


def verdicts(clean: CleanOdometer) -> list[str]:
    return [Verdict(value).word for value in clean.verdict]


def monthly(*kilometres: float) -> list[tuple[float, float]]:
    return [(20_000.0 + 30 * month, km) for month, km in enumerate(kilometres)]


def test_a_clean_history_is_kept_as_it_is() -> None:
    clean = clean_odometer(readings(monthly(10_000, 11_000, 12_500)), AS_OF_D, RULES)
    assert verdicts(clean) == ["kept"] * 3
    assert clean.odometer_m.tolist() == [10_000 * KM, 11_000 * KM, 12_500 * KM]


@pytest.mark.parametrize(
    ("kilometres", "expected", "values"),
    [
        pytest.param(
            (10_000, 11_000, 9_000, 12_000),
            ["kept", "kept", "backward", "kept"],
            [10_000, 11_000, 12_000],
            id="one step back",
        ),
        pytest.param(
            (10_000, 11_000, 640_000, 12_000),
            ["kept", "kept", "jump", "kept"],
            [10_000, 11_000, 12_000],
            id="an impossible jump",
        ),
        pytest.param(
            (10_000, 11_000, 120_000, 13_000),
            ["kept", "kept", "tenfold", "kept"],
            [10_000, 11_000, 12_000, 13_000],
            id="one reading unscaled",
        ),
        pytest.param(
            (10_000, 10_999.5, 10_999.0, 11_000),
            ["kept", "kept", "levelled", "kept"],
            [10_000, 10_999.5, 10_999.5, 11_000],
            id="a fall by rounding",
        ),
        pytest.param(
            (10_000, 18_000, 11_000, 12_000, 13_000),
            ["kept", "jump", "kept", "kept", "kept"],
            [10_000, 11_000, 12_000, 13_000],
            id="a believable jump that three later readings convict",
        ),
        pytest.param(
            (*range(45_000, 53_000, 1_000), 93_000, *range(54_000, 62_000, 1_000)),
            ["kept"] * 8 + ["one-digit"] + ["kept"] * 8,
            [*range(45_000, 62_000, 1_000)],
            id="one digit wrong",
        ),
        pytest.param(
            (50_000, 51_200, 25_400, 53_600, 54_800),
            ["kept", "kept", "transposed", "kept", "kept"],
            [50_000, 51_200, 52_400, 53_600, 54_800],
            id="two digits exchanged",
        ),
        pytest.param(
            (*range(145_000, 153_000, 1_000), 95_070, 95_691, 96_313, *range(156_000, 162_000, 1_000)),
            ["kept"] * 8 + ["in-miles"] * 3 + ["kept"] * 6,
            [*range(145_000, 153_000, 1_000), 153_000, 154_000, 155_000, *range(156_000, 162_000, 1_000)],
            id="miles for a while",
        ),
        pytest.param(
            (*range(145_000, 153_000, 1_000), *range(53_000, 59_000, 1_000), *range(159_000, 166_000, 1_000)),
            ["kept"] * 8 + ["dropped-digit"] * 6 + ["kept"] * 7,
            [*range(145_000, 166_000, 1_000)],
            id="the first digit left out for a while",
        ),
        pytest.param(
            (*range(145_000, 153_000, 1_000), *range(61_000, 67_000, 1_000), *range(159_000, 166_000, 1_000)),
            ["kept"] * 8 + ["other-vehicle"] * 6 + ["kept"] * 7,
            [*range(145_000, 153_000, 1_000), *range(159_000, 166_000, 1_000)],
            id="another vehicle for a while",
        ),
        pytest.param(
            tuple(50_000 + 1_000 * month for month in range(6))
            + tuple(10 * (56_000 + 1_000 * month) for month in range(6)),
            ["kept"] * 6 + ["tenfold"] * 6,
            [50_000 + 1_000 * month for month in range(12)],
            id="unscaled from then on",
        ),
        pytest.param(
            (50_000, 51_000, 52_000, 51_000, 54_000, 55_000),
            ["kept", "kept", "kept", "copied", "kept", "kept"],
            [50_000, 51_000, 52_000, 54_000, 55_000],
            id="the value of two months ago",
        ),
        pytest.param(
            (50_000, 0, 51_000, 52_000, 0, 0, 53_000, 54_000, 0, 0),
            [
                "kept",
                "placeholder",
                "kept",
                "kept",
                *["placeholder"] * 2,
                "kept",
                "kept",
                *["placeholder"] * 2,
            ],
            [50_000, 51_000, 52_000, 53_000, 54_000],
            id="zeros where nobody looked",
        ),
        pytest.param(
            (50_000, 999_999, 52_000, 53_000),
            ["kept", "placeholder", "kept", "kept"],
            [50_000, 52_000, 53_000],
            id="nines",
        ),
        pytest.param(
            (50_000, 51_000, 38.5, 53_000, 54_000, 41.2),
            ["kept", "kept", "backward", "kept", "kept", "backward"],
            [50_000, 51_000, 53_000, 54_000],
            id="the litres of fuel instead",
        ),
        pytest.param(
            tuple(km for n in range(6) for km in (50_000 + 2_000 * n, 137_000 + 1_800 * n)),
            ["kept", "other-vehicle"] * 6,
            [50_000 + 2_000 * n for n in range(6)],
            id="another vehicle's series in between",
        ),
        pytest.param(
            (50_000, 51_000, 52_000, 53_000, 62_700, 55_000, 56_000, 57_000),
            ["kept"] * 4 + ["jump"] + ["kept"] * 3,
            [50_000, 51_000, 52_000, 53_000, 55_000, 56_000, 57_000],
            id="too high, and no slip explains it",
        ),
        pytest.param(
            (*range(20_000, 65_000, 5_000), 60_700, *range(70_000, 105_000, 5_000)),
            ["kept"] * 9 + ["out-of-line"] + ["kept"] * 7,
            [*range(20_000, 65_000, 5_000), *range(70_000, 105_000, 5_000)],
            id="between its neighbours and far from their line",
        ),
        pytest.param(
            (640_000, 11_000, 12_000, 13_000),
            ["isolated", "kept", "kept", "kept"],
            [11_000, 12_000, 13_000],
            id="a first reading that all others contradict",
        ),
    ],
)
def test_dirt(kilometres: tuple[float, ...], expected: list[str], values: list[float]) -> None:
    clean = clean_odometer(readings(monthly(*kilometres)), AS_OF_D, RULES)
    assert verdicts(clean) == expected
    assert clean.odometer_m == pytest.approx([km * KM for km in values], abs=1_000)


def test_two_contradictions_are_not_yet_proof_and_three_are_a_new_cluster() -> None:
    history = (50_000, 51_000, 52_000, 53_000, 100, 1_000)
    waiting = clean_odometer(readings(monthly(*history)), AS_OF_D, RULES)
    assert verdicts(waiting)[4:] == ["backward", "backward"]
    assert waiting.odometer_m[-1] == 53_000 * KM

    proven = clean_odometer(readings(monthly(*history, 2_000)), AS_OF_D, RULES)
    assert verdicts(proven) == ["kept"] * 4 + ["cluster-swap"] + ["kept"] * 2
    assert proven.segment.tolist() == [0, 0, 0, 0, 1, 1, 1]
    # On the continuous axis the old cluster ends where the new one begins.
    assert proven.continuous_m().tolist() == [
        -2900 * KM,
        -1900 * KM,
        -900 * KM,
        100 * KM,
        100 * KM,
        1000 * KM,
        2000 * KM,
    ]


def test_times_that_cannot_be_trusted_are_never_the_latest() -> None:
    odometer = readings([(20_000, 10_000), (20_030, 11_000), (24_000, 90_000), (0, 50_000), (20_060, 12_000)])
    clean = clean_odometer(odometer, AS_OF_D, RULES)
    assert verdicts(clean) == ["kept", "kept", "future-time", "impossible-time", "kept"]
    assert clean.time_d[-1] == 20_060

    odometer.plausible[1], odometer.trusted[4] = False, False
    assert verdicts(clean_odometer(odometer, AS_OF_D, RULES))[1::3] == ["future-time", "untrusted-time"]


def test_an_entered_reading_may_disagree_by_a_day_s_drive() -> None:
    odometer = readings([(20_000, 10_000), (20_030.5, 11_000), (20_030.6, 10_950), (20_040, 11_100)])
    odometer.tolerance_m[1] = RULES.fall_m_max_entered
    clean = clean_odometer(odometer, AS_OF_D, RULES)
    assert verdicts(clean) == ["kept", "kept", "levelled", "kept"]
    assert clean.odometer_m.tolist() == [10_000 * KM, 11_000 * KM, 11_000 * KM, 11_100 * KM]


def test_a_tenth_that_falls_within_the_tolerance_is_levelled() -> None:
    clean = clean_odometer(
        readings([(20_000, 0), (20_049, 31_355), (20_049, 209_148), (20_243, 313_348), (20_243, 313_548)]),
        AS_OF_D,
        RULES,
    )
    assert (np.diff(clean.continuous_m()) >= 0).all()


def test_of_two_odometers_on_one_day_the_one_that_fits_counts() -> None:
    days = [(20_000, 50_000), (20_030, 51_000), (20_030.1, 81_700), (20_060, 52_000), (20_090, 53_000)]
    clean = clean_odometer(readings(days), AS_OF_D, RULES)
    assert verdicts(clean) == ["kept", "kept", "same-day", "kept", "kept"]


def test_a_date_of_the_wrong_year() -> None:
    days = [(20_000.0 + 30 * month, 50_000.0 + 1_000 * month) for month in range(12)]
    late = (20_000.0 + 335 + 12 - 365.25, 61_000.0)
    clean = clean_odometer(readings([late, *days]), AS_OF_D, RULES)
    assert verdicts(clean) == ["wrong-date"] + ["kept"] * 12


@pytest.mark.parametrize(
    "kilometres",
    [
        pytest.param((0, 500, 1_000, 1_500, 1_583, 1_666, 1_750, 1_833, 2_916, 3_999, 5_083), id="regimes"),
        pytest.param((0, 83, 166, 250, 333, 333, 333, 333, 333, 333, 3_000, 6_000, 9_000), id="long parked"),
        pytest.param((0, 83, 166, 250, 333, 8_333, 16_333, 24_333), id="sudden heavy use"),
        pytest.param(
            (*range(0, 10_000, 1_000), *range(9_000, 16_000, 1_000)), id="a month of rest in a steady life"
        ),
        pytest.param(
            (0, 1_000, 2_000, 3_000, 3_000, 3_000, 3_010, 4_010, 5_010), id="a quarter in the garage"
        ),
    ],
)
def test_another_way_of_life_is_no_mistake(kilometres: tuple[float, ...]) -> None:
    history = monthly(*(40_000 + km for km in kilometres))
    clean = clean_odometer(readings(history), AS_OF_D, RULES)
    assert verdicts(clean) == ["kept"] * len(history)


def test_heavy_use_is_doubted_until_it_goes_on() -> None:
    usual = [40_000 + 83 * month for month in range(6)]
    heavy = [40_415 + 8_000 * month for month in range(1, 4)]
    seen = [
        verdicts(clean_odometer(readings(monthly(*usual, *heavy[:n])), AS_OF_D, RULES)) for n in (1, 2, 3)
    ]
    assert seen[0][-1] == "jump"
    assert seen[2] == ["kept"] * 9


def test_an_odometer_set_back_begins_a_segment_once_it_is_proven() -> None:
    history = (150_000, 151_000, 152_000, 90_000, 91_000, 92_000)
    clean = clean_odometer(readings(monthly(*history)), AS_OF_D, RULES)
    assert verdicts(clean) == ["kept"] * 3 + ["rolled-back"] + ["kept"] * 2
    assert clean.segment.tolist() == [0, 0, 0, 1, 1, 1]


def test_what_the_odometer_says_of_the_vehicle_s_identity() -> None:
    swapped = monthly(50_000, 51_000, 52_000, 100, 1_100, 2_100)
    mixed = monthly(*(km for n in range(6) for km in (50_000 + 2_000 * n, 137_000 + 1_800 * n)))
    odometer = readings(swapped, [], mixed)
    found = identity(clean_odometer(odometer, AS_OF_D, RULES), odometer.offsets)
    assert found.strange_share.tolist() == [0.0, 0.0, 0.5]
    assert (found.vehicle.tolist(), found.row.tolist()) == ([0], [3])
    assert (found.from_m.tolist(), found.to_m.tolist()) == ([52_000 * KM], [100 * KM])
    assert found.time_d.tolist() == [20_090.0]


def test_staff_keep_a_reading_and_the_rest_is_judged_around_it() -> None:
    history = monthly(50_000, 51_000, 52_000, 44_000, 54_000, 55_000)
    assert verdicts(clean_odometer(readings(history), AS_OF_D, RULES))[3] == "backward"
    clean = clean_odometer(readings(history, overruled=[0, 0, 0, 1, 0, 0]), AS_OF_D, RULES)
    assert verdicts(clean)[3] == "staff-kept"
    assert 44_000 * KM in clean.odometer_m.tolist()
    late = readings(history, trusted=False, overruled=[0, 0, 0, 0, 0, 1])
    assert verdicts(clean_odometer(late, AS_OF_D, RULES)) == ["untrusted-time"] * 5 + ["staff-kept"]


def test_staff_reject_a_reading() -> None:
    history = monthly(50_000, 51_000, 52_000, 53_000)
    clean = clean_odometer(readings(history, overruled=[0, 0, 2, 0]), AS_OF_D, RULES)
    assert verdicts(clean) == ["kept", "kept", "staff-rejected", "kept"]


@pytest.mark.parametrize("metres", [np.nan, np.inf, -1.0, 1e12])
def test_what_is_no_distance(metres: float) -> None:
    odometer = readings(monthly(50_000, 51_000, 52_000))
    odometer.odometer_m[1] = metres
    clean = clean_odometer(odometer, AS_OF_D, RULES)
    assert verdicts(clean) == ["kept", "no-value", "kept"]
    assert np.isfinite(clean.odometer_m).all()


def test_every_word_fits_its_column_and_none_is_new() -> None:
    assert max(len(verdict.word) for verdict in Verdict) <= 32
    # Stored in the past: these may not change.
    old = {"kept", "levelled", "tenfold", "backward", "jump", "isolated", "untrusted-time", "future-time"}
    assert old | {"impossible-time"} <= {verdict.word for verdict in Verdict}


def test_two_odometers_at_one_time_keep_their_order_in_the_stream() -> None:
    clean = clean_odometer(readings([(20_000, 10_000), (20_000, 10_050)]), AS_OF_D, RULES)
    assert clean.row.tolist() == [0, 1]


def test_no_vehicle_and_vehicles_without_readings() -> None:
    nobody = clean_odometer(readings(), AS_OF_D, RULES)
    assert nobody.offsets.tolist() == [0]
    some = clean_odometer(readings([], monthly(1_000), []), AS_OF_D, RULES)
    assert some.offsets.tolist() == [0, 0, 1, 1]


def _car(steps: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(20_000 + day, float(round(km * 1000)) / 1000) for day, km in steps]


# Round numbers as well, so that values and days of one car, and of two, coincide.
DAYS = st.one_of(st.floats(0, 590), st.integers(0, 19).map(lambda month: 30.0 * month))
KILOMETRES = st.one_of(st.floats(0, 400_000), st.integers(0, 40).map(lambda step: 1_000.0 * step))
CARS = st.lists(st.lists(st.tuples(DAYS, KILOMETRES), max_size=12).map(_car), max_size=5)


@given(cars=CARS)
def test_whatever_comes_in_what_is_kept_rises_and_every_reading_has_a_verdict(
    cars: list[list[tuple[float, float]]],
) -> None:
    odometer = readings(*cars)
    clean = clean_odometer(odometer, AS_OF_D, RULES)
    kept = np.isin(np.arange(len(odometer.time_d)), clean.row)
    assert [Verdict(v).kept for v in clean.verdict] == kept.tolist()
    continuous = clean.continuous_m()
    assert np.isfinite(continuous).all()
    for first, end in zip(clean.offsets[:-1], clean.offsets[1:], strict=True):
        assert (np.diff(clean.time_d[first:end]) >= 0).all()
        assert (np.diff(continuous[first:end]) >= 0).all()
        assert continuous[end - 1 : end].tolist() == clean.odometer_m[end - 1 : end].tolist()


@given(cars=CARS)
def test_cleaning_what_is_clean_changes_nothing(cars: list[list[tuple[float, float]]]) -> None:
    odometer = readings(*cars)
    clean = clean_odometer(odometer, AS_OF_D, RULES)
    again = clean_odometer(
        OdometerReadings(
            clean.offsets,
            clean.time_d,
            clean.odometer_m,
            odometer.trusted[clean.row],
            odometer.plausible[clean.row],
            odometer.tolerance_m[clean.row],
        ),
        AS_OF_D,
        RULES,
    )
    assert again.row.tolist() == list(range(len(clean.row)))
    assert again.odometer_m.tolist() == clean.odometer_m.tolist()
    assert again.segment.tolist() == clean.segment.tolist()


@given(cars=CARS, as_of_d=st.floats(19_990, 20_600))
def test_what_lies_after_the_as_of_date_says_nothing(
    cars: list[list[tuple[float, float]]], as_of_d: float
) -> None:
    odometer = readings(*cars)
    clean = clean_odometer(odometer, as_of_d, RULES)
    until = as_of_d + RULES.future_d_max
    past = readings(*([row for row in car if row[0] <= until] for car in cars))
    then = clean_odometer(past, as_of_d, RULES)
    assert then.odometer_m.tolist() == clean.odometer_m.tolist()
    assert then.verdict.tolist() == clean.verdict[odometer.time_d <= until].tolist()


@given(cars=CARS, data=st.data())
def test_staff_have_the_last_word(cars: list[list[tuple[float, float]]], data: st.DataObject) -> None:
    rows = sum(map(len, cars))
    said = data.draw(st.lists(st.integers(0, 2), min_size=rows, max_size=rows))
    clean = clean_odometer(readings(*cars, overruled=said), AS_OF_D, RULES)
    found = np.array(said, dtype=np.int64)
    assert set(clean.verdict[found == Overrule.KEEP].tolist()) <= {Verdict.STAFF_KEPT}
    assert set(clean.verdict[found == Overrule.REJECT].tolist()) <= {Verdict.STAFF_REJECTED}


@given(cars=CARS)
def test_a_vehicle_is_judged_by_itself(cars: list[list[tuple[float, float]]]) -> None:
    together = clean_odometer(readings(*cars), AS_OF_D, RULES)
    alone = [clean_odometer(readings(car), AS_OF_D, RULES) for car in cars]
    assert together.verdict.tolist() == [int(v) for one in alone for v in one.verdict]
    assert together.odometer_m.tolist() == [m for one in alone for m in one.odometer_m]


def test_neighbours_in_the_arrays_know_nothing_of_each_other() -> None:
    rng = np.random.default_rng(0)
    steps_km = [0, 0, 1_000, 1_000, 1_100, 2_000, 30, -500, 50_000, -40_000]
    cars = []
    for _ in range(200):
        count = int(rng.integers(0, 30))
        days = 18_000.0 + np.cumsum(rng.choice([0, 1, 1, 7, 30, 30, 60], count))
        km = np.abs(np.cumsum(rng.choice(steps_km, count)) + rng.choice([0, 1_000, 50_000]))
        cars.append(list(zip(days.tolist(), km.tolist(), strict=True)))
    together = clean_odometer(readings(*cars), AS_OF_D, RULES)
    alone = [clean_odometer(readings(car), AS_OF_D, RULES) for car in cars]
    assert together.verdict.tolist() == [int(v) for one in alone for v in one.verdict]
    assert together.odometer_m.tolist() == [m for one in alone for m in one.odometer_m]
