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
    Verdict,
    clean_odometer,
)

RULES = OdometerRules()
AS_OF_D = 20_600.0
KM = 1_000.0


def readings(*cars: list[tuple[float, float]], trusted: bool = True) -> OdometerReadings:
    """Cars as lists of (day, kilometres)."""
    rows = [row for car in cars for row in car]
    return OdometerReadings(
        offsets=offsets_of(np.array([len(car) for car in cars], dtype=np.int64)),
        time_d=np.array([day for day, _ in rows], dtype=np.float64),
        odometer_m=np.array([km * KM for _, km in rows], dtype=np.float64),
        trusted=np.full(len(rows), trusted),
        plausible=np.full(len(rows), True),
        tolerance_m=np.full(len(rows), RULES.fall_m_max),
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
            (10_000, 11_000, 611_000, 12_000),
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
            (610_000, 11_000, 12_000, 13_000),
            ["isolated", "kept", "kept", "kept"],
            [11_000, 12_000, 13_000],
            id="a first reading that all others contradict",
        ),
    ],
)
def test_dirt(kilometres: tuple[float, ...], expected: list[str], values: list[float]) -> None:
    clean = clean_odometer(readings(monthly(*kilometres)), AS_OF_D, RULES)
    assert verdicts(clean) == expected
    assert clean.odometer_m.tolist() == [km * KM for km in values]


def test_two_contradictions_are_not_yet_proof_and_three_are_a_new_cluster() -> None:
    history = (50_000, 51_000, 52_000, 53_000, 100, 1_000)
    waiting = clean_odometer(readings(monthly(*history)), AS_OF_D, RULES)
    assert verdicts(waiting)[4:] == ["backward", "backward"]
    assert waiting.odometer_m[-1] == 53_000 * KM

    proven = clean_odometer(readings(monthly(*history, 2_000)), AS_OF_D, RULES)
    assert verdicts(proven) == ["kept"] * 7
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


CARS = st.lists(
    st.lists(st.tuples(st.floats(0, 590), st.floats(0, 400_000)), max_size=12).map(_car), max_size=5
)


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
def test_a_vehicle_is_judged_by_itself(cars: list[list[tuple[float, float]]]) -> None:
    together = clean_odometer(readings(*cars), AS_OF_D, RULES)
    alone = [clean_odometer(readings(car), AS_OF_D, RULES) for car in cars]
    assert together.verdict.tolist() == [int(v) for one in alone for v in one.verdict]
    assert together.odometer_m.tolist() == [m for one in alone for m in one.odometer_m]
